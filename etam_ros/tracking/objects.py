"""The objects that are followed, and who may be one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from etam_ros.errors import ObjectError
from etam_ros.records import MAX_OBJECT_ID, NEW_OBJECT, ObjectState
from etam_ros.tracking.bank import MemoryBank
from etam_ros.tracking.mask_selection import ChosenMasks
from etam_ros.tracking.prompt_inputs import PointPrompt
from etam_ros.tracking.publishing import MeasuredMask


@dataclass(eq=False)
class TrackedObject:
    """Everything that is known of one object.

    Attributes:
        object_id: permanent; which row of a batch it takes changes from frame to frame.
        label: name given by prompts.
        bank: what is remembered.
        conditioned: (1, D, h, w) feature of the newest frame, as this object sees it.
        mask_logits: (1, 1, 4h, 4w) on the newest frame.
        scores: (2,) object-score logit and IoU estimate on the newest frame.
        pointer: (D,) on the newest frame.
        point_prompt: box and clicks given on the newest frame.
        last_seen_ns: stamp of the last frame on which it was visible.
    """

    object_id: int
    label: str
    conditioned: Tensor
    last_seen_ns: int
    bank: MemoryBank = field(default_factory=MemoryBank)
    mask_logits: Tensor | None = None
    scores: Tensor | None = None
    pointer: Tensor | None = None
    point_prompt: PointPrompt = field(default_factory=PointPrompt)

    def take_output(self, chosen: ChosenMasks, row: int, mask_logits: Tensor) -> None:
        """Keep row `row` of a batch as this object's output on the newest frame.

        Args:
            chosen: what the decoder gave.
            row: this object's row.
            mask_logits: (B, 1, 4h, 4w), the same masks with holes filled.
        """
        self.mask_logits = mask_logits[row : row + 1]
        self.scores = chosen.scores[row]
        self.pointer = chosen.pointers[row]

    def state(self, mask: MeasuredMask, scores: tuple[float, float], stamp_ns: int) -> ObjectState:
        """What is published of this object; an object without a pixel counts as occluded.

        Args:
            mask: as drawn.
            scores: of this object, on the host.
            stamp_ns: of the newest frame.
        """
        object_score_logit, iou_score = scores
        occluded = object_score_logit <= 0 or mask.area == 0
        if not occluded:
            self.last_seen_ns = stamp_ns
        assert self.mask_logits is not None
        assert self.pointer is not None
        return ObjectState(
            object_id=self.object_id,
            label=self.label,
            occluded=occluded,
            visibility=1.0 / (1.0 + math.exp(-object_score_logit)),
            iou_score=iou_score,
            area=mask.area,
            box=mask.box,
            centroid=mask.centroid,
            mask=mask.mask,
            time_since_seen_ns=max(0, stamp_ns - self.last_seen_ns),
            object_score_logit=object_score_logit,
            mask_logits=self.mask_logits[0, 0],
            pointer=self.pointer,
        )


class ObjectTable:
    """Objects in the order in which they were added. Ids are not reused until `clear`."""

    def __init__(self) -> None:
        self._objects: dict[int, TrackedObject] = {}
        self._retired: set[int] = set()

    def __iter__(self) -> Iterator[TrackedObject]:
        return iter(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids in the order in which the objects were added."""
        return tuple(self._objects)

    def get(self, object_id: int) -> TrackedObject | None:
        """The object of that id, or None when the id is new.

        Raises:
            ObjectError: the id is out of range, or belonged to an object that is gone.
        """
        if not NEW_OBJECT <= object_id <= MAX_OBJECT_ID:
            raise ObjectError(
                f"object id is {object_id}, expected 1..{MAX_OBJECT_ID}, or 0 for a new object"
            )
        if object_id in self._retired:
            raise ObjectError(
                f"object {object_id} was removed and its id is not used again until reset: "
                "use id 0 for a new object"
            )
        return self._objects.get(object_id)

    def new_id(self, wanted: int, max_objects: int) -> int:
        """The id a new object gets: `wanted`, or the next one for NEW_OBJECT.

        Raises:
            ObjectError: there are too many objects, or all ids were used.
        """
        if len(self._objects) >= max_objects:
            raise ObjectError(
                f"{len(self._objects)} objects are followed and tracker.max_objects is "
                f"{max_objects}: remove one first, or raise the limit"
            )
        if wanted != NEW_OBJECT:
            return wanted
        following = max((*self._objects, *self._retired), default=0) + 1
        if following > MAX_OBJECT_ID:
            raise ObjectError(f"all ids up to {MAX_OBJECT_ID} were used: reset to start again")
        return following

    def add(self, tracked: TrackedObject) -> None:
        """Follow one more object."""
        self._objects[tracked.object_id] = tracked

    def remove(self, object_id: int) -> None:
        """Stop following an object and retire its id.

        Raises:
            ObjectError: there is no such object.
        """
        if self.get(object_id) is None:
            known = ", ".join(map(str, self._objects)) or "none"
            raise ObjectError(f"there is no object {object_id}, objects are: {known}")
        del self._objects[object_id]
        self._retired.add(object_id)

    def clear(self) -> None:
        """Forget all objects and all ids that were used."""
        self._objects.clear()
        self._retired.clear()

"""The objects that are followed, and which ids they get.

Nothing here is changed once it is made: a tracker goes from one table to the next, or stays with
the one it has.

Letters: D hidden dim, h = w feature grid.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce

from torch import Tensor

from etam_ros.errors import ObjectError
from etam_ros.records import MAX_OBJECT_ID, NEW_OBJECT, ObjectState
from etam_ros.stream_time import TimeStep
from etam_ros.tracking.bank import MemoryBank
from etam_ros.tracking.current_frame import FrameMark
from etam_ros.tracking.masks.measures import NOWHERE, MeasuredMask
from etam_ros.tracking.masks.pieces import pieces_of
from etam_ros.tracking.prompt_inputs import PointPrompt


@dataclass(frozen=True, eq=False, kw_only=True)
class PromptedObject:
    """An object that a prompt is for, which may have no mask yet.

    Attributes:
        object_id: permanent; which row of a batch it takes changes from frame to frame.
        label: name given by prompts.
        last_seen_ns: stamp of the last frame on which it was visible; if that had none, of the
            first one since then that has, and 0 until there is one.
        last_centroid: (x, y) on the last frame on which it was visible; NaN before any.
        point_prompt: box and clicks given on this frame.
        bank: what is remembered, this frame included.
        bank_before: what was remembered before this frame, empty where it started here.
        past: what it was on the frames before, the oldest first, as far as that is kept.
    """

    object_id: int
    label: str
    last_seen_ns: int
    last_centroid: tuple[float, float] = NOWHERE
    point_prompt: PointPrompt = field(default_factory=PointPrompt)
    bank: MemoryBank = field(default_factory=MemoryBank)
    bank_before: MemoryBank = field(default_factory=MemoryBank)
    past: tuple[PastState, ...] = ()

    @property
    def started_here(self) -> bool:
        """It remembered nothing before this frame."""
        return not self.bank_before.conditioning


@dataclass(frozen=True, eq=False)
class PastState:
    """What an object was on a frame that is over.

    Attributes:
        mark: of that frame.
        tracked: the object, without a past of its own.
    """

    mark: FrameMark
    tracked: TrackedObject


@dataclass(frozen=True, eq=False, kw_only=True)
class TrackedObject(PromptedObject):
    """An object that is followed, as of one frame: the newest, or one on its way there.

    Attributes:
        mask_logits: (1, 1, 4h, 4w), small holes filled.
        scores: (2,) object-score logit and IoU estimate.
        pointer: (D,).
        hidden: the object score says that it is not in view.
        usual: (2,) how much it looked like itself of late, and by how many cells a frame it moved
            apart from what lies around it; None before a frame on which that was measured.
    """

    mask_logits: Tensor
    scores: Tensor
    pointer: Tensor
    hidden: bool = False
    usual: Tensor | None = None

    def after_step(self, step: TimeStep) -> TrackedObject:
        """As of the next frame's time.

        Where it went back, recent memories are of another picture; where stamps jumped, nobody
        can ask any more what was before.
        """
        if step == TimeStep():
            return self
        last_seen_ns = self.last_seen_ns
        if last_seen_ns:
            last_seen_ns = last_seen_ns + step.shift_ns or 1  # 0 would say that nobody knows
        return replace(
            self,
            bank=self.bank.without_recent() if step.went_back else self.bank,
            last_seen_ns=last_seen_ns,
            past=() if step.went_back or step.leapt else self.past,
        )

    def called(self, label: str) -> TrackedObject:
        """With another name, on past frames too: whoever goes back to one does not lose it."""
        past = (replace(each, tracked=each.tracked.called(label)) for each in self.past)
        return replace(self, label=label, past=tuple(past))

    def renumbered(self, by: int) -> TrackedObject:
        """With the numbers of the frames that it remembers raised by so much."""
        if by == 0:
            return self
        return replace(
            self, bank=self.bank.renumbered(by), bank_before=self.bank_before.renumbered(by)
        )

    def state(
        self,
        mask: MeasuredMask,
        scores: tuple[float, float],
        stamp_ns: int,
        *,
        measured: str = "main_piece",
    ) -> ObjectState:
        """What is published of this object; an object without a pixel counts as occluded.

        Args:
            mask: as drawn.
            scores: of this object, on the host.
            stamp_ns: of the frame.
            measured: the value of `tracker.measured`.
        """
        pieces = pieces_of(mask, self.last_centroid)
        part = pieces.main if measured == "main_piece" else mask
        object_score_logit, iou_score = scores
        occluded = object_score_logit <= 0 or mask.area == 0
        return ObjectState(
            object_id=self.object_id,
            label=self.label,
            occluded=occluded,
            visibility=sigmoid(object_score_logit),
            iou_score=iou_score,
            area=mask.area,
            box=part.box,
            centroid=part.centroid,
            mask=mask.mask,
            extent=mask.box,
            measured=part.mask,
            time_since_seen_ns=self._since_seen_ns(stamp_ns) if occluded else 0,
            object_score_logit=object_score_logit,
            mask_logits=self.mask_logits[0, 0],
            pointer=self.pointer,
            stamp_ns=stamp_ns,
            pieces=pieces.count,
            main_piece_share=pieces.main.area / mask.area if mask.area else 0.0,
        )

    def seen_as(self, state: ObjectState) -> TrackedObject:
        """With when and where it was seen last, once it is published like that."""
        hidden = state.object_score_logit <= 0
        if not state.occluded:
            last_seen_ns, last_centroid = state.stamp_ns, state.centroid
        else:
            last_seen_ns = self.last_seen_ns or state.stamp_ns
            last_centroid = self.last_centroid
        return replace(self, hidden=hidden, last_seen_ns=last_seen_ns, last_centroid=last_centroid)

    def searched(self) -> TrackedObject:
        """As it is looked for: where it is hidden, by what was prompted alone."""
        return replace(self, bank=self.bank.without_recent()) if self.hidden else self

    def _since_seen_ns(self, stamp_ns: int) -> int:
        """0 where one of the two frames has no stamp, and nobody knows."""
        return max(0, stamp_ns - self.last_seen_ns) if self.last_seen_ns and stamp_ns else 0


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), for a logit of any size."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """The objects that are followed, and the ids of those that no longer are; never changed.

    Attributes:
        objects: in the order in which they were added.
        retired: ids that are not used again.
    """

    objects: tuple[TrackedObject, ...] = ()
    retired: frozenset[int] = frozenset()

    def __iter__(self) -> Iterator[TrackedObject]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids in the order in which the objects were added."""
        return tuple(tracked.object_id for tracked in self.objects)

    def get(self, object_id: int) -> TrackedObject | None:
        """The object of that id, or None when the id is new.

        Raises:
            ObjectError: the id is out of range, or belonged to an object that is gone.
        """
        if not NEW_OBJECT <= object_id <= MAX_OBJECT_ID:
            raise ObjectError(
                f"object id is {object_id}, expected 1..{MAX_OBJECT_ID}, or 0 for a new object"
            )
        if object_id in self.retired:
            raise ObjectError(
                f"object {object_id} was removed and its id is not used again until reset: "
                "use id 0 for a new object"
            )
        return next((each for each in self.objects if each.object_id == object_id), None)

    def new_id(self, wanted: int, max_objects: int) -> int:
        """The id a new object gets: `wanted`, or the lowest unused one for NEW_OBJECT.

        Raises:
            ObjectError: there are too many objects, or all ids were used.
        """
        if len(self.objects) >= max_objects:
            raise ObjectError(
                f"{len(self.objects)} objects are tracked already and tracker.max_objects is "
                f"{max_objects}: remove one first, or raise the limit"
            )
        if wanted != NEW_OBJECT:
            return wanted
        used = self.retired.union(self.ids)
        unused = next((each for each in range(1, MAX_OBJECT_ID + 1) if each not in used), None)
        if unused is None:
            raise ObjectError(f"all ids up to {MAX_OBJECT_ID} are used up: reset the tracker")
        return unused

    def with_object(self, tracked: TrackedObject) -> ObjectTable:
        """With one more object, or with a newer state of one that is followed."""
        if tracked.object_id not in self.ids:
            return replace(self, objects=(*self.objects, tracked))
        return self.updated(
            tracked if each.object_id == tracked.object_id else each for each in self.objects
        )

    def with_objects(self, objects: Iterable[TrackedObject]) -> ObjectTable:
        """With more objects, or with newer states of some that are followed."""
        return reduce(ObjectTable.with_object, objects, self)

    def updated(self, objects: Iterable[TrackedObject]) -> ObjectTable:
        """With a newer state of every object, in the same order."""
        return replace(self, objects=tuple(objects))

    def with_label(self, object_id: int, label: str) -> ObjectTable:
        """With another name for an object, if it is among them."""
        return self.updated(
            each.called(label) if each.object_id == object_id else each for each in self.objects
        )

    def without(self, object_id: int) -> ObjectTable:
        """Without an object, whose id is retired.

        Raises:
            ObjectError: there is no such object.
        """
        if self.get(object_id) is None:
            known = ", ".join(map(str, self.ids)) or "none"
            raise ObjectError(f"there is no object {object_id}, objects are: {known}")
        return self.dropping({object_id})

    def dropping(self, object_ids: Collection[int]) -> ObjectTable:
        """Without some objects, followed or not, whose ids are retired."""
        kept = tuple(each for each in self.objects if each.object_id not in object_ids)
        return ObjectTable(kept, self.retired.union(object_ids))

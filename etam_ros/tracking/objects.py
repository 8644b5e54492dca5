"""The tracked objects, and how ids are assigned.

Everything here is immutable: a tracker replaces its table by the next one, or keeps it.

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
    """The object that a prompt applies to, which may have no mask yet.

    Attributes:
        object_id: permanent id; its row of the batch may change from frame to frame.
        label: name given by prompts.
        last_seen_ns: stamp of the last frame on which it was visible; if that frame had none, of
            the first later frame with a stamp, and 0 until then.
        last_centroid: (x, y) on the last frame on which it was visible; NaN before any.
        point_prompt: box and clicks given on this frame.
        bank: its memory, including this frame.
        bank_before: its memory before this frame; empty if it was added here.
        past: its stored states on earlier frames, the oldest first.
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
        """Whether it had no memory before this frame."""
        return not self.bank_before.conditioning


@dataclass(frozen=True, eq=False)
class PastState:
    """The state of an object on a past frame.

    Attributes:
        mark: of that frame.
        tracked: the object, without past states of its own.
    """

    mark: FrameMark
    tracked: TrackedObject


@dataclass(frozen=True, eq=False, kw_only=True)
class TrackedObject(PromptedObject):
    """A tracked object on one frame: the newest, or one that it reached while catching up.

    Attributes:
        mask_logits: (1, 1, 4h, 4w), small holes filled.
        scores: (2,) object-score logit and IoU estimate.
        pointer: (D,).
        hidden: the object score says that it is not in view.
        usual: (2,) running averages of its likeness to the prompted frames, and of its motion
            relative to its surroundings in cells per frame; None until these were measured.
    """

    mask_logits: Tensor
    scores: Tensor
    pointer: Tensor
    hidden: bool = False
    usual: Tensor | None = None

    def after_step(self, step: TimeStep) -> TrackedObject:
        """Its state after a step of time.

        If time went back, recent memories are dropped, because they belong to other pictures; if
        stamps jumped, its past states are dropped, because no prompt can refer to them.
        """
        if step == TimeStep():
            return self
        last_seen_ns = self.last_seen_ns
        if last_seen_ns:
            last_seen_ns = last_seen_ns + step.shift_ns or 1  # 0 would mean that it is unknown
        return replace(
            self,
            bank=self.bank.without_recent() if step.went_back else self.bank,
            last_seen_ns=last_seen_ns,
            past=() if step.went_back or step.leapt else self.past,
        )

    def called(self, label: str) -> TrackedObject:
        """A copy with another name, on past frames, too, so that a late prompt keeps the name."""
        past = (replace(each, tracked=each.tracked.called(label)) for each in self.past)
        return replace(self, label=label, past=tuple(past))

    def renumbered(self, by: int) -> TrackedObject:
        """A copy with the given offset added to the numbers of the frames in its memory."""
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
        """The published state of this object; an object with an empty mask counts as occluded.

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
        """A copy that records from its published state when and where it was last seen."""
        hidden = state.object_score_logit <= 0
        if not state.occluded:
            last_seen_ns, last_centroid = state.stamp_ns, state.centroid
        else:
            last_seen_ns = self.last_seen_ns or state.stamp_ns
            last_centroid = self.last_centroid
        return replace(self, hidden=hidden, last_seen_ns=last_seen_ns, last_centroid=last_centroid)

    def searched(self) -> TrackedObject:
        """The object as it is searched for; a hidden one uses its prompted frames only."""
        return replace(self, bank=self.bank.without_recent()) if self.hidden else self

    def _since_seen_ns(self, stamp_ns: int) -> int:
        """Time since it was last seen; 0 if one of the two frames has no stamp."""
        return max(0, stamp_ns - self.last_seen_ns) if self.last_seen_ns and stamp_ns else 0


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), for a logit of any size."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """The tracked objects, and the ids of removed ones; immutable.

    Attributes:
        objects: in the order in which they were added.
        retired: ids of removed objects, which are not used again.
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
        """The object with that id, or None if the id is new.

        Raises:
            ObjectError: the id is out of range, or belonged to an object that was removed.
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
        """The id of a new object: `wanted`, or the lowest unused one for NEW_OBJECT.

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
        """A copy with one more object, or with a newer state of a tracked one."""
        if tracked.object_id not in self.ids:
            return replace(self, objects=(*self.objects, tracked))
        return self.updated(
            tracked if each.object_id == tracked.object_id else each for each in self.objects
        )

    def with_objects(self, objects: Iterable[TrackedObject]) -> ObjectTable:
        """A copy with more objects, or with newer states of some tracked ones."""
        return reduce(ObjectTable.with_object, objects, self)

    def updated(self, objects: Iterable[TrackedObject]) -> ObjectTable:
        """A copy with a newer state of every object, in the same order."""
        return replace(self, objects=tuple(objects))

    def with_label(self, object_id: int, label: str) -> ObjectTable:
        """A copy with another name for an object, if it is in the table."""
        return self.updated(
            each.called(label) if each.object_id == object_id else each for each in self.objects
        )

    def without(self, object_id: int) -> ObjectTable:
        """A copy without an object, whose id is retired.

        Raises:
            ObjectError: there is no such object.
        """
        if self.get(object_id) is None:
            known = ", ".join(map(str, self.ids)) or "none"
            raise ObjectError(f"there is no object {object_id}, objects are: {known}")
        return self.dropping({object_id})

    def dropping(self, object_ids: Collection[int]) -> ObjectTable:
        """A copy without the given objects; all of these ids are retired."""
        kept = tuple(each for each in self.objects if each.object_id not in object_ids)
        return ObjectTable(kept, self.retired.union(object_ids))

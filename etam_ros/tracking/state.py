"""What a tracker knows between two calls.

Letters: D hidden dim, h = w feature grid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from etam_ros.records import FrameResult
from etam_ros.runtime import MemoryBatch
from etam_ros.tracking.catch_up import CatchUp
from etam_ros.tracking.current_frame import CurrentFrame
from etam_ros.tracking.history import History
from etam_ros.tracking.objects import ObjectTable
from etam_ros.tracking.publishing import Drawing


@dataclass(frozen=True, eq=False)
class TrackerState:
    """Everything a tracker knows; never changed.

    A call makes the next one, and puts it in place when nothing can go wrong any more.

    Attributes:
        objects: as of the newest frame.
        current: the newest frame; None before any.
        result: of the newest frame; None before any.
        batch: of the newest frame with objects; its memory is used again.
        conditioned: (1, D, h, w) of the newest frame as objects see it, by their ids; not of all.
        catching_up: objects that were prompted on past frames, each in one group. Those that were
            followed before are among `objects` too, as they are without that prompt.
        prompted: a past frame that is likely to be prompted before the next frame comes.
    """

    objects: ObjectTable = field(default_factory=ObjectTable)
    current: CurrentFrame | None = None
    result: FrameResult | None = None
    batch: MemoryBatch | None = None
    conditioned: Mapping[int, Tensor] = field(default_factory=dict)
    catching_up: tuple[CatchUp, ...] = ()
    prompted: CurrentFrame | None = None

    @property
    def everyone(self) -> ObjectTable:
        """All objects, those that catch up as of the frame on which they are."""
        return self.objects.with_objects(
            tracked for group in self.catching_up for tracked in group.objects
        )

    @property
    def catching_up_ids(self) -> set[int]:
        """Ids of the objects that catch up."""
        return {object_id for group in self.catching_up for object_id in group.objects.ids}

    def group_of(self, object_id: int) -> CatchUp | None:
        """With whom an object catches up; None where it does not."""
        return next((each for each in self.catching_up if object_id in each.objects.ids), None)

    def next_group(self, history: History | None) -> CatchUp | None:
        """The objects that can be taken nearer to the newest frame, if there are any."""
        if self.current is None or history is None:
            return None
        newest_ns = self.current.frame.stamp_ns
        return next(
            (each for each in self.catching_up if not each.waits(newest_ns, history)), None
        )

    def frames_left(self, object_id: int, history: History | None) -> int:
        """Through how many frames an object may go that is prompted on a past one.

        One that is prompted again and again on its way must still arrive.
        """
        group = self.group_of(object_id)
        most = history.config.catch_up_frames if history else 0
        return most if group is None else min(most, group.frames_left)

    def not_catching_up(self, object_ids: Collection[int]) -> TrackerState:
        """Where none of these catches up; how they saw the newest frame is out of date if one did.

        Args:
            object_ids: of any objects.
        """
        ended = self.catching_up_ids.intersection(object_ids)
        groups = (group.without(ended) for group in self.catching_up)
        return replace(
            self,
            catching_up=tuple(group for group in groups if group.objects),
            conditioned={key: item for key, item in self.conditioned.items() if key not in ended},
        )

    def with_label(self, object_id: int, label: str) -> TrackerState:
        """Where an object has another name."""
        result = self.result
        if result is not None:
            named = (
                replace(each, label=label) if each.object_id == object_id else each
                for each in result.objects
            )
            result = replace(result, objects=tuple(named))
        groups = (
            replace(group, objects=group.objects.with_label(object_id, label))
            for group in self.catching_up
        )
        return replace(
            self,
            objects=self.objects.with_label(object_id, label),
            result=result,
            catching_up=tuple(groups),
        )

    def with_catching_up(
        self, there: CurrentFrame, objects: ObjectTable, frames_left: int
    ) -> TrackerState:
        """Where more objects catch up from a frame, with those that are there already."""
        groups = list(self.catching_up)
        for index, group in enumerate(groups):
            if group.current is there:
                groups[index] = replace(group, objects=group.objects.with_objects(objects))
                break
        else:
            groups.append(CatchUp(there, objects, frames_left))
        return replace(self, catching_up=tuple(groups))


@dataclass(frozen=True, eq=False)
class Followed:
    """Objects that were followed onto a frame.

    Attributes:
        objects: as of that frame.
        drawing: waits for their masks.
        conditioned: (1, D, h, w) of the frame as each of them sees it, by their ids.
        batch: what they remembered; None without objects.
    """

    objects: ObjectTable
    drawing: Callable[[], Drawing]
    conditioned: Mapping[int, Tensor] = field(default_factory=dict)
    batch: MemoryBatch | None = None

"""The state of a tracker between two calls.

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
    """The complete state of a tracker; immutable.

    Each call creates a new state, and installs it once nothing can fail any more.

    Attributes:
        objects: their states on the newest frame.
        current: the newest frame; None before any.
        result: of the newest frame; None before any.
        batch: of the newest frame with objects; its buffers are reused.
        conditioned: (1, D, h, w) features of the newest frame, conditioned on an object's
            memories, by object id; not of every object.
        catching_up: objects that were prompted on past frames, each in one group. Those that were
            tracked before are in `objects`, too, as they would be without that prompt.
        prompted: a past frame that is likely to be prompted before the next frame arrives.
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
        """All objects; those that are catching up are on the frame that they have reached."""
        return self.objects.with_objects(
            tracked for group in self.catching_up for tracked in group.objects
        )

    @property
    def catching_up_ids(self) -> set[int]:
        """Ids of the objects that are catching up."""
        return {object_id for group in self.catching_up for object_id in group.objects.ids}

    def group_of(self, object_id: int) -> CatchUp | None:
        """The group in which an object is catching up; None if it is not."""
        return next((each for each in self.catching_up if object_id in each.objects.ids), None)

    def next_group(self, history: History | None) -> CatchUp | None:
        """A group that can be advanced towards the newest frame, if there is one."""
        if self.current is None or history is None:
            return None
        newest_ns = self.current.frame.stamp_ns
        return next(
            (each for each in self.catching_up if not each.waits(newest_ns, history)), None
        )

    def frames_left(self, object_id: int, history: History | None) -> int:
        """How many frames an object prompted on a past frame may still be tracked through.

        It is limited so that an object arrives even if it is prompted repeatedly on its way.
        """
        group = self.group_of(object_id)
        most = history.config.catch_up_frames if history else 0
        return most if group is None else min(most, group.frames_left)

    def not_catching_up(self, object_ids: Collection[int]) -> TrackerState:
        """A copy in which none of these is catching up; outdated conditioned features are dropped.

        Args:
            object_ids: ids of any objects.
        """
        ended = self.catching_up_ids.intersection(object_ids)
        groups = (group.without(ended) for group in self.catching_up)
        return replace(
            self,
            catching_up=tuple(group for group in groups if group.objects),
            conditioned={key: item for key, item in self.conditioned.items() if key not in ended},
        )

    def with_label(self, object_id: int, label: str) -> TrackerState:
        """A copy in which an object has another name."""
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
        """A copy in which more objects catch up from a frame, with those already there."""
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
    """Objects that were tracked to a frame.

    Attributes:
        objects: their states on that frame.
        drawing: a function that waits for their masks and returns them.
        conditioned: (1, D, h, w) features of the frame conditioned on each object, by its id.
        batch: their memories as a batch; None without objects.
    """

    objects: ObjectTable
    drawing: Callable[[], Drawing]
    conditioned: Mapping[int, Tensor] = field(default_factory=dict)
    batch: MemoryBatch | None = None

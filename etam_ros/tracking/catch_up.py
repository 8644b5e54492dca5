"""Advancing objects from a past frame to the newest one, and their states on past frames.

When an object advances to another frame (`moved_on`), its previous state is stored for as long as
the history reaches, so that a late prompt can start from it (`as_of`).
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from etam_ros.errors import ImageError, PromptError
from etam_ros.records import Frame
from etam_ros.runtime import StageSizes
from etam_ros.stream_time import NS_PER_S
from etam_ros.tracking.current_frame import CurrentFrame, FrameMark
from etam_ros.tracking.history import MIB, History, in_s
from etam_ros.tracking.objects import ObjectTable, PastState, TrackedObject


@dataclass(frozen=True, eq=False)
class CatchUp:
    """Objects that were prompted on the same past frame, on their way to the newest one.

    Attributes:
        current: the frame that they have reached.
        objects: their states on that frame.
        frames_left: how many more frames they may be tracked through before the newest.
    """

    current: CurrentFrame
    objects: ObjectTable
    frames_left: int

    @property
    def stamp_ns(self) -> int:
        """Stamp of the frame that they have reached."""
        return self.current.frame.stamp_ns

    def waits(self, newest_ns: int, history: History) -> bool:
        """Whether they were prompted on a frame that was received but not processed yet.

        If the newest frame has no stamp, this is unknown, and they do not wait.
        """
        return newest_ns != 0 and self.stamp_ns > newest_ns and history.holds(self.stamp_ns)

    def next_frame(self, newest_ns: int, history: History) -> Frame | None:
        """The next frame to process; None if the newest frame is next.

        If there are too many frames, some are skipped, evenly in time. Frames that cannot be
        read are skipped, too.
        """
        entries = history.between(self.stamp_ns, newest_ns) if self.frames_left else []
        if len(entries) > self.frames_left:
            goal_ns = self.stamp_ns + (newest_ns - self.stamp_ns) / (self.frames_left + 1)
            entries.sort(key=lambda entry: abs(entry.stamp_ns - goal_ns))
        for entry in entries:
            with suppress(ImageError):
                return entry.read()
        return None

    def without(self, object_ids: Collection[int]) -> CatchUp:
        """A copy without the given objects."""
        kept = (each for each in self.objects if each.object_id not in object_ids)
        return replace(self, objects=self.objects.updated(kept))


@dataclass(frozen=True)
class PastLimits:
    """How many past states of an object are kept.

    Attributes:
        states: the most states that are kept.
        span_ns: maximum age of the second oldest state.
    """

    states: int = 0
    span_ns: int = 0


def past_limits(history: History | None, sizes: StageSizes, objects: int) -> PastLimits:
    """The limits for each of a number of objects, so that all fit the history's memory limit.

    Each state holds a memory, a mask and a small picture that the others do not share.
    """
    if history is None or objects == 0:
        return PastLimits()
    floats = sizes.memory_dim * sizes.grid**2 + sizes.mask_size**2
    state_bytes = 4 * floats + sizes.image_size**2 + 8 * sizes.mask_size**2
    config = history.config
    return PastLimits(
        config.max_mib * MIB // (objects * state_bytes), int(config.seconds * NS_PER_S)
    )


def moved_on(
    tracked: TrackedObject, before: FrameMark, there: CurrentFrame, limits: PastLimits
) -> TrackedObject:
    """Prepare an object for the next frame on which it is tracked.

    Args:
        tracked: its state on the previous frame.
        before: the previous frame, which is renumbered to directly precede `there`.
        there: the next frame.
        limits: how many past states are kept.
    """
    tracked = replace(tracked, past=_put_by(tracked, before, limits))
    if there.cues.cues.checks_colours:
        tracked = tracked.searched()
    return tracked.renumbered(there.number - 1 - before.number).after_step(there.step)


def _put_by(tracked: TrackedObject, mark: FrameMark, limits: PastLimits) -> tuple[PastState, ...]:
    """The past states of an object, with its state on one more frame added."""
    if limits.states == 0 or mark.stamp_ns == 0:
        return ()
    past = [each for each in tracked.past if each.mark.stamp_ns < mark.stamp_ns]
    past.append(PastState(mark, replace(tracked, past=())))
    oldest_ns = mark.stamp_ns - limits.span_ns
    while len(past) > 1 and past[1].mark.stamp_ns <= oldest_ns:
        del past[0]
    return tuple(past[-limits.states :])


def as_of(
    tracked: TrackedObject, mark: FrameMark, stamp_ns: int
) -> tuple[FrameMark, TrackedObject] | None:
    """The state of an object at an earlier time.

    Args:
        tracked: its current state.
        mark: mark of the frame of that state.
        stamp_ns: the earlier time.

    Returns:
        the last frame up to that time, and the object on it; None if it had not been added yet.

    Raises:
        PromptError: it had been added, but its state at that time is no longer stored.
    """
    states = [*tracked.past, PastState(mark, tracked)]
    index = sum(state.mark.stamp_ns <= stamp_ns for state in states) - 1
    if index >= 0:
        found = states[index]
        then = replace(found.tracked, label=tracked.label, past=tracked.past[:index])
        return found.mark, then
    if states[0].tracked.started_here:
        return None
    raise PromptError(
        f"prompt is for the frame of {in_s(stamp_ns)}, but the memories of object "
        f"{tracked.object_id} at that time are gone, kept are those from "
        f"{in_s(states[0].mark.stamp_ns)} on: prompt a newer frame, track fewer objects, or "
        "raise history.seconds and history.max_mib"
    )

"""How an object gets from a past frame to the newest one, and what it was on past frames.

When an object moves on to another frame (`moved_on`), what it was is put by as far as the history
reaches, so that a late prompt finds it as it was (`as_of`).
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
        current: the frame on which they are now.
        objects: as of that frame.
        frames_left: through how many more they may go before the newest.
    """

    current: CurrentFrame
    objects: ObjectTable
    frames_left: int

    @property
    def stamp_ns(self) -> int:
        """Of the frame on which they are."""
        return self.current.frame.stamp_ns

    def waits(self, newest_ns: int, history: History) -> bool:
        """Whether they were prompted on a frame that was received and is not stepped yet.

        Where the newest frame has no stamp, nobody knows, and they wait for none.
        """
        return newest_ns != 0 and self.stamp_ns > newest_ns and history.holds(self.stamp_ns)

    def next_frame(self, newest_ns: int, history: History) -> Frame | None:
        """The frame to go through next; None where it is time for the newest.

        Frames are left out evenly in time, and none where all can be gone through. Those that
        cannot be read are passed over.
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
        """With the others alone."""
        kept = (each for each in self.objects if each.object_id not in object_ids)
        return replace(self, objects=self.objects.updated(kept))


@dataclass(frozen=True)
class PastLimits:
    """How much is kept of what an object was.

    Attributes:
        states: how many past states at most.
        span_ns: how far back the first but one may lie.
    """

    states: int = 0
    span_ns: int = 0


def past_limits(history: History | None, sizes: StageSizes, objects: int) -> PastLimits:
    """What is kept of each of so many objects, so that all together fit the history's bound.

    A state adds a memory and a mask to what the others hold, and a small picture.
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
    """An object as it comes to the next frame that it is followed on.

    Args:
        tracked: as of the frame before.
        before: that frame, which comes to count as the one just before `there`.
        there: the next frame.
        limits: of what is kept of what it was.
    """
    tracked = replace(tracked, past=_put_by(tracked, before, limits))
    if there.cues.cues.checks_colours:
        tracked = tracked.searched()
    return tracked.renumbered(there.number - 1 - before.number).after_step(there.step)


def _put_by(tracked: TrackedObject, mark: FrameMark, limits: PastLimits) -> tuple[PastState, ...]:
    """The past of an object with its state on one more frame."""
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
    """What an object was at an earlier time.

    Args:
        tracked: as it is now.
        mark: of the frame on which that is.
        stamp_ns: of the time.

    Returns:
        the last frame up to that time, and the object on it; None where it had not started.

    Raises:
        PromptError: it had, but what it was is not kept any more.
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

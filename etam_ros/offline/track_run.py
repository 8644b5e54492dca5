"""One run of `etam track`: every frame through the tracker, prompts on their frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from etam_ros.errors import CutSourceError, PromptError
from etam_ros.media.label_png import LARGEST_ID
from etam_ros.offline.prompts_file import PromptSchedule, TimedPrompt, TimedRemoval
from etam_ros.offline.track_output import TrackOutput
from etam_ros.records import NEW_OBJECT, Frame
from etam_ros.segmenting.masklets import Masklets
from etam_ros.tracking import Tracker

FOUND: Final = "--everything"
"""Who says what nobody had to."""


@dataclass(frozen=True)
class RunSummary:
    """What a run did.

    Attributes:
        frames: frames tracked and written.
        object_ids: every object that was followed, in the order in which they appeared.
        seconds: from the first frame to the last.
        stopped: it was asked to stop before the source ended.
        merged_ids: of those objects that turned out to be another one.
        cut: why the source ended before its time; empty: it did not.
    """

    frames: int
    object_ids: tuple[int, ...]
    seconds: float
    stopped: bool
    merged_ids: tuple[int, ...] = ()
    cut: str = ""

    @property
    def fps(self) -> float:
        """Frames per second of the whole run, decoding and writing included."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


class TrackRun:
    """Tracks a source with prompts on its frames.

    Args:
        prompts: in the order in which they are given on a frame, with removals among them.
        largest_id: that mask pictures hold.

    Raises:
        PromptError: they ask for ids that mask pictures cannot hold.
    """

    def __init__(
        self, prompts: Sequence[TimedPrompt | TimedRemoval], largest_id: int = LARGEST_ID
    ) -> None:
        only = [item for item in prompts if isinstance(item, TimedPrompt)]
        numbered = iter(with_ids(only, largest_id))
        self._schedule = PromptSchedule(
            [next(numbered) if isinstance(item, TimedPrompt) else item for item in prompts]
        )
        self._removed: set[int] = set()
        self._merged: list[int] = []

    def run(
        self,
        source: Iterable[Frame],
        tracker: Tracker,
        output: TrackOutput,
        *,
        masklets: Masklets | None = None,
        on_frame: Callable[[], None] = lambda: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> RunSummary:
        """Track every frame of the source.

        Args:
            tracker: fresh or reset.
            masklets: also finds what to follow, with that tracker.
            on_frame: called after each frame, for progress.
            stop: asked after each frame; true ends the run.

        Raises:
            PromptError: a prompt does not fit its frame; names its entry.
            SourceError: a frame cannot be read, or the output not be written.
        """
        seen: dict[int, None] = {}  # an ordered set
        frames, stopped, started = 0, False, time.perf_counter()
        cut = ""
        coming = iter(source)
        while not stopped:
            try:
                frame = next(coming)
            except StopIteration:
                break
            except CutSourceError as error:
                cut = str(error)
                break
            self._track(frames, frame, tracker, output, masklets)
            seen.update(dict.fromkeys(tracker.object_ids))
            frames += 1
            on_frame()
            stopped = stop()
        seconds = time.perf_counter() - started
        return RunSummary(frames, tuple(seen), seconds, stopped, tuple(self._merged), cut)

    def unprompted(self, frames: int) -> str:
        """What to say of prompts whose frame never came; empty: all were given."""
        left = [item for item in self._schedule.left if isinstance(item, TimedPrompt)]
        if not left:
            return ""
        others = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        had = f"which had frames 0 to {frames - 1}" if frames else "which had none"
        return (
            f"{left[0].place}{others} is for {left[0].when}, which is not in "
            f"the source, {had}: the output has every frame, but is without it"
        )

    def _track(
        self,
        index: int,
        frame: Frame,
        tracker: Tracker,
        output: TrackOutput,
        masklets: Masklets | None,
    ) -> None:
        """One frame: step, then its prompts in order, then write what stands after them."""
        stepped = tracker.step(frame)
        said = self._schedule.take(index, frame)
        for item in said:
            if isinstance(item, TimedPrompt):
                self._prompt(item, tracker)
            else:
                self._remove(item.object_id, tracker)
        if masklets is not None:
            said += self._look(index, frame, masklets)
        output.write(index, frame, tracker.result or stepped, said)

    def _look(
        self, index: int, frame: Frame, masklets: Masklets
    ) -> list[TimedPrompt | TimedRemoval]:
        """What is found and merged on a frame, as if somebody had said it."""
        changes = masklets.look(index, frame)
        self._merged += [object_id for object_id, _ in changes.merged]
        removals = [
            TimedRemoval(FOUND, frame.stamp_ns, object_id) for object_id, _ in changes.merged
        ]
        return [*removals, *(TimedPrompt(FOUND, index, None, each) for each in changes.started)]

    def _prompt(self, item: TimedPrompt, tracker: Tracker) -> None:
        if item.prompt.object_id in self._removed and not tracker.object_ids:
            tracker.reset()  # as somebody must have done: only then does an id begin anew
            self._removed.clear()
        try:
            tracker.add_prompt(item.prompt)
        except PromptError as error:
            raise type(error)(f"{item.place} ({item.when}): {error}") from None

    def _remove(self, object_id: int, tracker: Tracker) -> None:
        if object_id in tracker.object_ids:
            tracker.remove(object_id)
        self._removed.add(object_id)


def with_ids(
    prompts: Sequence[TimedPrompt], largest_id: int = LARGEST_ID, remedy: str = ""
) -> list[TimedPrompt]:
    """Give each new object the lowest id that no prompt has.

    Args:
        largest_id: that mask pictures hold.
        remedy: what else there is to do about larger ones.

    Raises:
        PromptError: an id is one that mask pictures cannot hold.
    """
    named = {item.prompt.object_id for item in prompts}
    unused = (object_id for object_id in range(1, largest_id + 1) if object_id not in named)
    numbered = []
    for item in prompts:
        object_id = item.prompt.object_id
        if object_id == NEW_OBJECT:
            object_id = next(unused, largest_id + 1)
        if object_id > largest_id:
            raise PromptError(
                f"{item.place}, field object_id: {object_id}, but mask files hold ids up to "
                f"{largest_id}: use lower ids, or fewer{remedy}"
            )
        numbered.append(replace(item, prompt=replace(item.prompt, object_id=object_id)))
    return numbered

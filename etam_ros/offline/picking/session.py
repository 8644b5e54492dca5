"""Picking what to follow, frame by frame: clicks come in, and prompts and masks come out.

No window is known here. Nothing that a person does ends a session: what went wrong is said in
`message`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from etam_ros.clicks import object_of_click
from etam_ros.errors import EtamError, ObjectError, PromptError, SourceError
from etam_ros.media.frame_source import FrameSource
from etam_ros.media.label_png import LARGEST_ID
from etam_ros.offline.prompts_file import TimedPrompt
from etam_ros.offline.track_run import with_ids
from etam_ros.records import BACKGROUND, FOREGROUND, NEW_OBJECT, Frame, FrameResult, Prompt
from etam_ros.tracking import Tracker

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Prompts = tuple[TimedPrompt, ...]


class PickSession:
    """The frame that is looked at, and the prompts up to now, on the frames that were looked at.

    Every prompt is answered at once by the tracker that will follow it. A frame is encoded when it
    must be: as long as nothing is prompted, frames only are decoded.

    Args:
        source: from whose first frame on it goes. Of a live one, the newest picture is looked at
            until something is prompted; it stays then, and is frame 0.
        tracker: fresh; afterwards nobody else's.
        given: prompts that there are already.
        largest_id: that mask pictures hold.

    Attributes:
        frame: that is looked at.
        index: of that frame in its source, from 0.
        prompts: all of them; new objects have ids.
        message: what there is to say about the last action, empty if nothing.
        failed: the message says what went wrong.

    Raises:
        SourceError: the first frame cannot be read.
        PromptError: given prompts ask for ids that mask pictures cannot hold.
    """

    def __init__(
        self,
        source: FrameSource,
        tracker: Tracker,
        given: Sequence[TimedPrompt] = (),
        largest_id: int = LARGEST_ID,
    ) -> None:
        self.prompts: Prompts = tuple(with_ids(given, largest_id))
        self._largest_id = largest_id
        self.index = 0
        self.message = ""
        self.failed = False
        self._source, self._tracker = source, tracker
        self._frames: Iterator[Frame] = iter(source)
        self._earlier: list[Prompts] = []
        self._stepped = False
        first = next(self._frames, None)
        if first is None:
            raise SourceError(f"{source.name} has no frames, expected at least one")
        self.frame = first
        with self._saying():
            self._arrive()

    @property
    def result(self) -> FrameResult | None:
        """Every object on the frame that is looked at; None where nothing is followed yet."""
        return self._tracker.result if self._stepped else None

    @property
    def here(self) -> list[Prompt]:
        """The prompts of the frame that is looked at."""
        return [item.prompt for item in self._due()]

    @property
    def waiting(self) -> bool:
        """The source is live, and its newest picture is shown until something is prompted."""
        return self._source.live and not self.prompts

    @property
    def where(self) -> str:
        """The frame and how many objects there are, in words."""
        if self.waiting:
            return f"{self._source.name}, live"
        count = self._source.frame_count
        last = "" if count is None or self._source.live else f"/{count - 1}"
        objects = len(self.result.objects) if self.result else 0
        return f"frame {self.index}{last}, {objects} object{'' if objects == 1 else 's'}"

    def click(self, point: Point, label: int = FOREGROUND, *, same: bool = False) -> None:
        """Refine the object that is clicked on, or start one.

        Args:
            point: (x, y) in source pixels.
            label: FOREGROUND; with BACKGROUND, what is there is taken off the object that is under
                the click, or the nearest.
            same: it is for the object of the last prompt, wherever the click is.
        """
        with self._saying():
            object_id = self._meant(point, label, same)
            self._prompt(object_id, points=[point], point_labels=[label])

    def box(self, box: Box, *, same: bool = False) -> None:
        """Start an object by a box around it.

        Args:
            box: (x_min, y_min, x_max, y_max) in source pixels.
            same: it is for the object of the last prompt.
        """
        with self._saying():
            self._prompt(self._last() if same else NEW_OBJECT, box=box)

    def remove(self, point: Point, on_frame: Callable[[], None] = lambda: None) -> None:
        """Take back every prompt of the object at a point (x, y), in source pixels.

        Args:
            on_frame: called after each frame that is gone through again.
        """
        with self._saying():
            object_id = self._object_at(point)
            if not object_id:
                raise ObjectError(
                    "no object is there to remove: put the mouse on one, and press x"
                )
            self._earlier.append(self.prompts)
            self._go_again(
                tuple(item for item in self.prompts if item.prompt.object_id != object_id),
                self.index,
                on_frame,
            )
            self.message = self.message or f"object {object_id} removed"

    def undo(self, on_frame: Callable[[], None] = lambda: None) -> None:
        """Take back the last prompt or removal.

        Args:
            on_frame: called after each frame that is gone through again.
        """
        with self._saying():
            if not self._earlier:
                raise PromptError("there is nothing to undo")
            undone = self.prompts
            self._go_again(self._earlier.pop(), self.index, on_frame)
            gone = undone[-1] if len(undone) > len(self.prompts) else None
            self.message = self.message or (
                f"undone: {gone.place}, {gone.when}" if gone else "the object is back"
            )

    def forward(self) -> None:
        """Look at the next frame, onto which every object is followed."""
        with self._saying():
            if self._source.live:
                raise SourceError(
                    "later frames will be tracked, but cannot be shown here: press Enter"
                )
            frame = next(self._frames, None)
            if frame is None:
                raise SourceError("this is the last frame")
            self._look_at(self.index + 1, frame)

    def back(self, on_frame: Callable[[], None] = lambda: None) -> None:
        """Look at the frame before.

        Args:
            on_frame: called after each frame that is gone through again.
        """
        with self._saying():
            if self.index == 0:
                raise SourceError("this is the first frame")
            self._go_again(self.prompts, self.index - 1, on_frame)

    def refresh(self) -> None:
        """Look at the newest picture of a live source on which nothing is prompted yet."""
        if not self.waiting:
            return
        with self._saying(keep=True):
            frame = next(self._frames, None)
            if frame is not None:
                self._look_at(0, frame)

    def ready(self) -> bool:
        """Whether there is anything to follow; else the message asks for it."""
        with self._saying():
            if not self.prompts:
                raise PromptError("there is nothing to track yet: click on an object first")
        return bool(self.prompts)

    def frames_to_track(self) -> Iterable[Frame]:
        """The frames on which the prompts lie and all that come after them."""
        return itertools.chain([self.frame], self._source) if self._source.live else self._source

    @contextmanager
    def _saying(self, *, keep: bool = False) -> Iterator[None]:
        """Put what goes wrong into the message instead of ending the session."""
        if not keep:
            self.message, self.failed = "", False
        try:
            yield
        except EtamError as error:
            self.message, self.failed = str(error), True

    def _look_at(self, index: int, frame: Frame) -> None:
        self.index, self.frame, self._stepped = index, frame, False
        self._arrive()

    def _arrive(self) -> None:
        """Follow what there is onto this frame, and give it the prompts that it has already."""
        if self._tracker.object_ids:
            self._step()
        for item in self._due():
            self._give(item)

    def _give(self, item: TimedPrompt) -> None:
        """Give the tracker a prompt that there is already, or leave it out: a run would end."""
        try:
            self._step()
            self._tracker.add_prompt(item.prompt)
        except PromptError as error:
            self.prompts = tuple(each for each in self.prompts if each is not item)
            self.message, self.failed = f"left out {item.place}: {error}", True

    def _go_again(self, prompts: Prompts, index: int, on_frame: Callable[[], None]) -> None:
        """Look at a frame with other prompts, on the way to which everything is done again."""
        self.prompts = prompts
        self._tracker.reset()
        if self._source.live or (index == self.index and not self._any_before(index)):
            self._arrive()
            return
        self._frames = iter(self._source)
        for number, frame in enumerate(itertools.islice(self._frames, index + 1)):
            self._look_at(number, frame)
            on_frame()

    def _any_before(self, index: int) -> bool:
        """Whether a prompt may be for a frame before that one."""
        return any(item.frame is None or item.frame < index for item in self.prompts)

    def _step(self) -> None:
        if not self._stepped:
            self._tracker.step(self.frame)
            self._stepped = True

    def _due(self) -> list[TimedPrompt]:
        return [item for item in self.prompts if item.belongs_to(self.index, self.frame)]

    def _object_at(self, point: Point) -> int:
        """Id of the object at a point, NEW_OBJECT where there is none."""
        if self.result is None:
            return NEW_OBJECT
        return object_of_click(point, FOREGROUND, self.result, meaning="auto", selected=None)

    def _meant(self, point: Point, label: int, same: bool) -> int:
        if same:
            return self._last()
        if self.result is None or all(state.occluded for state in self.result.objects):
            if label == BACKGROUND:
                raise ObjectError(
                    "no object is visible that this could correct: click on one first"
                )
            return NEW_OBJECT
        return object_of_click(point, label, self.result, meaning="auto", selected=None)

    def _last(self) -> int:
        """Id of the object that was prompted last, among those that there are by this frame."""
        ids = self._tracker.object_ids
        asked = [each.prompt.object_id for each in self.prompts if each.prompt.object_id in ids]
        if not asked:
            raise ObjectError(
                "there is no object yet to which this could be added: click on one first"
            )
        return asked[-1]

    def _prompt(
        self,
        object_id: int,
        *,
        points: Sequence[Point] = (),
        point_labels: Sequence[int] = (),
        box: Box | None = None,
    ) -> None:
        """Give the tracker a prompt, and remember it."""
        prompt = Prompt(
            object_id or self._unused_id(),
            points=points,
            point_labels=point_labels,
            box=box,
            keep_previous=any(each.object_id == object_id for each in self.here),
        )
        self._step()
        self._tracker.add_prompt(prompt)
        what = "box" if box else "click" if FOREGROUND in point_labels else "background click"
        self._earlier.append(self.prompts)
        place = f"{what} for object {prompt.object_id}"
        self.prompts = (*self.prompts, TimedPrompt(place, self.index, None, prompt))

    def _unused_id(self) -> int:
        """The lowest id that no prompt has."""
        named = {item.prompt.object_id for item in self.prompts}
        unused = next((each for each in range(1, self._largest_id + 1) if each not in named), 0)
        if not unused:
            raise ObjectError(
                f"there are {self._largest_id} objects already, the most that mask files can hold"
            )
        return unused

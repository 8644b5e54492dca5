"""The common interface of all sources of frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterator
from typing import Final

from etam_ros.media.files import Closing
from etam_ros.records import Frame

DEFAULT_FPS: Final = 30.0
STRETCH: Final = "scale them to the whole range first"
"""Advice for pictures that are nearly black after conversion."""


class FrameSource(Closing):
    """A sequence of frames that can be iterated over repeatedly.

    Each iteration starts at the first frame (a camera continues), and ends the previous one.

    Attributes:
        name: name of the source, for messages and file names.
        fps: frames per second; for a folder, or a camera that does not tell, the requested value.
        frame_count: number of frames, or None if unknown.
        live: frames arrive in real time, and are lost if they are not read.
        recorded: stamps are the times at which the frames were taken.
        notes: messages about anything unusual; more may be added while it is read.
    """

    def __init__(
        self, name: str, fps: float, frame_count: int | None, *, live: bool = False
    ) -> None:
        self.name = name
        self.fps = fps
        self.frame_count = frame_count
        self.live = live
        self.recorded = False
        self.notes: list[str] = []
        self._running: Generator[Frame, None, None] | None = None
        self._first: Frame | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames from the first one.

        Raises:
            SourceError: a frame cannot be read; the message says which.
            CutSourceError: the source ends too early.
        """
        self._end_iteration()
        self._running = self._read()
        return self._running

    def peek(self, index: int) -> Frame | None:
        """A frame with the size of the `index`-th; None if the size cannot be known in advance.

        Ends a running iteration.

        Raises:
            SourceError: it cannot be read.
        """
        if self.live:
            return None
        if self._first is None:
            self._first = next(iter(self), None)
            self._end_iteration()
        return self._first

    def close(self) -> None:
        self._end_iteration()

    def _remark(self, words: str) -> None:
        """Add a note about unusual pictures, once."""
        note = f"{words}: {STRETCH}"
        if note not in self.notes:
            self.notes.append(note)

    def _end_iteration(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    @abstractmethod
    def _read(self) -> Generator[Frame, None, None]:
        """Frames, starting with the first."""

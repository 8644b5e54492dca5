"""What every source of frames is, whatever it reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterator
from typing import Final

from etam_ros.media.files import Closing
from etam_ros.records import Frame

DEFAULT_FPS: Final = 30.0
STRETCH: Final = "scale them to the whole range first"
"""What to do about pictures that come out nearly black."""


class FrameSource(Closing):
    """A sequence of frames that can be gone through again and again.

    Each iteration starts at the first frame (a camera goes on where it is) and ends the one
    before it.

    Attributes:
        name: what the source is called, for messages and file names.
        fps: frames per second; of a folder or a camera that does not tell, what was asked for.
        frame_count: frames in all, or None where the source does not know.
        live: frames come when they come, and wait for nobody.
        recorded: stamps are the times at which the frames were taken.
        notes: what is odd about it, in words; may grow while it is read.
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
        """Start over.

        Raises:
            SourceError: a frame cannot be read; the message says which.
            CutSourceError: there are no more, though there should be.
        """
        self._end_iteration()
        self._running = self._read()
        return self._running

    def peek(self, index: int) -> Frame | None:
        """A frame of the size that the `index`-th has; None where nobody can know beforehand.

        Ends an iteration.

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
        """Note what is odd about pictures, once."""
        note = f"{words}: {STRETCH}"
        if note not in self.notes:
            self.notes.append(note)

    def _end_iteration(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    @abstractmethod
    def _read(self) -> Generator[Frame, None, None]:
        """Frames from the first on."""

"""What is kept of a long run to be looked at: a bounded number of frames, whatever its length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from etam_ros.drawing.contact_sheet import evenly_spaced

Kept = TypeVar("Kept")


class Thinned(Generic[Kept]):
    """Frames evenly spread over a run whose length nobody knows before its end.

    Args:
        most: of them that come out.
    """

    def __init__(self, most: int) -> None:
        self._most, self._stride = most, 1
        self._kept: dict[int, Kept] = {}

    def offer(self, index: int, make: Callable[[], Kept]) -> None:
        """Take a frame, if it is wanted so far; indices ascend."""
        if index % self._stride == 0:
            self._kept[index] = make()
        if len(self._kept) > 2 * self._most:  # keep every other one from now on
            self._stride *= 2
            self._kept = {key: kept for key, kept in self._kept.items() if not key % self._stride}

    @property
    def frames(self) -> list[tuple[int, Kept]]:
        """Indices and what was made of them, in order."""
        return evenly_spaced(sorted(self._kept.items(), key=lambda each: each[0]), self._most)


class Worst(Generic[Kept]):
    """The worst frames of a run; of those close to each other the worst is enough.

    Args:
        most: of them.
        apart: frames between two of them, at least.

    Attributes:
        frames: score, index and what was made of each, in the order in which they came.
    """

    def __init__(self, most: int, apart: int) -> None:
        self._most, self._apart = most, apart
        self.frames: list[tuple[float, int, Kept]] = []

    def offer(self, index: int, score: float, make: Callable[[], Kept]) -> None:
        """Take a frame, if it is among the worst so far; indices ascend, a score of 1 is right."""
        close = [each for each in self.frames if index - each[1] < self._apart]
        rivals = close or (self.frames if len(self.frames) == self._most else [])
        gone = max(rivals, key=lambda each: each[0], default=None)
        if score >= (1.0 if gone is None else gone[0]):
            return
        self.frames = [each for each in self.frames if each is not gone]
        self.frames.append((score, index, make()))

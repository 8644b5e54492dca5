"""Selecting a limited number of frames to show, from a run of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from etam_ros.drawing.contact_sheet import evenly_spaced

Kept = TypeVar("Kept")


class Thinned(Generic[Kept]):
    """Evenly spaced frames of a run whose length is not known in advance.

    Args:
        most: maximum number of frames.
    """

    def __init__(self, most: int) -> None:
        self._most, self._stride = most, 1
        self._kept: dict[int, Kept] = {}

    def offer(self, index: int, make: Callable[[], Kept]) -> None:
        """Offer a frame, which is kept if needed; indices must increase."""
        if index % self._stride == 0:
            self._kept[index] = make()
        if len(self._kept) > 2 * self._most:  # from now on, keep every other one
            self._stride *= 2
            self._kept = {key: kept for key, kept in self._kept.items() if not key % self._stride}

    @property
    def frames(self) -> list[tuple[int, Kept]]:
        """Indices of the kept frames with their values, in order."""
        return evenly_spaced(sorted(self._kept.items(), key=lambda each: each[0]), self._most)


class Worst(Generic[Kept]):
    """The worst frames of a run; of frames close to each other, only the worst.

    Args:
        most: maximum number of frames.
        apart: minimum distance between two of them, in frames.

    Attributes:
        frames: score, index and value of each, in the order in which they were offered.
    """

    def __init__(self, most: int, apart: int) -> None:
        self._most, self._apart = most, apart
        self.frames: list[tuple[float, int, Kept]] = []

    def offer(self, index: int, score: float, make: Callable[[], Kept]) -> None:
        """Offer a frame, kept if it is among the worst; indices increase, a score of 1 is best."""
        close = [each for each in self.frames if index - each[1] < self._apart]
        rivals = close or (self.frames if len(self.frames) == self._most else [])
        gone = max(rivals, key=lambda each: each[0], default=None)
        if score >= (1.0 if gone is None else gone[0]):
            return
        self.frames = [each for each in self.frames if each is not gone]
        self.frames.append((score, index, make()))

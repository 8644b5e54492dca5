"""What training clips are made of: photographs with the things in them, and footage.

Letters: H, W of a picture in pixels; T frames of a piece of footage; N things in a photograph.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

LONGEST_PX = 288
"""Longest side of photographs and footage in memory: training pictures are small."""


@dataclass(frozen=True, eq=False)
class Partition:
    """The things in one photograph, as sets of labels: parts and wholes share pixels.

    Attributes:
        labels: (H, W) uint8; 0 belongs to nothing unless a thing says so.
        members: (N, 256) bool: which labels each of N things consists of.
        shares: (N,) float, the part of the picture that each thing covers.
    """

    labels: Picture = field(repr=False)
    members: NDArray[np.bool_] = field(repr=False)
    shares: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        areas = np.bincount(self.labels.ravel(), minlength=256) / self.labels.size
        object.__setattr__(self, "shares", self.members @ areas)

    def __len__(self) -> int:
        return len(self.members)

    def mask(self, index: int) -> Picture:
        """(H, W) uint8, 255 where thing `index` is."""
        return self.paint(index, self.labels)

    def paint(self, index: int, labels: Picture) -> Picture:
        """255 where `labels`, this partition's own in any other frame, show thing `index`."""
        table = self.members[index].astype(np.uint8) * np.uint8(255)
        return np.asarray(cv2.LUT(labels, table), np.uint8)

    def parts(self, index: int) -> NDArray[np.int64]:
        """The things that lie inside thing `index`."""
        inside = ~(self.members & ~self.members[index]).any(axis=1)
        inside &= (self.members != self.members[index]).any(axis=1) & (self.shares > 0)
        return np.nonzero(inside)[0]


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph and what is known about it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        truth: things that somebody outlined, or None.
        regions: what may be things, by its colours.
    """

    image: Picture = field(repr=False)
    truth: Partition | None
    regions: Partition


@dataclass(frozen=True, eq=False)
class Track:
    """A thing in footage, outlined on consecutive frames.

    Attributes:
        piece: index of the piece of footage.
        first: index of the first frame.
        masks: (L, H, W) uint8, 255 where the thing is.
    """

    piece: int
    first: int
    masks: Picture = field(repr=False)


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that clips are made of.

    Attributes:
        photographs: in a fixed order, on which clips depend.
        footage: pieces of (T, H, W, 3) uint8 RGB, about ten frames a second.
        tracks: things that move in the footage, see `moving_things`.
    """

    photographs: tuple[Photograph, ...]
    footage: tuple[Picture, ...]
    tracks: tuple[Track, ...] = ()

"""Where a picture is clicked on to find everything, whatever model answers.

Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

OVERLAP: Final = 0.25
"""By which share of its side a part reaches into those beside it, on each side."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """A part of a picture that is looked at by itself, or all of it.

    Attributes:
        box: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.
        points_per_side: side of its grid of clicks.
    """

    box: tuple[int, int, int, int]
    points_per_side: int

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What of a picture (H, W, 3) it shows."""
        x0, y0, x1, y1 = self.box
        return np.ascontiguousarray(image[y0:y1, x0:x1])

    def in_picture(self, mask: NDArray[np.bool_], hw: tuple[int, int]) -> NDArray[np.bool_]:
        """A mask of the part as one of the picture, (H, W) bool."""
        if mask.shape == hw:
            return mask
        x0, y0, x1, y1 = self.box
        whole = np.zeros(hw, np.bool_)
        whole[y0:y1, x0:x1] = mask
        return whole

    def cuts(self, mask: NDArray[np.bool_], hw: tuple[int, int]) -> bool:
        """Whether a mask of the part ends where the part does, and the picture goes on."""
        x0, y0, x1, y1 = self.box
        return bool(
            (x0 > 0 and mask[:, 0].any())
            or (y0 > 0 and mask[0].any())
            or (x1 < hw[1] and mask[:, -1].any())
            or (y1 < hw[0] and mask[-1].any())
        )


def grid_points(hw: tuple[int, int], side: int) -> list[Point]:
    """The middles of side x side equal cells of a picture (H, W), (x, y) in pixels, by rows."""
    height, width = hw
    places = (np.arange(side) + 0.5) / side
    xs, ys = (places * width - 0.5).tolist(), (places * height - 0.5).tolist()
    return [(x, y) for y in ys for x in xs]


def parts_of(hw: tuple[int, int], points_per_side: int, crop_layers: int) -> list[Part]:
    """The parts of a picture that are looked at, the finest first, all of it last.

    Each layer has as many clicks as the whole picture, spread over its parts.

    Args:
        hw: (H, W) of the picture.
        points_per_side: of the whole picture.
        crop_layers: layer i has 2^i x 2^i parts.
    """
    height, width = hw
    parts: list[Part] = []
    for layer in range(crop_layers, 0, -1):
        pieces = 2**layer
        side = math.ceil(points_per_side / pieces)
        for y0, y1 in _spans(height, pieces):
            parts += [Part((x0, y0, x1, y1), side) for x0, x1 in _spans(width, pieces)]
    return [*parts, Part((0, 0, width, height), points_per_side)]


def _spans(length: int, pieces: int) -> list[tuple[int, int]]:
    """So many spans of a length, each with a margin that others have too."""
    margin = OVERLAP * length / pieces
    edges = np.linspace(0, length, pieces + 1)
    spans = [
        (max(0, round(start - margin)), min(length, round(end + margin)))
        for start, end in pairwise(edges)
    ]
    return [span for span in spans if span[0] < span[1]]

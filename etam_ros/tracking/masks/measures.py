"""Area, box, centroid and crop of a mask at source size.

Letters: H, W source height and width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

NOWHERE: Final = (math.nan, math.nan)
NO_BOX: Final = (0, 0, 0, 0)
_BYTE: Final = 255
"""The most ones that a byte can count; sums of bytes are the fastest."""


@dataclass(frozen=True, eq=False)
class MeasuredMask:
    """One mask at source size.

    Attributes:
        area: pixels.
        box: tight (x0, y0, x1, y1), x1 and y1 exclusive; all zero for an empty mask.
        centroid: mean (x, y); NaN for an empty mask.
        mask: (y1 - y0, x1 - x0) bool.
    """

    area: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    mask: NDArray[np.bool_]


EMPTY_MASK: Final = MeasuredMask(0, NO_BOX, NOWHERE, np.zeros((0, 0), dtype=bool))


def measure(mask: NDArray[np.bool_], offset: tuple[int, int] = (0, 0)) -> MeasuredMask:
    """Area, tight box, centroid and crop of a mask.

    Args:
        mask: (H, W) bool.
        offset: (x, y) of its top-left pixel in the frame.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if width == 0:
        return EMPTY_MASK
    crop = mask[top : top + height, left : left + width].copy()
    pixels = crop.view(np.uint8)
    columns = np.zeros(width, dtype=np.int64)
    for start in range(0, height, _BYTE):
        columns += pixels[start : start + _BYTE].sum(axis=0, dtype=np.uint8)
    starts = np.arange(0, width, _BYTE)
    rows = np.add.reduceat(pixels, starts, axis=1, dtype=np.uint8).sum(axis=1, dtype=np.int64)
    x0, y0 = offset[0] + left, offset[1] + top
    area = int(rows.sum())
    centroid = (
        x0 + float(np.arange(width) @ columns) / area,
        y0 + float(np.arange(height) @ rows) / area,
    )
    return MeasuredMask(area, (x0, y0, x0 + width, y0 + height), centroid, crop)

"""Masks that were found in a picture: how stable, cleaned, and each thing once.

Letters: M masks, g side of the decoder's masks, H, W height and width of the picture in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.tracking.masks.measures import MeasuredMask, measure

STABILITY_OFFSET: Final = 1.0
"""Logits by which the threshold is moved to either side."""
COMPARED: Final = 200
"""Times that two masks are compared in one go: some milliseconds."""
_ONES: Final = np.array([byte.bit_count() for byte in range(256)], np.uint8)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FoundMask:
    """One mask, packed into bits, because a picture has hundreds before duplicates are removed.

    Attributes:
        iou_score: the model's own estimate of the mask's IoU.
        stability: 0..1, see `stability_of`.
        area: number of pixels.
        rows: (first, end) of the rows that it covers.
        columns: the same, in bytes of eight pixels each.
        hw: (H, W).
        bits: (rows, columns) uint8, a bit for each pixel.
    """

    iou_score: float
    stability: float
    area: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    hw: tuple[int, int]
    bits: NDArray[np.uint8] = field(repr=False)

    @property
    def sureness(self) -> float:
        """By which one of two masks is preferred: the estimate, by how stable it is."""
        return self.iou_score * self.stability

    @classmethod
    def of(cls, mask: Mask, iou_score: float, stability: float) -> FoundMask:
        """Pack a mask (H, W) bool that is not empty."""
        x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
        first, end = x // 8, -(-(x + width) // 8)
        bits = np.packbits(mask[y : y + height, first * 8 : end * 8], axis=1)
        area = int(_ONES[bits].sum(dtype=np.int64))
        hw = mask.shape[0], mask.shape[1]
        return cls(iou_score, stability, area, (y, y + height), (first, end), hw, bits)

    @property
    def mask(self) -> Mask:
        """(H, W) bool."""
        whole = np.zeros(self.hw, np.bool_)
        (top, bottom), (first, end) = self.rows, self.columns
        width = min(8 * end, self.hw[1]) - 8 * first
        pixels = np.unpackbits(self.bits, axis=1, count=width)
        whole[top:bottom, 8 * first : 8 * first + width] = pixels.view(np.bool_)
        return whole

    def iou(self, other: FoundMask) -> float:
        """Intersection over union with another mask of the picture, 0..1."""
        top, bottom = _common(self.rows, other.rows)
        first, end = _common(self.columns, other.columns)
        if top >= bottom or first >= end:
            return 0.0
        mine, others = (
            each.bits[
                top - each.rows[0] : bottom - each.rows[0],
                first - each.columns[0] : end - each.columns[0],
            ]
            for each in (self, other)
        )
        both = int(_ONES[mine & others].sum(dtype=np.int64))
        return both / (self.area + other.area - both)

    def measured(self) -> MeasuredMask:
        """Area, tight box, centroid and crop."""
        return measure(self.mask)


def _common(span: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(span[0], other[0]), min(span[1], other[1])


def stability_of(mask_logits: Tensor, offset: float = STABILITY_OFFSET) -> Tensor:
    """How little masks change with their threshold: (M, g, g) -> (M,) in 0..1.

    That is the area above the threshold raised by an offset over that above it lowered as much, as
    in SAM (Kirillov et al., Segment Anything, 2023, appendix B); 0 for an empty mask.
    """
    inner = (mask_logits > offset).flatten(1).sum(dim=1)
    outer = (mask_logits > -offset).flatten(1).sum(dim=1)
    return inner / outer.clamp(min=1)


def cleaned(mask: Mask, min_area_px: int) -> Mask:
    """A mask without small holes and without small loose pieces, which corners join.

    Args:
        mask: (H, W) bool.
        min_area_px: holes of fewer pixels are filled, then pieces of fewer dropped.

    Returns:
        (H, W) bool; empty where all of it was small.
    """
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if width == 0 or min_area_px <= 1:
        return mask
    inside = np.s_[y : y + height, x : x + width]
    crop = np.pad(mask[inside], 1)  # so that all that is no hole is one piece with the corner
    holes, outside = _pieces(~crop, min_area_px)
    crop |= holes & ~outside
    crop &= ~_pieces(crop, min_area_px)[0]
    result = np.zeros_like(mask)
    result[inside] = crop[1:-1, 1:-1]
    return result


def _pieces(mask: Mask, min_area_px: int) -> tuple[Mask, Mask]:
    """The connected pieces of a mask that have fewer pixels, and that of its top-left pixel."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    small = np.asarray(stats)[:, cv2.CC_STAT_AREA] < min_area_px
    small[0] = False  # label 0 is what is not in the mask
    return np.asarray(small[labels]), np.equal(labels, labels[0, 0])


def each_once(found: Iterable[FoundMask], max_overlap: float) -> list[FoundMask]:
    """Leave out masks of what a surer one shows.

    Args:
        found: masks of one picture; of two that are as sure the first is preferred.
        max_overlap: largest IoU of two that are both kept.

    Returns:
        those that are kept, the surest first.
    """
    kept: list[FoundMask] = []
    for _ in keeping_each_once(found, max_overlap, kept):
        pass
    return kept


def keeping_each_once(
    found: Iterable[FoundMask], max_overlap: float, kept: list[FoundMask]
) -> Iterator[None]:
    """The same a little at a time, since it takes long where thousands show different things.

    Args:
        found, max_overlap: as for `each_once`.
        kept: empty; those that are kept are added to it.

    Yields:
        whenever a mask was compared with another COMPARED times.
    """
    compared = 0
    for each in sorted(found, key=lambda mask: -mask.sureness):
        is_double = False
        for other in kept:
            is_double = _doubles(each, other, max_overlap)
            compared += 1
            if compared % COMPARED == 0:
                yield
            if is_double:
                break
        if not is_double:
            kept.append(each)


def _doubles(mask: FoundMask, other: FoundMask, max_overlap: float) -> bool:
    smaller, larger = sorted((mask.area, other.area))
    # The IoU is at most the ratio of the areas, which is known already.
    return smaller > max_overlap * larger and mask.iou(other) > max_overlap

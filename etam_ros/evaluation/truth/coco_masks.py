"""Masks in COCO's JSON: run lengths, plain or compressed, and polygons.

Source of the layout: the mask API of https://github.com/cocodataset/cocoapi (BSD-2-Clause).
Run lengths are exact. A polygon covers the pixels whose centres are inside, by the even-odd rule;
COCO's own drawing differs from that by pixels on the outline only.
Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.annotations import LARGEST_COORDINATE

Mask = NDArray[np.bool_]
_MOST_BITS: Final = 60
"""Maximum number of bits of a run length; an endless one would take minutes."""


def decode_segmentation(segmentation: Any, hw: tuple[int, int]) -> Mask:
    """The mask of one annotation.

    Args:
        segmentation: {"counts", "size"}, or a list of polygons [x0, y0, x1, y1, ...].
        hw: height and width of its picture.

    Returns:
        (H, W) bool.

    Raises:
        SourceError: it is neither, or does not fit the picture.
    """
    if isinstance(segmentation, dict):
        return _decode_runs(segmentation, hw)
    if isinstance(segmentation, list):
        mask = np.zeros(hw, bool)
        for polygon in segmentation:
            mask |= fill_polygon(polygon, hw)
        return mask
    raise SourceError(
        f"segmentation is {str(segmentation)[:60]!r}, expected run lengths (counts and size) or "
        "a list of polygons"
    )


def _decode_runs(segmentation: dict[str, Any], hw: tuple[int, int]) -> Mask:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, (list, tuple)) or tuple(size) != tuple(hw):
        raise SourceError(
            f"run lengths are for a picture of size {size}, expected {list(hw)} (height, width)"
        )
    if isinstance(counts, str):
        counts = read_compressed(counts)
    try:
        runs = np.asarray(counts if counts is not None else [], np.int64)
    except (TypeError, ValueError, OverflowError):
        runs = np.zeros((1, 1), np.int64)
    pixels = hw[0] * hw[1]
    possible = runs.ndim == 1 and ((runs >= 0) & (runs <= pixels)).all()  # sums can overflow
    if not possible or runs.sum() != pixels:
        found = f"add up to {int(runs.sum())} pixels" if possible else "are no lengths"
        raise SourceError(f"run lengths {found}, expected {pixels}: the annotation is damaged")
    values = np.arange(len(runs)) % 2 == 1  # the first run is background
    mask: Mask = np.repeat(values, runs).reshape(hw, order="F")
    return np.ascontiguousarray(mask)


def read_compressed(text: str) -> list[int]:
    """Run lengths of COCO's compressed string.

    Each character has five bits, the lowest first; 32 means that more follow, and 16 in the last
    one is the sign. From the fourth on, each number is the difference from the one two before it.

    Raises:
        SourceError: it is cut off, or contains other characters.
    """
    counts: list[int] = []
    position = 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(text[position]) - 48 if position < len(text) else -1
            if not 0 <= bits < 64 or shift > _MOST_BITS:
                raise SourceError(
                    f"compressed run lengths are damaged at character {position} of {len(text)}"
                )
            value |= (bits & 31) << shift
            more, position, shift = bool(bits & 32), position + 1, shift + 5
            if not more and bits & 16:
                value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def fill_polygon(polygon: Sequence[float], hw: tuple[int, int]) -> Mask:
    """(H, W) bool of the pixels whose centres are inside a polygon x0, y0, x1, y1, ...

    In COCO's coordinates, the corner of the top-left pixel is (0, 0).

    Raises:
        SourceError: it has fewer than three points.
    """
    try:
        points = np.asarray(polygon, np.float64)
    except (TypeError, ValueError):
        points = np.zeros(0)
    in_reach = (np.abs(points) <= LARGEST_COORDINATE).all()  # false for NaN
    if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not in_reach:
        raise SourceError(
            f"polygon is {str(polygon)[:60]}, expected at least three points x, y as numbers "
            f"within {LARGEST_COORDINATE:g} pixels"
        )
    xs, ys = points[0::2], points[1::2]
    next_xs, next_ys = np.roll(xs, -1), np.roll(ys, -1)
    mask = np.zeros(hw, bool)
    top, bottom = max(0, int(ys.min()) - 1), min(hw[0], int(ys.max()) + 2)
    for row in range(top, bottom):
        y = row + 0.5
        crosses = (ys <= y) != (next_ys <= y)
        share = (y - ys[crosses]) / (next_ys - ys)[crosses]
        edges = np.sort(xs[crosses] + share * (next_xs - xs)[crosses])
        columns = np.clip(np.ceil(edges - 0.5), 0, hw[1]).astype(int)
        for left, right in zip(columns[0::2], columns[1::2], strict=True):
            mask[row, left:right] = True
    return mask

"""Region similarity J and boundary accuracy F as in DAVIS; boxes and centroids.

Source: Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation, CVPR 2016, section 4. Letters: H, W height and width in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

BOUNDARY_TOLERANCE: Final = 0.008
"""Tolerance of F, as a fraction of the image diagonal."""

Mask = NDArray[np.bool_]
Window = tuple[slice, slice]
"""Rows and columns of a part of a picture."""


def region_similarity(mask: Mask, truth: Mask) -> float:
    """J: intersection over union of (H, W) bool, 0..1; 1 if both are empty."""
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


def boundary_accuracy(mask: Mask, truth: Mask, tolerance: float = BOUNDARY_TOLERANCE) -> float:
    """F: harmonic mean of the shares of each boundary of (H, W) bool that are near the other.

    Only the part of the picture that contains both is processed; the rest has no boundary.

    Args:
        tolerance: maximum distance, as a fraction of the image diagonal; rounded up to pixels.

    Returns:
        0..1; 1 if neither has a boundary.
    """
    window = window_of(mask | truth)
    return accuracy_within(mask[window], truth[window], radius_px(truth.shape, tolerance))


def accuracy_within(mask: Mask, truth: Mask, radius: int) -> float:
    """F of two masks of the same size, with a tolerance in pixels."""
    found, expected = boundary(mask), boundary(truth)
    found_count, expected_count = np.count_nonzero(found), np.count_nonzero(expected)
    if found_count == 0 or expected_count == 0:
        return float(found_count == expected_count)
    near = _disk(radius)
    precision = np.count_nonzero(found & _dilated(expected, near)) / found_count
    recall = np.count_nonzero(expected & _dilated(found, near)) / expected_count
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def boundary(mask: Mask) -> Mask:
    """Pixels that differ from the neighbour to the right, below, or diagonally: (H, W) bool."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = padded[:-1, :-1]
    right, below, across = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    edges: Mask = (here != right) | (here != below) | (here != across)
    return edges


def radius_px(hw: Sequence[int], tolerance: float = BOUNDARY_TOLERANCE) -> int:
    """The tolerance in pixels, for a picture of the given height and width."""
    return math.ceil(tolerance * math.hypot(hw[0], hw[1]))


def window_of(mask: Mask) -> Window:
    """The smallest part of an (H, W) picture that contains a mask and its boundary.

    It is the mask's box with one more pixel on each side; one pixel for an empty mask.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(0, 1), slice(0, 1)
    return (
        slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2),
        slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2),
    )


def box_iou(box: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of (x0, y0, x1, y1), x1 and y1 exclusive; 0..1."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    both = max(0.0, width) * max(0.0, height)
    union = _area(box) + _area(other) - both
    return both / union if union > 0 else 1.0


def _area(box: Sequence[float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_of(mask: Mask) -> tuple[float, float, float, float] | None:
    """The box (x0, y0, x1, y1) of (H, W) bool; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def centroid_of(mask: Mask) -> tuple[float, float] | None:
    """Mean (x, y) of the pixels of (H, W) bool; None if it is empty."""
    moments = cv2.moments(np.ascontiguousarray(mask).view(np.uint8), binaryImage=True)
    area = moments["m00"]
    return (moments["m10"] / area, moments["m01"] / area) if area else None


def _disk(radius: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk: NDArray[np.uint8] = (x * x + y * y <= radius * radius).astype(np.uint8)
    return disk


def _dilated(edges: Mask, kernel: NDArray[np.uint8]) -> Mask:
    dilated: Mask = cv2.dilate(edges.view(np.uint8), kernel).view(np.bool_)
    return dilated

"""Region similarity J and boundary accuracy F of one mask, as DAVIS defines them.

Source: Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation, CVPR 2016, section 4. Letters: H, W height and width in pixels.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

BOUNDARY_TOLERANCE: Final = 0.008
"""Of the image diagonal."""

Mask = NDArray[np.bool_]


def region_similarity(mask: Mask, truth: Mask) -> float:
    """J: intersection over union of (H, W) bool, 0..1; 1 where both are empty."""
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


def boundary_accuracy(mask: Mask, truth: Mask, tolerance: float = BOUNDARY_TOLERANCE) -> float:
    """F: harmonic mean of how much of each boundary of (H, W) bool lies near the other.

    Args:
        tolerance: how near, as a fraction of the image diagonal; rounded up to pixels.

    Returns:
        0..1; 1 where neither has a boundary.
    """
    height, width = truth.shape
    radius_px = math.ceil(tolerance * math.hypot(height, width))
    found, expected = boundary(mask), boundary(truth)
    found_count, expected_count = np.count_nonzero(found), np.count_nonzero(expected)
    if found_count == 0 or expected_count == 0:
        return float(found_count == expected_count)
    near = _disk(radius_px)
    precision = np.count_nonzero(found & _dilated(expected, near)) / found_count
    recall = np.count_nonzero(expected & _dilated(found, near)) / expected_count
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def boundary(mask: Mask) -> Mask:
    """Pixels that differ from a neighbour to the right, below, or both: (H, W) bool."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = padded[:-1, :-1]
    right, below, across = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    edges: Mask = (here != right) | (here != below) | (here != across)
    return edges


def _disk(radius_px: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    disk: NDArray[np.uint8] = (x * x + y * y <= radius_px * radius_px).astype(np.uint8)
    return disk


def _dilated(edges: Mask, kernel: NDArray[np.uint8]) -> Mask:
    dilated: Mask = cv2.dilate(edges.view(np.uint8), kernel).view(np.bool_)
    return dilated

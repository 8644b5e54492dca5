"""J, F and their statistics against an independent, slow implementation of the definitions.

It follows the text of Perazzi et al., CVPR 2016, section 4, pixel by pixel, and shares no line
with the package.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etam_ros.evaluation.metrics import boundary_accuracy, region_similarity
from etam_ros.evaluation.metrics.regions import (
    accuracy_within,
    box_iou,
    box_of,
    centroid_of,
    radius_px,
    window_of,
)
from etam_ros.evaluation.metrics.series import spread

HW = (48, 64)


def slow_j(mask: np.ndarray, truth: np.ndarray) -> float:
    found = {tuple(point) for point in np.argwhere(mask)}
    expected = {tuple(point) for point in np.argwhere(truth)}
    return len(found & expected) / len(found | expected) if found | expected else 1.0


def slow_outline(mask: np.ndarray) -> set[tuple[int, int]]:
    height, width = mask.shape
    return {
        (y, x)
        for y in range(height)
        for x in range(width)
        if any(
            mask[min(y + dy, height - 1), min(x + dx, width - 1)] != mask[y, x]
            for dy, dx in ((0, 1), (1, 0), (1, 1))
        )
    }


def slow_f(mask: np.ndarray, truth: np.ndarray) -> float:
    radius = math.ceil(0.008 * math.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2))
    found, expected = slow_outline(mask), slow_outline(truth)
    if not found or not expected:
        return float(not found and not expected)

    def matched(points, others):
        near = sum(
            any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in points
        )
        return near / len(points)

    precision, recall = matched(found, expected), matched(expected, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@st.composite
def blobs(draw) -> np.ndarray:
    """A few discs and boxes, also across the border, or nothing."""
    mask = np.zeros(HW, bool)
    y, x = np.mgrid[: HW[0], : HW[1]]
    for _ in range(draw(st.integers(0, 3))):
        cy, cx = draw(st.integers(-4, HW[0] + 4)), draw(st.integers(-4, HW[1] + 4))
        radius = draw(st.integers(1, 14))
        disc = (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
        box = (abs(y - cy) <= radius) & (abs(x - cx) <= radius // 2)
        mask ^= disc if draw(st.booleans()) else box
    return mask


@settings(max_examples=60, deadline=None)
@given(mask=blobs(), truth=blobs())
def test_j_and_f_are_those_of_the_definitions(mask: np.ndarray, truth: np.ndarray) -> None:
    assert region_similarity(mask, truth) == pytest.approx(slow_j(mask, truth), abs=1e-3)
    assert boundary_accuracy(mask, truth) == pytest.approx(slow_f(mask, truth), abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(mask=blobs(), truth=blobs())
def test_the_part_that_holds_both_is_enough(mask: np.ndarray, truth: np.ndarray) -> None:
    window = window_of(mask | truth)
    whole = accuracy_within(mask, truth, radius_px(HW))
    assert accuracy_within(mask[window], truth[window], radius_px(HW)) == whole


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 50, 300])
def test_mean_recall_and_decay_are_those_of_davis(count: int) -> None:
    values = np.random.default_rng(count).random(count)
    # Four bins from 1 to n, rounded half up, that share their ends.
    ends = [math.floor(1 + (count - 1) * part / 4 + 0.5 + 1e-10) for part in range(5)]
    first, last = values[ends[0] - 1 : ends[1]], values[ends[3] - 1 : ends[4]]
    found = spread(values.tolist())
    assert found.mean == pytest.approx(values.sum() / count, abs=1e-3)
    assert found.recall == pytest.approx(sum(value > 0.5 for value in values) / count, abs=1e-3)
    assert found.decay == pytest.approx(first.mean() - last.mean(), abs=1e-3)


@given(mask=blobs())
def test_box_and_centroid_are_those_of_the_pixels(mask: np.ndarray) -> None:
    points = np.argwhere(mask)
    if not len(points):
        assert box_of(mask) is None
        assert centroid_of(mask) is None
        return
    (y0, x0), (y1, x1) = points.min(0), points.max(0) + 1
    assert box_of(mask) == (x0, y0, x1, y1)
    assert centroid_of(mask) == pytest.approx(points.mean(0)[::-1], abs=1e-9)


@pytest.mark.parametrize(
    ("other", "expected"),
    [((0, 0, 10, 10), 1), ((5, 0, 15, 10), 50 / 150), ((10, 0, 20, 10), 0), ((30, 30, 31, 31), 0)],
)
def test_overlap_of_boxes(other: tuple[float, ...], expected: float) -> None:
    assert box_iou((0, 0, 10, 10), other) == pytest.approx(expected)

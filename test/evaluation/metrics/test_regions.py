"""J and F against values computed by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from etam_ros.evaluation.metrics import boundary, boundary_accuracy, region_similarity

masks = arrays(bool, (12, 17))


def square(x: int, y: int, side: int = 20) -> np.ndarray:
    mask = np.zeros((100, 100), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_overlap_of_shifted_squares() -> None:
    assert region_similarity(square(10, 10), square(20, 10)) == pytest.approx(200 / 600)
    assert region_similarity(square(10, 10), square(50, 50)) == 0.0


@given(mask=masks, truth=masks)
def test_overlap_is_the_ratio_of_counts(mask: np.ndarray, truth: np.ndarray) -> None:
    together = sum(1 for a, b in zip(mask.flat, truth.flat, strict=True) if a and b)
    either = sum(1 for a, b in zip(mask.flat, truth.flat, strict=True) if a or b)
    assert region_similarity(mask, truth) == pytest.approx(together / either if either else 1.0)


@given(mask=masks)
def test_a_boundary_lies_where_the_next_pixels_differ(mask: np.ndarray) -> None:
    edges = boundary(mask)
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            below, right = min(y + 1, height - 1), min(x + 1, width - 1)
            others = {mask[below, x], mask[y, right], mask[below, right]}
            assert edges[y, x] == (others != {mask[y, x]})


@given(mask=masks, truth=masks, tolerance=st.sampled_from([0.05, 0.1]))
def test_outlines_match_within_the_tolerance(
    mask: np.ndarray, truth: np.ndarray, tolerance: float
) -> None:
    radius = math.ceil(tolerance * math.hypot(*mask.shape))
    found, expected = np.argwhere(boundary(mask)), np.argwhere(boundary(truth))

    def near(points: np.ndarray, others: np.ndarray) -> float:
        distances = ((points[:, None] - others[None]) ** 2).sum(-1).min(1)
        return float((distances <= radius**2).mean())

    if not len(found) or not len(expected):
        assert boundary_accuracy(mask, truth, tolerance) == float(len(found) == len(expected))
        return
    precision, recall = near(found, expected), near(expected, found)
    total = precision + recall
    harmonic = 2 * precision * recall / total if total else 0.0
    assert boundary_accuracy(mask, truth, tolerance) == pytest.approx(harmonic)


def test_a_shift_within_the_tolerance_costs_nothing() -> None:
    assert boundary_accuracy(square(10, 10), square(12, 10)) == 1.0  # 0.008 * 141 px -> 2 px
    assert boundary_accuracy(square(10, 10), square(13, 10)) < 1.0
    assert boundary_accuracy(square(10, 10), square(60, 60)) == 0.0


def test_nothing_is_right_where_nothing_is() -> None:
    empty = np.zeros((30, 30), bool)
    assert (region_similarity(empty, empty), boundary_accuracy(empty, empty)) == (1.0, 1.0)
    some = empty.copy()
    some[5:9, 5:9] = True
    assert (region_similarity(some, empty), boundary_accuracy(some, empty)) == (0.0, 0.0)

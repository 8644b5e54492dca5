"""Prompts that an ideal operator would give."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etam_ros.evaluation.truth_prompts import box_of, correcting_click

HW = (64, 96)


@given(
    x=st.integers(0, 80), y=st.integers(0, 50), width=st.integers(1, 15), height=st.integers(1, 13)
)
def test_the_first_click_lies_in_the_middle_of_the_object(
    x: int, y: int, width: int, height: int
) -> None:
    mask = np.zeros(HW, bool)
    mask[y : y + height, x : x + width] = True
    (u, v), label = correcting_click(np.zeros_like(mask), mask)
    assert label == 1
    assert mask[int(v), int(u)]
    assert min(abs(u - (x + (width - 1) / 2)), abs(v - (y + (height - 1) / 2))) <= 0.5
    assert box_of(mask) == (x, y, x + width, y + height)


def test_corrections_go_to_the_largest_error_with_its_label() -> None:
    expected = np.zeros(HW, bool)
    expected[10:30, 10:30] = True
    spilled = expected.copy()
    spilled[5:45, 50:90] = True
    (x, y), label = correcting_click(spilled, expected)
    assert label == 0
    assert spilled[int(y), int(x)]
    assert not expected[int(y), int(x)]
    (x, y), label = correcting_click(expected, expected)
    assert label == 1
    assert expected[int(y), int(x)]

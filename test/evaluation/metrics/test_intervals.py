"""Bootstrap intervals, against what statistics says of simple cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etam_ros.evaluation.metrics.intervals import mean_interval, paired_difference


def test_an_interval_is_about_two_standard_errors_to_each_side() -> None:
    values = np.random.default_rng(1).normal(0.6, 0.1, 100)
    found = mean_interval(values.tolist())
    error = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(100):
        found = mean_interval(rng.uniform(0, 1, 20).tolist())
        held += found.low <= 0.5 <= found.high
    assert 85 <= held <= 100


@given(st.permutations([0.1, 0.4, 0.5, 0.9]))
def test_the_order_of_sequences_changes_nothing(values: list[float]) -> None:
    assert mean_interval(values) == mean_interval([0.1, 0.4, 0.5, 0.9])


def test_one_sequence_has_no_interval() -> None:
    found = mean_interval([0.7])
    assert (found.mean, found.low, found.high) == (0.7, None, None)
    assert not found.excludes_zero


def test_pairs_show_a_small_gain_that_means_alone_would_hide() -> None:
    before = np.linspace(0.2, 0.9, 12)
    gained = paired_difference(before.tolist(), (before + 0.02).tolist())
    assert gained.mean == pytest.approx(0.02)
    assert gained.excludes_zero
    noise = paired_difference(before.tolist(), before[::-1].tolist())
    assert noise.mean == pytest.approx(0, abs=1e-12)
    assert not noise.excludes_zero

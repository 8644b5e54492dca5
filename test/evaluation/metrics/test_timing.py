"""Rate, latency and drops of recorded results."""

from __future__ import annotations

import pytest

from etam_ros.evaluation.metrics.timing import timing_of

MS = 1_000_000


def test_a_steady_run_with_one_gap() -> None:
    stamps = [100 * MS * each for each in (0, 1, 2, 5, 6, 7)]
    found = timing_of(stamps, [10, 20, 30, 40, float("nan"), 0], [0, 0, 0, 2, 2, 2])
    assert found.results == 6
    assert found.rate_hz == pytest.approx(5 / 0.7)
    assert found.longest_gap_s == pytest.approx(0.3)
    assert found.latency_p50_ms == 25
    assert found.dropped == 2


def test_a_node_that_started_over_counts_on() -> None:
    assert timing_of([1, 2, 3, 4], [1, 1, 1, 1], [3, 5, 0, 1]).dropped == 3


@pytest.mark.parametrize("stamps", [[], [7], [0, 0, 0]])
def test_no_rate_without_time(stamps: list[int]) -> None:
    found = timing_of(stamps, [], [0] * len(stamps))
    assert found.rate_hz is None
    assert found.latency_p50_ms is None

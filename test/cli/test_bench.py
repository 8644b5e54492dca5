"""`etam bench` as a user runs it; what it prints, not how fast."""

from __future__ import annotations

import re

import pytest

TINY = ("bench", "--model", "tiny_test", "--frames", "2")


def rows(text: str) -> dict[str, list[float]]:
    """Numbers of each row of a printed table, by its first cell."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    return {
        row[0]: [float(cell) for cell in row[1:]]
        for row in cells
        if len(row) > 1 and re.fullmatch(r"[\d.]+", row[1])
    }


def test_stages_and_the_rest_of_a_step_are_listed(etam) -> None:
    finished = etam(*TINY, "--node-frames", "0", "--objects", "2")
    assert finished.returncode == 0, finished.stderr
    assert "tiny_test on torch, cpu, fp32: 2 objects" in finished.stdout
    table = rows(finished.stdout)
    assert list(table) == [
        "encode image",
        "attend memory",
        "decode mask",
        "encode memory",
        "rest of step",
        "step",
    ]
    for p50, p99 in table.values():
        assert 0 < p50 <= p99


def test_the_node_is_measured_at_both_sizes(etam) -> None:
    pytest.importorskip("rclpy")
    finished = etam(*TINY, "--node-frames", "3")
    assert finished.returncode == 0, finished.stderr
    table = rows(finished.stdout)
    for size in ("720p", "1080p"):
        overhead, p50, p99 = table[size]
        assert 0 < overhead <= p50 <= p99


def test_wrong_options_are_one_line(etam) -> None:
    finished = etam("bench", "--model", "tiny_test", "--backend", "caffe")
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "expected one of auto, torch" in finished.stderr

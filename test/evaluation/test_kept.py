"""What is kept of a long run: evenly spread frames, and the worst, apart from each other."""

from __future__ import annotations

import pytest

from etam_ros.evaluation.kept import Thinned, Worst


@pytest.mark.parametrize("length", [0, 1, 5, 6, 24, 1000])
def test_frames_are_evenly_spread_and_few(length: int) -> None:
    made: list[int] = []
    thinned: Thinned[str] = Thinned(6)
    for index in range(length):
        thinned.offer(index, lambda index=index: made.append(index) or str(index))
    frames = thinned.frames
    assert len(frames) == min(length, 6)
    assert all(str(index) == kept for index, kept in frames)
    if length > 1:
        assert frames[0][0] == 0
        assert frames[-1][0] >= 0.75 * (length - 1)
    assert len(made) <= 12 + length / 4 or length < 24, "what is not wanted is not made"


def test_the_worst_frames_are_kept_and_of_close_ones_one() -> None:
    worst: Worst[int] = Worst(2, 8)
    for index, score in enumerate([0.9, 0.5, 0.4, 1.0, *[1.0] * 10, 0.6, 0.7, *[1.0] * 10, 0.2]):
        worst.offer(index, score, lambda index=index: index)
    assert [(score, kept) for score, _, kept in worst.frames] == [(0.4, 2), (0.2, 26)]


def test_what_is_right_is_never_among_the_worst() -> None:
    worst: Worst[int] = Worst(3, 1)
    for index in range(5):
        worst.offer(index, 1.0, lambda: 0)
    assert worst.frames == []

"""The store of past frames: what it keeps, within which bounds, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etam_ros import Frame, History, HistoryConfig
from etam_ros.errors import PromptError
from etam_ros.stream_time import NS_PER_S
from etam_ros.tracking.history import MIB

MS = 1_000_000
SECONDS = st.sampled_from([0, 1, 2, -1, 2**31 - 1, -(2**31)]) | st.integers(-(2**31), 2**31 - 1)
STAMPS = st.builds(lambda s, ns: s * NS_PER_S + ns, SECONDS, st.integers(0, NS_PER_S - 1))
SAW_TOOTH = st.integers(1, 40).map(lambda period: [k % period * 50 * MS for k in range(60)])
WRAPPED = st.integers(1, 9).map(lambda k: [wrapped(2**31 - k + i) * NS_PER_S for i in range(20)])


def wrapped(seconds: int) -> int:
    """As the int32 of a ROS stamp shows it."""
    return (seconds + 2**31) % 2**32 - 2**31


def picture(stamp_ns: int) -> Frame:
    return Frame(np.zeros((4, 4, 3), np.uint8), stamp_ns)


def filled(
    stamps_ns: Sequence[int], config: HistoryConfig | None = None, size: int = 48
) -> History:
    history = History(config)
    for stamp_ns in stamps_ns:
        history.add(stamp_ns, size, lambda stamp_ns=stamp_ns: picture(stamp_ns))
    return history


def stamps(history: History) -> list[int]:
    return [entry.stamp_ns for entry in history.between(-(2**70), 2**70)]


def test_nothing_is_read_until_it_is_asked_for() -> None:
    read = []
    history = History()
    history.add(7, 48, lambda: read.append(7) or picture(7))
    entry = history.find(7, newest_ns=9 * NS_PER_S)
    assert read == []
    assert entry.read().stamp_ns == 7
    assert read == [7]


def test_frames_go_when_they_are_too_old_or_too_many() -> None:
    assert stamps(filled([1 * MS, 1001 * MS, 2001 * MS, 2002 * MS])) == [
        1001 * MS, 2001 * MS, 2002 * MS,
    ]  # fmt: skip
    history = filled(range(1, 9), HistoryConfig(max_mib=1), size=MIB // 3)
    assert stamps(history) == [6, 7, 8]
    assert history.size_bytes == MIB // 3 * 3
    history.add(9, MIB + 1, lambda: picture(9))
    assert len(history) == history.size_bytes == 0, "a frame larger than the bound"


def test_a_frame_that_is_held_stays_and_those_after_it_as_far_as_there_is_room() -> None:
    history = filled([1 * MS, 500 * MS, 1001 * MS])
    with history.holding(picture(500 * MS)):
        for stamp_ns in (3001 * MS, 9001 * MS):
            history.add(stamp_ns, 48, lambda stamp_ns=stamp_ns: picture(stamp_ns))
        assert stamps(history) == [500 * MS, 1001 * MS, 3001 * MS, 9001 * MS]
    history.add(9002 * MS, 48, lambda: picture(9002 * MS))
    assert stamps(history) == [9001 * MS, 9002 * MS]
    history = filled(range(2, 9), HistoryConfig(max_mib=1), size=MIB // 3)
    with history.holding(picture(1)):  # which was gone before
        assert stamps(history) == [1, 6, 7, 8]
        assert history.find(1, newest_ns=9).read().stamp_ns == 1
        history.add(9, MIB // 3, lambda: picture(9))
        assert stamps(history) == [1, 7, 8, 9]
    assert stamps(history) == [7, 8, 9]


def test_a_full_hd_camera_stays_within_the_bound() -> None:
    size = 1920 * 1080 * 3
    history = filled([1 + k * 33 * MS for k in range(200)], size=size)
    assert history.size_bytes <= 256 * MIB < history.size_bytes + size


def test_time_that_goes_back_takes_the_place_of_what_was_later() -> None:
    seconds = [1000 * MS, 1500 * MS, 2000 * MS]
    assert stamps(filled([*seconds, 500 * MS])) == [500 * MS]
    frames = [k * 100 * MS for k in range(10, 30)]
    back = frames[5]
    assert stamps(filled([*frames, back])) == frames[:6]
    assert stamps(filled([100 * NS_PER_S, 5])) == [5]


def test_a_frame_that_comes_late_finds_its_place() -> None:
    assert stamps(filled([10, 20, 30, 15])) == [10, 15, 20, 30]
    assert stamps(filled([10, 20, 30, 20])) == [10, 20, 30]
    assert filled([10, 20, 30, 20, 15]).size_bytes == 4 * 48


def test_a_clock_that_is_set_leaves_no_frames_of_the_other() -> None:
    wall = 1_790_000_000 * NS_PER_S
    assert stamps(filled([10 * NS_PER_S, wall])) == [wall]
    assert stamps(filled([wall, 10 * NS_PER_S, wall + 5])) == [wall + 5], "two publishers"


def test_frames_without_a_stamp_are_not_kept() -> None:
    assert stamps(filled([0, 5, 0])) == [5]


def test_stepped_frames_are_kept_unless_received_ones_are_added() -> None:
    history = History()
    history.add_stepped(picture(1))
    assert stamps(history) == [1]
    history.add(2, 48, lambda: picture(2))
    history.add_stepped(picture(3))
    assert stamps(history) == [1, 2]
    history.clear()
    assert len(history) == history.size_bytes == 0


@pytest.mark.parametrize(
    ("asked_ms", "found_ms"), [(100, 100), (119, 100), (120, 100), (131, 150), (170, 150)]
)
def test_the_exact_frame_is_found_else_the_nearest_within_tolerance(
    asked_ms: int, found_ms: int
) -> None:
    entry = filled([100 * MS, 150 * MS]).find(asked_ms * MS, newest_ns=400 * MS)
    assert entry.stamp_ns == found_ms * MS


def test_the_newest_stepped_frame_is_found_though_it_is_not_kept() -> None:
    assert filled([100 * MS]).find(160 * MS, newest_ns=150 * MS) is None
    assert History().find(5, newest_ns=5) is None


@pytest.mark.parametrize(
    ("asked_ms", "words"),
    [
        (1000, "of 1.000000 s, but the history goes back to 2.000000 s, .* is of 3.000000 s"),
        (3100, "3.100000 s, which is after the newest frame, of 3.000000 s"),
        (
            2240,
            "2.240000 s, but the nearest one is of 2.000000 s, expected .*_ms = 20",
        ),
        (10**9, "1000000.000000 s, but the newest frame is of 3.000000 s, expected both from one"),
        (-(10**9), "-1000000.000000 s, but the newest frame is of 3.000000 s"),
    ],
)
def test_refusals_name_both_times(asked_ms: int, words: str) -> None:
    history = filled([2000 * MS, 2500 * MS, 3000 * MS])
    for stepped_ms in (3000, 2500):  # frames may have come since
        with pytest.raises(PromptError, match=words):
            history.find(asked_ms * MS, newest_ns=stepped_ms * MS)


@given(st.lists(STAMPS, max_size=40) | SAW_TOOTH | WRAPPED, STAMPS)
def test_whatever_stamps_come_it_stays_in_order_and_bounded(
    given_ns: list[int], asked_ns: int
) -> None:
    history = filled(given_ns, HistoryConfig(seconds=2.0, max_mib=1), size=MIB // 8)
    kept = stamps(history)
    assert kept == sorted(set(kept))
    assert len(kept) <= 8
    assert not kept or kept[-1] - kept[0] <= 2 * NS_PER_S
    assert history.size_bytes == len(kept) * (MIB // 8)
    newest_ns = given_ns[-1] if given_ns else 1
    if min(abs(each - asked_ns) for each in [*kept, newest_ns]) > 20 * MS:
        with pytest.raises(PromptError, match=r"-?\d+\.\d{6} s.*-?\d+\.\d{6}") as refused:
            history.find(asked_ns, newest_ns)
        assert "\n" not in str(refused.value)
    else:
        entry = history.find(asked_ns, newest_ns)
        found = newest_ns if entry is None else entry.stamp_ns
        assert abs(found - asked_ns) <= 20 * MS

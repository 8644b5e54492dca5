"""What a run in the simulated room is held against."""

import math

import pytest

from etam_ros.demo.follow.measures import (
    CommandRow,
    FollowRow,
    hidden_periods,
    measures,
    most_sign_changes,
    stop_s,
)
from etam_ros.demo.follow.report import FollowReport

NAN = math.nan


def row(time_s, *, shown=1.0, offset=0.0, distance_m=1.5, walks=True):
    hidden = shown == 0.0
    return FollowRow(
        time_s, shown, NAN if hidden else offset, NAN if hidden else distance_m, 0.0, 0.0, walks,
        hidden, NAN if hidden else 0.9, (0.0, 0.0), (1.0, 0.0), 0.0, "following: figure (1)",
    )  # fmt: skip


def run(*, hidden=(4.0, 5.0), **fields):
    return [
        row(t / 10, **({"shown": 0.0} if hidden[0] <= t / 10 < hidden[1] else fields))
        for t in range(100)
    ]


def commands(stops=(4.3, 5.2)):
    moving = [not stops[0] <= t / 20 < stops[1] for t in range(200)]
    return [CommandRow(t / 20, 0.2 * go, 0.1 * go) for t, go in enumerate(moving)]


def passed(rows, heard):
    return [m.passed for m in measures(rows, heard, goal_m=1.5, result_timeout_s=0.5)]


def test_a_good_run_passes():
    assert passed(run(), commands()) == [True] * 4


@pytest.mark.parametrize(
    ("rows", "heard", "missed"),
    [
        (run(offset=0.11), commands(), 0),
        (run(distance_m=1.9), commands(), 1),
        (run(), commands(stops=(4.6, 5.2)), 2),
        (run(), commands(stops=(9.0, 9.1)), 2),
        (run(hidden=(20, 20)), commands(), 2),
    ],
)
def test_a_bad_run_does_not(rows, heard, missed):
    assert [number for number, good in enumerate(passed(rows, heard)) if not good] == [missed]


def test_the_first_two_seconds_and_what_is_half_hidden_do_not_count():
    rows = [row(t / 10, offset=0.4) for t in range(20)] + run()[20:]
    rows += [row(10 + t / 10, shown=0.1, offset=0.4) for t in range(20)]
    assert passed(rows, commands())[0]


def test_hidden_is_from_the_first_picture_without_it_to_the_first_with_it():
    assert hidden_periods(run(hidden=(4.0, 5.0))) == [(4.0, 5.0)]
    assert hidden_periods(run(hidden=(9.0, 99.0))) == [(9.0, 9.9)]


def test_a_stop_is_when_the_last_command_to_move_is_over():
    assert stop_s(commands(stops=(4.3, 5.2)), 4.0, 5.0) == pytest.approx(0.3)
    assert stop_s(commands(stops=(3.0, 5.2)), 4.0, 5.0) == 0.0
    assert stop_s(commands(stops=(4.3, 4.8)), 4.0, 5.0) == math.inf
    assert stop_s([], 4.0, 5.0) == math.inf


def test_swinging_is_counted_while_it_walks():
    swinging = [CommandRow(t / 20, 0.1, 0.1 if t // 4 % 2 else -0.1) for t in range(200)]
    assert most_sign_changes(run(), swinging) == 5
    assert most_sign_changes(run(walks=False), swinging) == 0
    assert most_sign_changes(run(), commands()) == 0


def test_the_report_says_pass_and_fail(tmp_path):
    pytest.importorskip("matplotlib")
    rows, heard = run(offset=0.11), commands()
    found = measures(rows, heard, goal_m=1.5, result_timeout_s=0.5)
    report = FollowReport("etam_nano", "", 1, 1.5, rows, heard, found)
    report.write(tmp_path)
    text = (tmp_path / "follow.md").read_text()
    assert text.count("| pass |") == 3
    assert text.count("| FAIL |") == 1
    assert (tmp_path / "follow.png").read_bytes().startswith(b"\x89PNG")
    assert not report.passed

"""Clocks that jump and clocks that stand still."""

import pytest

from etam_ros.following.clock_watch import ClockWatch


def looks(watch, *readings):
    return [watch.jump(steady_s, ros_s) for steady_s, ros_s in readings]


@pytest.mark.parametrize(
    ("simulated", "passed_s", "jumps"),
    [
        (False, 0.05, False),
        (False, 3.0, True),
        (False, -3.0, True),
        (True, 0.0, False),
        (True, 0.9, False),
        (True, -0.01, True),
        (True, 60.0, True),
    ],
)
def test_a_jump_is_noticed(simulated, passed_s, jumps):
    watch = ClockWatch(simulated)
    first, second = looks(watch, (10.0, 500.0), (10.05, 500.0 + passed_s))
    assert first == ""
    assert bool(second) == jumps
    assert watch.jump(10.1, 500.0 + passed_s + 0.05) == "", "it is told once"


def test_a_process_that_was_stopped_has_seen_no_jump():
    assert looks(ClockWatch(simulated=False), (10.0, 500.0), (70.0, 560.0)) == ["", ""]


def test_a_clock_that_stands_still_is_noticed():
    watch = ClockWatch(simulated=True)
    looks(watch, (10.0, 0.0), (11.0, 0.0))
    assert watch.still_s(12.0) == 2.0
    watch.jump(12.0, 0.3)
    assert watch.still_s(12.5) == 0.5

"""What time it is for the follower, and whether that can be trusted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from rclpy.node import Node

from etam_ros.following.clock_watch import ClockWatch


@dataclass(frozen=True)
class Moment:
    """One look at the clocks.

    Attributes:
        now_s: for the follower: steady seconds or, with use_sim_time, those of /clock.
        ros_ns: ROS time.
        trouble: why no result from before can be believed, in words; empty where all is well.
    """

    now_s: float
    ros_ns: int
    trouble: str


class TimeSource:
    """Reads a node's clock beside a steady one.

    Args:
        node: whose clock and use_sim_time count.
        timeout_s: how long /clock may stand still.
    """

    def __init__(self, node: Node, timeout_s: Callable[[], float]) -> None:
        self._clock = cast("Any", node.get_clock())  # a ROSClock
        self._timeout_s = timeout_s
        self._watch = ClockWatch(simulated=self._clock.ros_time_is_active)

    def read(self) -> Moment:
        """The time now; each jump is told once."""
        simulated = self._clock.ros_time_is_active
        steady_s, ros_ns = time.monotonic(), self._clock.now().nanoseconds
        changed = simulated != self._watch.simulated
        if changed:
            self._watch = ClockWatch(simulated)
        trouble = self._watch.jump(steady_s, ros_ns / 1e9)
        if changed:
            trouble = "use_sim_time changed"
        elif simulated and not ros_ns:
            trouble = "use_sim_time is set, but nothing is published on /clock"
        elif simulated and self._watch.still_s(steady_s) > self._timeout_s():
            trouble = f"/clock stood still for {self._timeout_s():g} s"
        return Moment(ros_ns / 1e9 if simulated else steady_s, ros_ns, trouble)

"""Notices that time itself cannot be trusted: clocks that jump, or stand still."""

from __future__ import annotations

from typing import Final

JUMP_S: Final = 0.5
"""The clock of ROS and the steady one may drift apart by so much between two looks."""
FASTEST: Final = 20.0
"""A simulation runs at most so many times as fast as real time."""


class ClockWatch:
    """Compares ROS time with a steady clock.

    Args:
        simulated: ROS time comes from /clock, which may run at any speed, and stand still.
    """

    def __init__(self, simulated: bool) -> None:
        self.simulated = simulated
        self._before: tuple[float, float] | None = None
        self._moved_s = 0.0

    def jump(self, steady_s: float, ros_s: float) -> str:
        """What is wrong with the time passed since the last call, in words; empty if nothing."""
        before, self._before = self._before, (steady_s, ros_s)
        if before is None:
            self._moved_s = steady_s
            return ""
        steady, ros = steady_s - before[0], ros_s - before[1]
        if ros != 0.0:
            self._moved_s = steady_s
        if self.simulated:
            jumped = ros < 0.0 or ros > JUMP_S + FASTEST * steady
        else:
            jumped = abs(ros - steady) > JUMP_S
        return f"the clock jumped by {ros - steady:+.1f} s" if jumped else ""

    def still_s(self, steady_s: float) -> float:
        """For how many steady seconds ROS time has not moved."""
        return steady_s - self._moved_s if self._before is not None else 0.0

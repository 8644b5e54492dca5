"""A robot with two driven wheels, as it moves on what it is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from etam_ros.synthetic.room.shapes import Vector

CAMERA_AHEAD_M: Final = 0.1
CAMERA_HEIGHT_M: Final = 0.6
COMMAND_TIMEOUT_S: Final = 0.5
"""As the controllers of real bases have it: without a command for so long, the robot stands."""
ACCELERATION: Final = (2.0, 6.0)
"""The most that its motors do: m/s² and rad/s²."""


@dataclass
class WheeledRobot:
    """Where the robot is, and how it moves.

    Attributes:
        x, y, heading: metres, and radians to the left of x.
        linear, angular: speeds, m/s and rad/s.
    """

    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0
    linear: float = 0.0
    angular: float = 0.0
    _told: tuple[float, float] = (0.0, 0.0)
    _told_ago_s: float = math.inf

    def tell(self, linear: float, angular: float) -> None:
        """Give it a command."""
        self._told, self._told_ago_s = (linear, angular), 0.0

    def step(self, dt_s: float) -> None:
        """Let time pass; short steps are exact enough."""
        self._told_ago_s += dt_s
        told = self._told if self._told_ago_s <= COMMAND_TIMEOUT_S else (0.0, 0.0)
        self.linear = _towards(self.linear, told[0], ACCELERATION[0] * dt_s)
        self.angular = _towards(self.angular, told[1], ACCELERATION[1] * dt_s)
        middle = self.heading + 0.5 * self.angular * dt_s
        self.x += self.linear * math.cos(middle) * dt_s
        self.y += self.linear * math.sin(middle) * dt_s
        self.heading += self.angular * dt_s

    @property
    def camera(self) -> Vector:
        """Where its camera is, (3,)."""
        return np.array(
            [
                self.x + CAMERA_AHEAD_M * math.cos(self.heading),
                self.y + CAMERA_AHEAD_M * math.sin(self.heading),
                CAMERA_HEIGHT_M,
            ]
        )


def _towards(value: float, wanted: float, most: float) -> float:
    return value + min(max(wanted - value, -most), most)

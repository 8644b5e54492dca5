"""Tells results of a new image from those of one that was seen before."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from etam_ros.following.sight import SeenFrame

OVERTAKEN_NS: Final = 1_000_000_000
"""A stamp that lies at most so far back was overtaken; further back, time began anew."""


class StampWatch:
    """Remembers the newest image, and when its first result came.

    A camera that hangs may send its last image for ever, and a relay its last message: however
    often it comes, what it shows was seen when it came first.
    """

    def __init__(self) -> None:
        self._newest = SeenFrame(-math.inf)

    def distrust(self) -> None:
        """Time itself jumped: the newest image was seen at some time before."""
        self._newest = replace(self._newest, arrived_s=-math.inf)

    def look(self, frame: SeenFrame) -> SeenFrame | None:
        """The result as of when its image was seen first; None if a newer one came before."""
        if not frame.stamp_ns:
            return frame
        newest = self._newest
        later_ns = frame.stamp_ns - newest.stamp_ns
        if newest.stamp_ns and later_ns == 0:
            return replace(frame, arrived_s=newest.arrived_s, age_s=newest.age_s)
        if newest.stamp_ns and -OVERTAKEN_NS <= later_ns < 0:
            return None
        self._newest = replace(frame, objects=())
        return frame

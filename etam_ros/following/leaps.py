"""Notices a mask that slips off its target, by the distance: a wall is further away."""

from __future__ import annotations

import math
from typing import Final

from etam_ros.following.sight import SeenObject

JUMP_M: Final = 0.5
"""A distance may always change by so much: a mask may take another part of the target."""


class LeapWatch:
    """Remembers where a target was, and where its mask went instead.

    A mask that slipped counts as slipped for as long as it stays there, even if the target could
    have gone so far meanwhile; until it slips back to where the target can be, or the target was
    hidden in between.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Believe whatever comes next."""
        self._located: tuple[float, SeenObject] | None = None  # when it was where
        self._slipped: tuple[float, float] | None = None  # when the mask was how far away instead

    def look(self, seen: SeenObject | None, seen_s: float, max_speed: float) -> None:
        """Look at the target of a result.

        Args:
            seen: the target, None without one.
            seen_s: when.
            max_speed: metres per second at which its distance can change.
        """
        located = self._located
        if seen is None or seen.occluded or located is None or not self._is_located(seen):
            self._slipped = None
        elif math.isfinite(seen.distance_m):

            def near(moment_s: float, distance_m: float) -> bool:
                reach_m = JUMP_M + max_speed * (seen_s - moment_s)
                return abs(seen.distance_m - distance_m) <= reach_m

            stays = self._slipped is not None and near(*self._slipped)
            if stays or not near(located[0], located[1].distance_m):
                self._slipped = (seen_s, seen.distance_m)
            else:
                self._slipped = None

    def trust(self, seen: SeenObject, seen_s: float) -> None:
        """Remember where the target is; nothing if its distance is unknown."""
        if math.isfinite(seen.distance_m):
            self._located = (seen_s, seen)

    def has_slipped(self, seen: SeenObject) -> bool:
        """Whether its mask is where it cannot be."""
        return self._slipped is not None and self._is_located(seen)

    def _is_located(self, seen: SeenObject) -> bool:
        return self._located is not None and self._located[1].object_id == seen.object_id

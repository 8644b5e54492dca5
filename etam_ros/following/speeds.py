"""From where the target is to how fast to go, and how fast speeds may change."""

from __future__ import annotations

import math
from dataclasses import dataclass

from etam_ros.following.config import BearingConfig, DistanceConfig
from etam_ros.following.sight import SeenObject


@dataclass(frozen=True)
class Speeds:
    """What a differential drive is told.

    Attributes:
        linear: metres per second forward.
        angular: radians per second to the left.
    """

    linear: float = 0.0
    angular: float = 0.0


STANDING = Speeds()


def wanted_speeds(seen: SeenObject, bearing: BearingConfig, distance: DistanceConfig) -> Speeds:
    """Turn to the target and drive up to the distance to keep, each in proportion to what is left.

    Dead bands are subtracted, so that nothing jumps at their edges. The further the target is to
    the side, the slower the robot drives; without a distance it does not drive at all.
    """
    if not math.isfinite(seen.bearing):
        return STANDING
    turn = _limited(bearing.gain * _beyond(seen.bearing, bearing.deadband), bearing.max)
    if not math.isfinite(seen.distance_m):
        return Speeds(angular=turn)
    too_far_m = _beyond(seen.distance_m - distance.goal_m, distance.deadband_m)
    drive = _limited(distance.gain * too_far_m, distance.max)
    if drive < 0.0 and not distance.reverse:
        drive = 0.0
    return Speeds(drive * max(0.0, math.cos(seen.bearing)), turn)


def changed_speed(present: float, wanted: float, most: float, highest: float) -> float:
    """The speed after one step, which ends at zero where it passes it.

    Args:
        present, wanted: speeds now and in the end.
        most: change in one step.
        highest: limit of the magnitude, which may have become lower than `present`.
    """
    present = _limited(present, highest)
    if present * wanted < 0.0:
        wanted = 0.0
    return _limited(present + _limited(wanted - present, most), highest)


def _beyond(value: float, deadband: float) -> float:
    return math.copysign(max(0.0, abs(value) - deadband), value)


def _limited(value: float, highest: float) -> float:
    """Within plus and minus `highest`; 0 for what is not a number."""
    return 0.0 if math.isnan(value) else min(max(value, -highest), highest)

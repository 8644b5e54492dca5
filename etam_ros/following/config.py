"""Configuration of the follower: the parameters of the node /follower are its fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from etam_ros.errors import ConfigError
from etam_ros.options import Checked, option

NEWEST: Final = "newest"
SELECTED: Final = "selected"
AUTO, ALWAYS, NEVER = "auto", "always", "never"
"""Values of `stamp_age`."""


@dataclass(frozen=True)
class FollowerConfig(Checked):
    """Whom to follow, and when to stop; at the top level of the parameter names."""

    target: str = option(
        NEWEST,
        "What to follow: an id, a label, newest (the highest id), or selected (the object "
        "chosen by the tracker's ~/select).",
        live=True,
        digits=True,
    )
    resume: bool = option(
        False,
        "Continue, without being enabled again, when the target is back after it was lost.",
        live=True,
    )
    result_timeout_s: float = option(
        0.5,
        "Stop at once when the newest result is older than this, in seconds; a stop for another "
        "reason takes at most half of it.",
        minimum=0.05,
        maximum=10.0,
        live=True,
    )
    lost_after_s: float = option(
        1.0,
        "The target is lost when it could not be followed for longer than this, in seconds.",
        minimum=0.0,
        maximum=3600.0,
        live=True,
    )
    min_iou_score: float = option(
        0.4,
        "A target whose iou_score is below this is doubtful and not followed, 0..1; 0 disables "
        "the check.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    min_visibility: float = option(
        0.98,
        "The same for its visibility, 0..1.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    max_target_speed: float = option(
        2.0,
        "A target whose distance changes faster than this, in metres per second, is doubtful.",
        minimum=0.1,
        maximum=100.0,
        live=True,
    )
    stamp_age: str = option(
        AUTO,
        "Whether the age of results is also judged by their stamps: always, never, or auto, "
        "which trusts stamps once one was at most 10 s off on arrival.",
        choices=(AUTO, ALWAYS, NEVER),
        live=True,
    )
    frame_id: str = option(
        "",
        "Coordinate frame of the camera; results from another are not followed.",
        unset="that of the first result after ~/enable",
        live=True,
    )
    rate_hz: float = option(20.0, "Commands per second.", minimum=5.0, maximum=200.0, live=True)
    stamped: bool = option(True, "Publish TwistStamped on cmd_vel, otherwise Twist.")
    base_frame: str = option("base_link", "Coordinate frame named in TwistStamped.", live=True)
    clock_timeout_s: float = option(
        5.0,
        "With use_sim_time: stop when /clock has stood still for this many seconds of real time.",
        minimum=0.1,
        maximum=600.0,
        live=True,
    )
    diagnostics_period_s: float = option(
        1.0, "Seconds between two reports on /diagnostics.", minimum=0.1, maximum=3600.0, live=True
    )
    autostart: bool = option(True, "Configure and activate by itself once the node spins.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.target.strip():
            raise ConfigError(
                f"target is {self.target!r}, expected an id, a label, {NEWEST} or {SELECTED}: to "
                "follow nothing, leave the follower disabled"
            )


@dataclass(frozen=True)
class BearingConfig(Checked):
    """How the robot turns."""

    gain: float = option(
        2.0, "Radians per second for each radian that the target is off the centre.",
        minimum=0.0, maximum=20.0, live=True,
    )  # fmt: skip
    max: float = option(
        1.0, "Highest angular speed, in radians per second.", minimum=0.0, maximum=10.0, live=True
    )
    deadband: float = option(
        0.02, "Do not turn for less than this, in radians.", minimum=0.0, maximum=1.0, live=True
    )
    acceleration: float = option(
        3.0, "Highest change of angular speed while following, in radians per second squared.",
        minimum=0.01, maximum=100.0, live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class DistanceConfig(Checked):
    """How the robot drives."""

    goal_m: float = option(
        1.5, "Distance to keep, in metres over the floor.", minimum=0.1, maximum=50.0, live=True
    )
    gain: float = option(
        1.5, "Metres per second for each metre that the target is too far away.", minimum=0.0,
        maximum=20.0, live=True,
    )  # fmt: skip
    max: float = option(
        0.5,
        "Highest speed, in metres per second; with 0 the robot only turns.",
        minimum=0.0,
        maximum=10.0,
        live=True,
    )
    deadband_m: float = option(
        0.05, "Do not drive for less than this, in metres.", minimum=0.0, maximum=5.0, live=True
    )
    acceleration: float = option(
        0.8, "Highest change of speed while following, in metres per second squared.",
        minimum=0.01, maximum=100.0, live=True,
    )  # fmt: skip
    reverse: bool = option(
        False,
        "Drive backwards, without checking for obstacles, when the target is too near.",
        live=True,
    )


@dataclass(frozen=True)
class FollowerSettings:
    """All configuration of the follower at one moment; `node` stands at the top level."""

    node: FollowerConfig = field(default_factory=FollowerConfig)
    bearing: BearingConfig = field(default_factory=BearingConfig)
    distance: DistanceConfig = field(default_factory=DistanceConfig)

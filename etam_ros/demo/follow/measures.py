"""How well the robot followed, measured on what is true in the simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

SETTLED_S: Final = 2.0
"""The robot has so long to turn and drive up to the figure at the start."""
OFF_CENTRE: Final = 0.10
SHARE_IN_BAND: Final = 0.95
TOO_FAR_M: Final = 0.3
SIGN_CHANGES: Final = 2
VISIBLE_SHARE: Final = 0.25
"""Of the figure's pixels: with fewer it does not count as visible, nor as hidden."""


@dataclass(frozen=True)
class FollowRow:
    """One picture.

    Attributes:
        time_s: since the figure began to walk.
        shown: share of the figure's pixels that can be seen, 0 where it is hidden.
        offset: of its centre from the middle, as a share of the picture's width, to the right;
            NaN where it is hidden.
        distance_m: over the floor to the surface that is seen; NaN where it is hidden.
        linear, angular: speeds of the robot, m/s and rad/s.
        walks: whether the figure walks steadily.
        occluded: the tracker says that it sees nothing.
        iou: of the tracker's mask with the true one; NaN where it is hidden.
        robot, figure: places, x and y in metres.
        heading: of the robot, radians to the left of x.
        state: what the follower said.
    """

    time_s: float
    shown: float
    offset: float
    distance_m: float
    linear: float
    angular: float
    walks: bool
    occluded: bool
    iou: float
    robot: tuple[float, float]
    figure: tuple[float, float]
    heading: float
    state: str

    @property
    def visible(self) -> bool:
        """Whether enough of the figure is seen to count."""
        return self.shown >= VISIBLE_SHARE


@dataclass(frozen=True)
class CommandRow:
    """One command that the robot heard: seconds, m/s, rad/s."""

    time_s: float
    linear: float
    angular: float

    @property
    def zero(self) -> bool:
        """Whether it says to stand."""
        return self.linear == 0.0 and self.angular == 0.0


@dataclass(frozen=True)
class FollowMeasure:
    """One number beside what it has to reach.

    Attributes:
        name, value, wanted: in words.
        passed: whether it does.
    """

    name: str
    value: str
    wanted: str
    passed: bool


def measures(
    rows: Sequence[FollowRow],
    commands: Sequence[CommandRow],
    *,
    goal_m: float,
    result_timeout_s: float,
) -> list[FollowMeasure]:
    """Hold a run against what following has to reach.

    Args:
        rows: of every picture.
        commands: all that the robot heard.
        goal_m: distance that it was to keep.
        result_timeout_s: within which it has to stand when the figure is hidden.
    """
    seen = [row for row in rows if row.visible and row.time_s > SETTLED_S]
    central = _share([abs(row.offset) <= OFF_CENTRE for row in seen])
    kept = _share([abs(row.distance_m - goal_m) <= TOO_FAR_M for row in seen])
    stops = [stop_s(commands, *hidden) for hidden in hidden_periods(rows)]
    changes = most_sign_changes(rows, commands)
    return [
        FollowMeasure(
            "centre of the figure within ±10 % of the width",
            f"{central:.1%} of the visible time",
            f"at least {SHARE_IN_BAND:.0%}, after the first {SETTLED_S:g} s",
            central >= SHARE_IN_BAND,
        ),
        FollowMeasure(
            f"distance within {TOO_FAR_M:g} m of {goal_m:g} m",
            f"{kept:.1%} of the visible time",
            f"at least {SHARE_IN_BAND:.0%}, after the first {SETTLED_S:g} s",
            kept >= SHARE_IN_BAND,
        ),
        FollowMeasure(
            "hidden until the robot is told to stand",
            ", ".join(f"{stop:.2f} s" for stop in stops) or "it was never hidden",
            f"at most {result_timeout_s:g} s",
            bool(stops) and max(stops) <= result_timeout_s,
        ),
        FollowMeasure(
            "turns of the angular speed in one second of a steady walk",
            f"at most {changes}",
            f"at most {SIGN_CHANGES}",
            changes <= SIGN_CHANGES,
        ),
    ]


def hidden_periods(rows: Sequence[FollowRow]) -> list[tuple[float, float]]:
    """From when to when the figure could not be seen at all, in seconds."""
    periods: list[tuple[float, float]] = []
    began: float | None = None
    for row in rows:
        if row.shown == 0.0 and began is None:
            began = row.time_s
        elif row.shown > 0.0 and began is not None:
            periods.append((began, row.time_s))
            began = None
    if began is not None:
        periods.append((began, rows[-1].time_s))
    return periods


def stop_s(commands: Sequence[CommandRow], hidden_s: float, shown_s: float) -> float:
    """Seconds from when it was hidden until no command to move came any more; inf if they went on.

    Args:
        commands: all.
        hidden_s, shown_s: when it was hidden and when it could be seen again.
    """
    meanwhile = [command for command in commands if hidden_s <= command.time_s < shown_s]
    if not meanwhile or not meanwhile[-1].zero:
        return math.inf
    moving = [number for number, command in enumerate(meanwhile) if not command.zero]
    return meanwhile[moving[-1] + 1].time_s - hidden_s if moving else 0.0


def most_sign_changes(rows: Sequence[FollowRow], commands: Sequence[CommandRow]) -> int:
    """Most changes of the angular speed's sign within a second of steady, visible walking."""
    times = np.array([row.time_s for row in rows])
    steady = np.array([row.walks and row.visible for row in rows])
    turning = [command for command in commands if command.angular != 0.0]
    changes = [
        after.time_s
        for before, after in pairwise(turning)
        if (before.angular > 0) != (after.angular > 0)
    ]
    most = 0
    for start in changes:
        window = (times >= start) & (times < start + 1.0)
        if steady[window].all():
            most = max(most, sum(start <= change < start + 1.0 for change in changes))
    return most


def _share(true: Sequence[bool]) -> float:
    return sum(true) / len(true) if true else 0.0

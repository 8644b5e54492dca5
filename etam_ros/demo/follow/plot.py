"""The plot of a run: where the figure was in the picture, how far away, and what the robot did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from etam_ros.demo.follow.measures import (
    OFF_CENTRE,
    SETTLED_S,
    TOO_FAR_M,
    CommandRow,
    FollowRow,
    hidden_periods,
)
from etam_ros.errors import EtamError
from etam_ros.media.files import writing


def require_matplotlib() -> Any:
    """matplotlib's Figure, which needs no display.

    Raises:
        EtamError: it is missing, and how to get it.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EtamError(
            f"matplotlib cannot be imported ({error}), the plot needs it: "
            "pip install 'etam_ros[plots]'"
        ) from error
    return Figure


def plot_run(
    path: Path, rows: Sequence[FollowRow], commands: Sequence[CommandRow], goal_m: float
) -> None:
    """Write the plot as PNG.

    Args:
        path: of the file.
        rows: of every picture, at least one.
        commands: that the robot heard.
        goal_m: distance that it was to keep.

    Raises:
        EtamError: matplotlib is missing, or the file cannot be written.
    """
    figure = require_matplotlib()(figsize=(9.0, 6.2), dpi=90, layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    times = [row.time_s for row in rows]
    for each in axes:
        for number, hidden in enumerate(hidden_periods(rows)):
            label = "hidden" if number == 0 and each is axes[0] else None
            each.axvspan(*hidden, color="0.85", label=label)
        each.grid(alpha=0.25)
    axes[0].axhspan(-100 * OFF_CENTRE, 100 * OFF_CENTRE, color="tab:green", alpha=0.12)
    axes[0].plot(times, [100 * row.offset for row in rows], color="tab:green")
    axes[0].set_ylabel("centre of the figure\n[% of width, + right]")
    axes[1].axhspan(goal_m - TOO_FAR_M, goal_m + TOO_FAR_M, color="tab:blue", alpha=0.12)
    axes[1].plot(times, [row.distance_m for row in rows], color="tab:blue")
    axes[1].set_ylabel("distance [m]")
    told = [command.time_s for command in commands]
    linear, angular = ([getattr(c, name) for c in commands] for name in ("linear", "angular"))
    axes[2].plot(told, linear, color="tab:blue", label="linear [m/s]")
    axes[2].plot(told, angular, color="tab:orange", label="angular [rad/s]")
    axes[2].set_ylabel("cmd_vel")
    axes[2].set_xlabel("simulated seconds")
    axes[2].legend(loc="upper right", fontsize=8)
    if hidden_periods(rows):
        axes[0].legend(loc="upper right", fontsize=8)
    axes[0].set_xlim(0.0, max(times[-1], SETTLED_S))
    with writing(path):
        figure.savefig(path)

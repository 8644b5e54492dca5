"""Where things go: they wander, cross the picture, leave and return, pass behind something, or
something comes over them.

Units as in `motion`: the picture has area 1 about (0, 0); T frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from etam_ros.synthetic.collage.motion import Floats, Rng, chance, drift, log_uniform

_EVENTFUL: Final = 8.0
"""Ticks of a clip from which on things leave or hide as often as they can."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The trajectory of a thing.

    Attributes:
        x, y: (T,) its middle.
        hidden_at: where it passes behind something, or None.
        occluder_side: side of the square that would just hide it there.
    """

    x: Floats = field(repr=False)
    y: Floats = field(repr=False)
    hidden_at: tuple[float, float] | None = None
    occluder_side: float = 0.0


def random_trajectory(
    rng: Rng, times: Floats, aspect: float, side: float, *, plain: bool
) -> Trajectory:
    """A trajectory for a thing.

    Args:
        times: (T,) ticks.
        side: square root of the thing's area.
        plain: it only wanders, from near the middle.
    """
    extent = np.array([np.sqrt(aspect), 1.0 / np.sqrt(aspect)])
    start = rng.uniform(-0.42, 0.42, 2) * extent * (0.3 if plain else 1.0)
    span = max(float(times[-1]), 1e-6)
    share = times / span
    towards = rng.uniform(-0.5, 0.5, 2) * extent - start
    towards /= max(float(np.hypot(*towards)), 1e-6)
    kind = rng.random()
    calm = plain or len(times) < 3 or not chance(rng, span / _EVENTFUL)
    if calm or kind < 0.6:
        far = min(log_uniform(rng, 0.002, 0.05) * span, 0.8 if kind < 0.3 else 0.4)
        tremble = drift(rng, times, 0.2 * far + 0.004, rng.uniform(8.0, 30.0), 2)
        path = start[:, None] + towards[:, None] * far * share + tremble - tremble[:, :1]
        return Trajectory(path[0], path[1])
    if kind < 0.75:
        return _leaving(rng, share, extent, start, side)
    return _hidden(rng, share, start, towards, side)


def _leaving(rng: Rng, share: Floats, extent: Floats, start: Floats, side: float) -> Trajectory:
    """Out over the nearest border and back, a little elsewhere."""
    axis = int(np.argmax(np.abs(start / extent)))
    sign = 1.0 if start[axis] > 0.0 else -1.0
    out = np.zeros(2)
    out[axis] = sign * (extent[axis] / 2.0 - sign * start[axis] + side * rng.uniform(0.6, 1.3))
    turn = rng.uniform(0.35, 0.65)
    away = np.clip(rng.uniform(1.2, 2.5) * (1.0 - np.abs(share - turn) / max(turn, 1.0 - turn)),
                   0.0, 1.0)  # fmt: skip
    away -= away[0] * (1.0 - share)  # it starts where it starts
    path = start[:, None] + out[:, None] * np.maximum(away, 0.0)
    path += rng.normal(0.0, 0.08, (2, 1)) * share
    return Trajectory(path[0], path[1])


def _hidden(rng: Rng, share: Floats, start: Floats, towards: Floats, side: float) -> Trajectory:
    """Behind something that stands in the way, and out on the other side or back."""
    occluder = side * rng.uniform(0.7, 1.9)
    reach = (side + occluder) * rng.uniform(0.5, 0.9)
    middle = start + towards * reach
    turn = rng.uniform(0.35, 0.65)
    along = share / turn if not chance(rng, 0.3) else 1.0 - np.abs(share - turn) / turn
    path = start[:, None] + (towards * reach)[:, None] * along
    return Trajectory(path[0], path[1], (float(middle[0]), float(middle[1])), occluder)


def covering_trajectory(
    rng: Rng, trajectory: Trajectory, side: float, occluder: float
) -> Trajectory:
    """Of something that comes over a thing, stays before it wherever it goes, and may leave again.

    Args:
        side: square root of the thing's area.
        occluder: square root of the area of what comes over it.
    """
    share = np.linspace(0.0, 1.0, len(trajectory.x))
    angle, turn = rng.uniform(-np.pi, np.pi), rng.uniform(-0.6, 0.6)
    slide = rng.uniform(0.12, 0.4)  # how long it takes to come, and to go
    there = slide + rng.uniform(0.0, 0.5)
    gone = there + rng.uniform(0.15, 0.9)
    reach = (side + occluder) * rng.uniform(0.7, 1.0)
    coming = np.maximum(there - share, 0.0) / slide * reach
    going = np.maximum(share - gone, 0.0) / slide * reach
    return Trajectory(
        trajectory.x + coming * np.cos(angle) - going * np.cos(angle + turn),
        trajectory.y + coming * np.sin(angle) - going * np.sin(angle + turn),
    )

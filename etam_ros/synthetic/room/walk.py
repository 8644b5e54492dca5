"""How the figure walks: along a smooth line through places, each leg at its own speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_STEP_S: Final = 0.02
_TURN_S: Final = 0.4


@dataclass(frozen=True)
class Leg:
    """A stretch of the way.

    Attributes:
        to: place (x, y) at which it ends, in metres.
        speed: metres per second.
        wait_s: how long the figure stands there before it goes on.
    """

    to: tuple[float, float]
    speed: float
    wait_s: float = 0.0


class Walk:
    """A way, known for all times.

    Args:
        start: (x, y) in metres.
        wait_s: how long the figure stands there first.
        legs: of the way; the corners between those without a wait are rounded.
    """

    def __init__(self, start: tuple[float, float], wait_s: float, legs: Sequence[Leg]) -> None:
        places = [np.full((round(wait_s / _STEP_S) + 1, 2), start, float)]
        here = np.array(start, float)
        for leg in legs:
            there = np.array(leg.to)
            steps = max(1, round(float(np.hypot(*(there - here))) / leg.speed / _STEP_S))
            shares = np.arange(1, steps + 1)[:, None] / steps
            places.append(here + shares * (there - here))
            places.append(np.full((round(leg.wait_s / _STEP_S), 2), there))
            here = there
        self._places = _smoothed(np.concatenate(places))

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return (len(self._places) - 1) * _STEP_S

    def at(self, time_s: float) -> tuple[float, float, float]:
        """x and y in metres and the heading in radians; it stays where it ends."""
        index = min(max(round(time_s / _STEP_S), 0), len(self._places) - 1)
        x, y = self._places[index]
        return float(x), float(y), self._heading(index)

    def moves(self, time_s: float) -> bool:
        """Whether it walks then, and has for a second."""
        here, before = (np.array(self.at(time_s - back)[:2]) for back in (0.0, 1.0))
        return bool(np.hypot(*(here - before)) > 0.15)

    def _heading(self, index: int) -> float:
        """Of the last way it went."""
        back = np.hypot(*(self._places[: index + 1] - self._places[index]).T)
        far = np.flatnonzero(back > 0.05)
        if not len(far):
            return math.pi  # it looks at the robot
        dx, dy = self._places[index] - self._places[far[-1]]
        return math.atan2(dy, dx)


def _smoothed(
    places: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Rounded corners, soft starts and stops."""
    half = round(_TURN_S / _STEP_S)
    weights = np.hanning(2 * half + 3)[1:-1]
    weights /= weights.sum()
    padded = np.pad(places, ((half, half), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], weights, "valid") for axis in (0, 1)], axis=1)


WAY: Final = Walk(
    (2.2, 0.15),
    2.5,
    [
        Leg((2.14, -0.46), 0.3, wait_s=1.0),  # behind the pillar: it is hidden
        Leg((2.25, 0.35), 0.3),  # and comes back
        Leg((2.9, 0.9), 0.28),
        Leg((3.6, 0.6), 0.28, wait_s=1.0),
        Leg((3.6, -0.9), 0.28),  # behind the lamp, which covers some of it
        Leg((4.2, -1.5), 0.28),
        Leg((5.2, -1.4), 0.28),
        Leg((5.9, -1.1), 0.28),
        Leg((5.9, 0.1), 0.3, wait_s=3.5),  # behind the screen: it is gone
        Leg((6.36, -0.8), 0.3),  # and comes back
        Leg((6.45, -1.4), 0.28),
        Leg((6.3, -2.1), 0.28),
        Leg((6.6, -2.9), 0.28, wait_s=1.5),
    ],
)
"""What the demo shows: the figure walks, passes behind things, leaves, comes back."""

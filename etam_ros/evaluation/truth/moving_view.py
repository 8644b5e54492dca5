"""A camera that moves over a photograph in a way that is known: what a robot does all the time.

The photograph is enlarged, and a window of its own size moves over it. Letters: T frames, H, W
height and width of the window and of the photograph, in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ConfigError

ENLARGED: Final = 1.5
"""Sides of the photograph over those of the window."""
_MOST_ZOOM: Final = 1.5
_MOST_ROLL: Final = math.radians(15.0)
_SHUTTER_PERIOD: Final = 8.0  # frames of a swing whose lines are read one after the other
_SHAKES: Final = 0x5A4E

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MovingView:
    """How the camera moves.

    Attributes:
        kind: of KINDS.
        px: how far the picture moves from frame to frame, at its corner where it turns or zooms.
    """

    kind: str
    px: float

    @staticmethod
    def read(text: str) -> MovingView:
        """What `pan:8` says.

        Raises:
            ConfigError: it is not a kind and pixels from 0 to 64.
        """
        kind, _, px = text.strip().partition(":")
        try:
            view = MovingView(kind, float(px))
        except ValueError:
            view = MovingView(kind, math.nan)
        if kind not in KINDS or not 0.0 <= view.px <= 64.0:
            raise ConfigError(
                f"camera motion is {text!r}, expected {', '.join(KINDS)} with pixels a frame from "
                "0 to 64, as pan:8"
            )
        return view

    def __str__(self) -> str:
        return f"{self.kind}:{self.px:g}"

    def frames(self, count: int, hw: tuple[int, int]) -> Floats:
        """(T, 3, 3) from pixels of the window to those of the photograph, for each frame.

        The motion goes back and forth where the photograph would end.
        """
        size = np.array(hw[::-1], np.float64)
        spare = size * (ENLARGED - 1.0) / 2.0
        steps = np.asarray(self.px * (np.arange(count) - (count - 1) / 2.0), np.float64)
        moves = KINDS[self.kind](_Course(self.px, steps, spare, size / 2.0))
        back = np.diag([1.0 / ENLARGED, 1.0 / ENLARGED, 1.0]) @ _shifted(*spare)
        return np.asarray(back @ moves)

    def draw(
        self, picture: NDArray[Any], move: Floats, *, is_labels: bool = False
    ) -> NDArray[Any]:
        """A window of a picture, (H, W, 3) or labels (H, W), as the camera sees it in a frame."""
        how = cv2.INTER_NEAREST if is_labels else cv2.INTER_LINEAR
        border = cv2.BORDER_CONSTANT if is_labels else cv2.BORDER_REFLECT_101
        wh = picture.shape[1::-1]
        flags = how | cv2.WARP_INVERSE_MAP
        return cv2.warpPerspective(picture, move, wh, flags=flags, borderMode=border)


@dataclass(frozen=True, eq=False)
class _Course:
    """What a motion has to go by.

    Attributes:
        px: from frame to frame.
        steps: (T,) how far it has gone on each frame, from the middle of the clip.
        spare: (x, y) of the photograph beyond the window, on either side.
        middle: (x, y) of the window.
    """

    px: float
    steps: Floats
    spare: Floats
    middle: Floats

    def pan(self) -> Floats:
        return _shifted(_there_and_back(self.steps, self.spare[0]), 0.0)

    def tilt(self) -> Floats:
        return _shifted(0.0, _there_and_back(self.steps, self.spare[1]))

    def roll(self) -> Floats:
        angles = _there_and_back(self.steps / np.hypot(*self.middle), _MOST_ROLL)
        return _about(self.middle, np.cos(angles), np.sin(angles))

    def zoom(self) -> Floats:
        """Nearer as it goes on, never farther off than the window."""
        most = math.log(_MOST_ZOOM) / 2.0
        powers = _there_and_back(self.steps / np.hypot(*self.middle), most)
        return _about(self.middle, np.exp(-powers - most), np.zeros_like(powers))

    def shake(self) -> Floats:
        """Places on a circle, which lie a step apart on average."""
        rng = np.random.default_rng(_SHAKES)
        angles = rng.uniform(0.0, 2.0 * np.pi, len(self.steps))
        radius = self.px * np.pi / 4.0
        return _shifted(radius * np.cos(angles), radius * np.sin(angles))

    def shutter(self) -> Floats:
        """A swing from side to side, of which lower lines are seen later than upper ones."""
        phases = 2.0 * np.pi * np.arange(len(self.steps)) / _SHUTTER_PERIOD
        reach = self.px * _SHUTTER_PERIOD / (2.0 * np.pi)  # so that the fastest frame moves by px
        moves = _shifted(reach * np.sin(phases), 0.0)
        lean = self.px * np.cos(phases) / (2.0 * self.middle[1])  # of each line below the first
        moves[:, 0, 1] = lean
        moves[:, 0, 2] -= lean * self.middle[1]
        return moves


def _there_and_back(steps: Floats, limit: float) -> Floats:
    """Steps that turn round at the limit, on either side."""
    if limit <= 0.0:
        return np.zeros_like(steps)
    return limit - np.abs((steps + limit) % (4.0 * limit) - 2.0 * limit)


def _shifted(x: float | Floats, y: float | Floats) -> Floats:
    """(..., 3, 3) that shift by x and y."""
    across, down = np.broadcast_arrays(x, y)
    moves = np.zeros((*across.shape, 3, 3)) + np.eye(3)
    moves[..., 0, 2], moves[..., 1, 2] = across, down
    return moves


def _about(middle: Floats, along: Floats, across: Floats) -> Floats:
    """(T, 3, 3) that turn and scale about the middle: scale times cosine and sine of the turn."""
    moves = np.zeros((len(along), 3, 3)) + np.eye(3)
    moves[:, 0, 0], moves[:, 0, 1] = along, -across
    moves[:, 1, 0], moves[:, 1, 1] = across, along
    return np.asarray(_shifted(*middle) @ moves @ _shifted(*-middle))


KINDS: Final[dict[str, Callable[[_Course], Floats]]] = {
    "pan": _Course.pan,
    "tilt": _Course.tilt,
    "roll": _Course.roll,
    "zoom": _Course.zoom,
    "shake": _Course.shake,
    "shutter": _Course.shutter,
}

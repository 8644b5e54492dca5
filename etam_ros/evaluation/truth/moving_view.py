"""A camera that moves over a photograph in a known way, like that of a robot.

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
"""Ratio of the sides of the photograph to those of the window."""
_MOST_ZOOM: Final = 1.5
_MOST_ROLL: Final = math.radians(15.0)
_SHUTTER_PERIOD: Final = 8.0  # frames of a swing with a rolling shutter
_SHAKES: Final = 0x5A4E

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MovingView:
    """A camera motion.

    Attributes:
        kind: one of KINDS.
        px: motion of the picture from frame to frame; for rotation and zoom, at its corner.
    """

    kind: str
    px: float

    @staticmethod
    def read(text: str) -> MovingView:
        """Parse a motion such as `pan:8`.

        Raises:
            ConfigError: it does not consist of a kind and pixels from 0 to 64.
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

        The motion reverses at the border of the photograph.
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
        """Draw the camera's view of a picture (H, W, 3), or of labels (H, W), for a frame."""
        how = cv2.INTER_NEAREST if is_labels else cv2.INTER_LINEAR
        border = cv2.BORDER_CONSTANT if is_labels else cv2.BORDER_REFLECT_101
        wh = picture.shape[1::-1]
        flags = how | cv2.WARP_INVERSE_MAP
        return cv2.warpPerspective(picture, move, wh, flags=flags, borderMode=border)


@dataclass(frozen=True, eq=False)
class _Course:
    """Parameters of a motion.

    Attributes:
        px: motion from frame to frame.
        steps: (T,) position on each frame, relative to the middle of the clip.
        spare: (x, y) size of the photograph beyond the window, on each side.
        middle: (x, y) middle of the window.
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
        """Move closer over time, starting at the size of the window."""
        most = math.log(_MOST_ZOOM) / 2.0
        powers = _there_and_back(self.steps / np.hypot(*self.middle), most)
        return _about(self.middle, np.exp(-powers - most), np.zeros_like(powers))

    def shake(self) -> Floats:
        """Positions on a circle, one step apart on average."""
        rng = np.random.default_rng(_SHAKES)
        angles = rng.uniform(0.0, 2.0 * np.pi, len(self.steps))
        radius = self.px * np.pi / 4.0
        return _shifted(radius * np.cos(angles), radius * np.sin(angles))

    def shutter(self) -> Floats:
        """A swing from side to side with a rolling shutter: lower lines are exposed later."""
        phases = 2.0 * np.pi * np.arange(len(self.steps)) / _SHUTTER_PERIOD
        reach = self.px * _SHUTTER_PERIOD / (2.0 * np.pi)  # so that the fastest frame moves by px
        moves = _shifted(reach * np.sin(phases), 0.0)
        lean = self.px * np.cos(phases) / (2.0 * self.middle[1])  # delay of each line
        moves[:, 0, 1] = lean
        moves[:, 0, 2] -= lean * self.middle[1]
        return moves


def _there_and_back(steps: Floats, limit: float) -> Floats:
    """Steps that reverse at the limit on either side."""
    if limit <= 0.0:
        return np.zeros_like(steps)
    return limit - np.abs((steps + limit) % (4.0 * limit) - 2.0 * limit)


def _shifted(x: float | Floats, y: float | Floats) -> Floats:
    """(..., 3, 3) matrices that shift by x and y."""
    across, down = np.broadcast_arrays(x, y)
    moves = np.zeros((*across.shape, 3, 3)) + np.eye(3)
    moves[..., 0, 2], moves[..., 1, 2] = across, down
    return moves


def _about(middle: Floats, along: Floats, across: Floats) -> Floats:
    """(T, 3, 3) matrices that rotate and scale about the middle, given scale times cos and sin."""
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

"""Moving views of recorded pictures: crops, flips, camera motion and colour, all from a seed.

Letters: H, W height and width of a source picture in pixels; T frames; S side of the view.
A view shows the source through a homography, which is the same for a picture and its masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""x_min, y_min, x_max, y_max in source pixels."""

_SHARPEST: Final = 1.3  # source pixels per pixel of the view; above, the source is averaged first
_SMALLEST: Final = 0.35  # side of a crop, of the picture's
_INSIDE: Final = 0.5


@dataclass(frozen=True)
class View:
    """Pose of a camera above the source picture, in source pixels.

    Attributes:
        centre: (x, y) of the middle of the view.
        half: half of its width and height; a negative width mirrors the picture.
        turn: rotation in radians.
        tilt: perspective terms, about -0.2..0.2.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    turn: float = 0.0
    tilt: tuple[float, float] = (0.0, 0.0)

    def matrix(self, size: int) -> Matrix:
        """(3, 3): source pixels to pixels of a view of S x S."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        move = np.array([[1, 0, -self.centre[0]], [0, 1, -self.centre[1]], [0, 0, 1]])
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        scale = np.diag([1 / self.half[0], 1 / self.half[1], 1.0])
        tilt = np.array([[1, 0, 0], [0, 1, 0], [*self.tilt, 1]])
        place = np.array([[size / 2, 0, (size - 1) / 2], [0, size / 2, (size - 1) / 2], [0, 0, 1]])
        return np.asarray(place @ tilt @ scale @ turn @ move, np.float64)


def close_up(box: Box) -> View:
    """A view of twice the size of a box, around it."""
    centre = (box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2
    return View(centre, (max(box[2] - box[0], 1.0), max(box[3] - box[1], 1.0)))


def random_views(
    rng: np.random.Generator, hw: tuple[int, int], target: Box, *, frames: int, moving: bool
) -> list[View]:
    """A view for each frame; the first is around an object.

    Args:
        target: box of the object that the first view shows.
        frames: T.
        moving: the camera pans, zooms, turns and shakes; otherwise all views are the same.
    """
    height, width = hw
    side = 1.0 if rng.random() < 0.3 and not moving else np.exp(rng.uniform(np.log(_SMALLEST), 0))
    side = min(side, 0.9) if moving else side
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    half = np.array([min(side * stretch, 1) * width / 2, min(side / stretch, 1) * height / 2])
    middle = np.array([target[0] + target[2] - 1, target[1] + target[3] - 1]) / 2
    centre = middle + rng.uniform(-0.8, 0.8, 2) * half
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = rng.normal(0, 0.08) if rng.random() < 0.3 else 0.0
    path = _path(rng, frames) if moving else np.zeros((frames, 6))
    views = []
    for right, down, closer, turned, *tilt in path.tolist():
        now = np.minimum(half * np.exp(closer), np.array([width, height]) / 2)
        at = np.clip(centre + np.array([right, down]) * half, now - 0.5, [width, height] - now)
        views.append(View((at[0], at[1]), (mirror * now[0], now[1]), turn + turned, tuple(tilt)))
    return views


def _path(rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """Path of a camera: (T, 6) right, down, closer, rotation and two tilts; starts at zero."""
    usual = np.array([0.06, 0.06, 0.025, 0.02, 0.01, 0.01])
    speed = np.exp(rng.uniform(np.log(0.1), np.log(3.0)))
    velocity = rng.normal(size=6)
    steps = np.zeros((frames, 6))
    for index in range(1, frames):
        velocity = 0.85 * velocity + 0.53 * rng.normal(size=6)
        steps[index] = steps[index - 1] + speed * usual * velocity
    shake = rng.normal(size=(frames, 6)) * usual * rng.choice([0, 0.05, 0.15])
    shake[0] = 0
    limit = np.array([1.5, 1.5, 0.7, 0.6, 0.2, 0.2])
    return np.asarray(np.clip(steps + shake, -limit, limit), np.float64)


def reduced(pictures: Image, scale: float) -> tuple[Image, Matrix]:
    """Reduce a picture by averaging before a view is taken, so that fine detail does not flicker.

    Args:
        pictures: (H, W) or (H, W, 3) uint8.
        scale: source pixels per pixel of the view.

    Returns:
        the smaller picture, and the (3, 3) matrix from its pixels to those of the source.
    """
    if scale <= _SHARPEST:
        return pictures, np.eye(3)
    height, width = pictures.shape[:2]
    small = max(1, round(width / scale)), max(1, round(height / scale))
    x, y = width / small[0], height / small[1]
    back = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    return np.asarray(cv2.resize(pictures, small, interpolation=cv2.INTER_AREA), np.uint8), back


def render_view(picture: Image, view: View, size: int, colour: Sequence[int] = (0, 0, 0)) -> Image:
    """Render a view of a picture: (S, S, 3) uint8, with a single colour outside the source."""
    small, back = reduced(picture, _scale(view, size))
    matrix = view.matrix(size) @ back
    return np.asarray(cv2.warpPerspective(small, matrix, (size, size), borderValue=colour))


def render_mask(mask: NDArray[np.bool_], view: View, size: int) -> NDArray[np.bool_]:
    """Render a view of a mask (H, W): (S, S) bool, False outside the source."""
    small, back = reduced(mask.view(np.uint8) * np.uint8(255), _scale(view, size))
    seen = cv2.warpPerspective(small, view.matrix(size) @ back, (size, size))
    return np.asarray(seen > 255 * _INSIDE, np.bool_)


def _scale(view: View, size: int) -> float:
    return 2 * min(abs(view.half[0]), view.half[1]) / size


def jitter_colours(rng: np.random.Generator, images: Image) -> Image:
    """Change exposure, gamma, tint, saturation and quality of a clip (T, S, S, 3) uint8.

    The exposure drifts a little from frame to frame.
    """
    saturation = 0.0 if rng.random() < 0.05 else float(np.exp(rng.normal(0, 0.3)))
    grey = np.full((3, 3), 1 / 3) * (1 - saturation) + np.eye(3) * saturation
    gamma = np.exp(rng.normal(0, 0.2))
    gains = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.06, 3))
    offset = rng.normal(0, 0.03)
    drift = np.cumsum(rng.normal(0, rng.choice([0, 0.01, 0.04]), len(images)))
    blur = float(rng.choice([0, 0, 0, 0.6, 1.0]))
    quality = int(rng.choice([0, 0, 0, 75, 40]))
    levels = np.linspace(0, 1, 256)[:, None]
    developed = np.empty_like(images)
    for index, image in enumerate(images):
        table = (levels**gamma + offset) * gains * np.exp(drift[index])
        table = np.clip(255 * table, 0, 255).astype(np.uint8).reshape(256, 1, 3)
        picture = cv2.LUT(cv2.transform(image, grey), table)
        if blur:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        if quality:
            _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
        developed[index] = picture
    return developed

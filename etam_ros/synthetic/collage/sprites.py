"""Cut-outs: of photographs, and drawn shapes filled with something.

A sprite is (h, w, 4) uint8: colour already times alpha, and alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.motion import Rng, chance, log_uniform
from etam_ros.synthetic.material.records import Partition

Picture = NDArray[np.uint8]

_SHAPE_PX: Final = 160  # side of a drawn shape before it is scaled
_ROOM: Final = 0.14  # clear margin about a thing, of its size, into which it may bend
_SHIFT: Final = 4  # binary digits of a pixel's fraction in OpenCV's drawing


@dataclass(frozen=True, eq=False)
class Cutout:
    """A thing cut out, before it is placed.

    Attributes:
        colour: (h, w, 3) uint8.
        alpha: (h, w) uint8.
        parts: (h, w) uint8 each: parts of it that are things of their own.
        corner: (x, y) of its top-left pixel in the photograph.
    """

    colour: Picture = field(repr=False)
    alpha: Picture = field(repr=False)
    parts: tuple[Picture, ...] = ()
    corner: tuple[int, int] = (0, 0)

    @property
    def area(self) -> float:
        """Pixels that it covers."""
        return max(1.0, float(np.count_nonzero(self.alpha > 127)))

    def scaled(self, factor: float) -> Cutout:
        """The same, smaller by a factor."""
        height, width = self.alpha.shape
        wh = (max(3, round(width * factor)), max(3, round(height * factor)))
        small = [
            np.asarray(cv2.resize(each, wh, interpolation=cv2.INTER_AREA), np.uint8)
            for each in (self.colour, self.alpha, *self.parts)
        ]
        return Cutout(small[0], small[1], tuple(small[2:]))

    def sprite(self) -> Picture:
        """(h, w, 4): colour times alpha, and alpha."""
        cover = cv2.cvtColor(self.alpha, cv2.COLOR_GRAY2RGB)
        colour = cv2.multiply(self.colour, cover, scale=1.0 / 255.0)
        return np.asarray(cv2.merge([*cv2.split(colour), self.alpha]), np.uint8)


def cut(rng: Rng, image: Picture, things: Partition, index: int, parts: int) -> Cutout:
    """Cut a thing out of a photograph.

    Args:
        rng: for how its edge is drawn and which parts are kept.
        image: (H, W, 3) uint8, the photograph.
        parts: at most so many parts of it become things of their own.
    """
    mask = things.mask(index)
    x, y, width, height = cv2.boundingRect(mask)
    room = round(_ROOM * max(width, height)) + 2
    rows = slice(max(0, y - room), y + height + room)
    columns = slice(max(0, x - room), x + width + room)
    alpha = mask[rows, columns]
    if chance(rng, 0.4):  # without the rim, which shows the old background
        alpha = np.asarray(cv2.erode(alpha, np.ones((3, 3), np.uint8)), np.uint8)
    soft = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.5, 1.6))
    labels = things.labels[rows, columns]
    inside = things.parts(index)
    chosen = rng.permutation(inside)[:parts] if parts and len(inside) else ()
    pieces = tuple(things.paint(int(part), labels) for part in chosen)
    cutout = image[rows, columns], np.asarray(soft, np.uint8), pieces
    return Cutout(*cutout, (columns.start, rows.start))


def draw_shape(rng: Rng, fill: Picture, inlay: Picture | None) -> Cutout:
    """Draw a shape of one of several kinds.

    Args:
        fill: (h, w, 3) what it is filled with; stretched over it.
        inlay: what a part of it is filled with; that part is a thing of its own.
    """
    kind = rng.integers(4)
    alpha = _drawn(rng, (_blob, _polygon, _limbs, _ellipses)[kind])
    side = (_SHAPE_PX, _SHAPE_PX)
    colour = np.array(cv2.resize(fill, side, interpolation=cv2.INTER_AREA), np.uint8)
    parts: tuple[Picture, ...] = ()
    if inlay is not None:
        piece = cv2.bitwise_and(_drawn(rng, _inlay), alpha)
        other = np.asarray(cv2.resize(inlay, side, interpolation=cv2.INTER_AREA), np.uint8)
        colour[piece > 127] = other[piece > 127]
        parts = (np.asarray(piece, np.uint8),)
    if chance(rng, 0.6):
        colour = _lit(rng, colour, alpha)
    return Cutout(colour, alpha, parts)


def _drawn(rng: Rng, shape: Callable[[Rng, Picture], None]) -> Picture:
    canvas = np.zeros((_SHAPE_PX, _SHAPE_PX), np.uint8)
    shape(rng, canvas)
    return canvas


def _fill(
    canvas: Picture, x: NDArray[np.float64], y: NDArray[np.float64], value: int = 255
) -> None:
    """Fill an outline given in -1..1, anti-aliased, in place."""
    half = _SHAPE_PX / 2.0
    reach = half * (1.0 - _ROOM)
    points = np.rint((np.stack([x, y], 1) * reach + half) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [points], value, cv2.LINE_AA, _SHIFT)


def _blob(rng: Rng, canvas: Picture) -> None:
    """A smooth closed curve, lightly or deeply lobed."""
    angle = np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)
    orders = np.arange(2, 8)[:, None]
    depth = rng.uniform(0.1, 0.55) * rng.normal(0.0, 1.0, (6, 1)) / orders
    radius = np.exp((depth * np.cos(orders * angle + rng.uniform(0, 6.3, (6, 1)))).sum(0))
    stretch = rng.uniform(0.4, 1.0)
    x, y = radius * np.cos(angle), radius * np.sin(angle) * stretch
    most = max(np.abs(x).max(), np.abs(y).max())
    _fill(canvas, x / most, y / most)


def _polygon(rng: Rng, canvas: Picture) -> None:
    """Straight sides: boards, boxes, stars."""
    count = int(rng.integers(3, 10))
    angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, count))
    if chance(rng, 0.5):
        angle = np.arange(count) * 2.0 * np.pi / count + rng.uniform(0.0, 6.3)
    radius = rng.uniform(0.35, 1.0, count) if chance(rng, 0.5) else np.ones(count)
    stretch = rng.uniform(0.3, 1.0)
    _fill(canvas, radius * np.cos(angle), radius * np.sin(angle) * stretch)


def _limbs(rng: Rng, canvas: Picture) -> None:
    """A trunk with arms or legs: animals, people, furniture."""
    half, digits = _SHAPE_PX / 2.0, 1 << _SHIFT
    trunk = rng.uniform(-0.3, 0.3, 4)
    angle = np.linspace(0.0, 2.0 * np.pi, 40)
    wide, high = rng.uniform(0.25, 0.6), rng.uniform(0.2, 0.5)
    _fill(canvas, trunk[0] * 0.3 + wide * np.cos(angle), high * np.sin(angle))
    for _ in range(int(rng.integers(2, 7))):
        turn = rng.uniform(0.0, 2.0 * np.pi)
        start = np.array([wide * 0.8 * np.cos(turn), high * 0.8 * np.sin(turn)])
        knee = start + rng.uniform(0.15, 0.4) * np.array([np.cos(turn), np.sin(turn)])
        bend = turn + rng.uniform(-0.9, 0.9)
        foot = knee + rng.uniform(0.15, 0.4) * np.array([np.cos(bend), np.sin(bend)])
        line = np.clip(np.stack([start, knee, foot]), -0.85, 0.85) * half * 0.95 + half
        thick = int(rng.integers(4, _SHAPE_PX // 7))
        points = np.rint(line * digits).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, thick, cv2.LINE_AA, _SHIFT)


def _ellipses(rng: Rng, canvas: Picture) -> None:
    """Balls, rings, and a few of them joined."""
    angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    if chance(rng, 0.5):
        flat = rng.uniform(0.35, 1.0)
        _fill(canvas, np.cos(angle), flat * np.sin(angle))
        if chance(rng, 0.35):
            hole = rng.uniform(0.3, 0.75)
            _fill(canvas, hole * np.cos(angle), flat * hole * np.sin(angle), 0)
        return
    centre: NDArray[np.float64] = np.zeros(2, np.float64)
    for _ in range(int(rng.integers(2, 5))):
        wide, high = rng.uniform(0.2, 0.5, 2)
        x, y = centre[0] + wide * np.cos(angle), centre[1] + high * np.sin(angle)
        _fill(canvas, np.clip(x, -1, 1), np.clip(y, -1, 1))
        turn = rng.uniform(0.0, 2.0 * np.pi)
        centre = np.clip(centre + 0.45 * np.array([np.cos(turn), np.sin(turn)]), -0.6, 0.6)


def _inlay(rng: Rng, canvas: Picture) -> None:
    """A stripe, a patch or a half."""
    turn, offset = rng.uniform(0.0, np.pi), rng.uniform(-0.4, 0.4)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    if chance(rng, 0.4):
        angle = np.linspace(0.0, 2.0 * np.pi, 48)
        size = rng.uniform(0.2, 0.45)
        x, y = size * np.cos(angle), size * rng.uniform(0.5, 1.0) * np.sin(angle)
        _fill(canvas, x + offset * along[0], y + offset * along[1])
        return
    width = rng.uniform(0.15, 0.5) if chance(rng, 0.5) else 2.0
    corners = [2.0 * along + offset * across, -2.0 * along + offset * across]
    corners += [corner + width * across for corner in reversed(corners)]
    points = np.stack(corners)
    _fill(canvas, points[:, 0], points[:, 1])


def _lit(rng: Rng, colour: Picture, alpha: Picture) -> Picture:
    """Round it off: light from one side, darker towards the edge."""
    blurred = cv2.blur(alpha, (31, 31))
    turn = rng.uniform(0.0, 2.0 * np.pi)
    shift = np.array([[1.0, 0.0, 9.0 * np.cos(turn)], [0.0, 1.0, 9.0 * np.sin(turn)]])
    moved = cv2.warpAffine(blurred, shift, blurred.shape[::-1])
    strength = log_uniform(rng, 0.25, 1.0)
    low = 255.0 * (1.0 - strength)
    shade = cv2.convertScaleAbs(moved, alpha=strength, beta=low)
    cover = cv2.cvtColor(shade, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(colour, cover, scale=1.0 / 255.0), np.uint8)

"""Things that stand or move on the ground: drawn as lit, deforming cut-outs with shadows.

Letters: h, w size of the patch of the picture that a thing covers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.scene.blur import SHUTTER, streak_kernel
from etam_ros.synthetic.scene.camera import Lens, Pose, Wander
from etam_ros.synthetic.scene.light import Light, Linear, lit
from etam_ros.synthetic.scene.noise import Field
from etam_ros.synthetic.scene.shapes import GRID, Shape

SOLID: Final = 0.5


@dataclass(frozen=True)
class Posture:
    """How a thing is at one moment.

    Attributes:
        place: (X, Y, Z) of its lowest point in metres; Y above the ground.
        size: half its height and width in metres.
        turn: radians clockwise in the picture.
        stretch: height over width of the deformation; 1 none.
        bend: sideways bend of its top, in local units.
        ripple: phase of a wave that runs through it, radians.
        roll: how far its skin has turned, in local units (x, y).
    """

    place: tuple[float, float, float]
    size: float
    turn: float = 0.0
    stretch: float = 1.0
    bend: float = 0.0
    ripple: float = 0.0
    roll: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Actor:
    """A thing: its shape, its skin, and where it is at what time.

    Attributes:
        object_id: its id in label images; 0 for scenery.
        shape: silhouette and surface.
        skin: (S, S, 3) linear reflectance, mirrored beyond its border.
        gloss: 0 matt to 1 wet.
        posture: posture at a time in frames.
        fineness: texture pixels per local unit.
        ripple_depth: strength of the wave that runs through it, local units.
    """

    object_id: int
    shape: Shape
    skin: Linear = field(repr=False)
    gloss: float
    posture: Callable[[float], Posture] = field(repr=False)
    fineness: float = 80.0
    ripple_depth: float = 0.0


@dataclass(frozen=True, eq=False)
class Patch:
    """What one thing adds to the picture.

    Attributes:
        window: rows and columns of the picture.
        light: (h, w, 3) linear light, already times alpha.
        alpha: (h, w) float32, with motion blur.
        solid: (h, w) bool: where it is, at the middle of the exposure.
    """

    window: tuple[slice, slice]
    light: Linear = field(repr=False)
    alpha: Field = field(repr=False)
    solid: NDArray[np.bool_] = field(repr=False)


class ProjectedActor:
    """An actor as a camera sees it at one moment."""

    def __init__(self, actor: Actor, t: float, lens: Lens, pose: Pose) -> None:
        self.actor = actor
        self.posture = actor.posture(t)
        x, y, z = self.posture.place
        foot_u, foot_v, px_per_m = lens.project(pose, (x, 0.0, z))
        self.depth = lens.focal_px / px_per_m
        self.scale = px_per_m * self.posture.size  # pixels per local unit
        self.foot = (foot_u, foot_v)
        self.lift = px_per_m * y
        rise = actor.shape.bottom * self.scale * self.posture.stretch
        self.centre = (foot_u, foot_v - self.lift - rise)

    def window(self, hw: tuple[int, int], margin: float) -> tuple[slice, slice] | None:
        """Rows and columns that it may touch, or None out of view."""
        reach = 1.12 * self.scale * max(self.posture.stretch, 1.0 / self.posture.stretch)
        reach = reach * 1.25 + margin
        left, right = self.centre[0] - reach, self.centre[0] + reach
        top, bottom = self.centre[1] - reach, self.centre[1] + reach
        x0, x1 = max(0, int(left)), min(hw[1], int(right) + 1)
        y0, y1 = max(0, int(top)), min(hw[0], int(bottom) + 1)
        return None if x0 >= x1 or y0 >= y1 else (slice(y0, y1), slice(x0, x1))

    def local(self, window: tuple[slice, slice]) -> tuple[Field, Field]:
        """Local coordinates of each pixel of a window, deformation undone, both (h, w)."""
        posture = self.posture
        rows, columns = window
        dx = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - self.centre[0]
        dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - self.centre[1]
        dx, dy = np.float32(1.0 / self.scale) * dx, np.float32(1.0 / self.scale) * dy
        dy = dy * np.float32(1.0 / posture.stretch)  # squash and stretch stay upright
        dx = dx * np.float32(posture.stretch)
        cos, sin = np.float32(np.cos(posture.turn)), np.float32(np.sin(posture.turn))
        x = np.asarray(cos * dx + sin * dy, np.float32)
        y = np.asarray(cos * dy - sin * dx, np.float32)
        if posture.bend:
            x += np.float32(posture.bend) * (y - 1.0) ** 2 * np.float32(0.25)
        if self.actor.ripple_depth:
            depth, phase = np.float32(self.actor.ripple_depth), np.float32(posture.ripple)
            x += depth * np.sin(np.float32(3.6) * y + phase)
            y += depth * np.sin(np.float32(3.1) * x - phase)
        return x, y


def render(
    projected: ProjectedActor, hw: tuple[int, int], light: Light, velocity: tuple[float, float]
) -> Patch | None:
    """Draw one thing.

    Args:
        hw: (H, W) of the picture.
        velocity: (x, y) pixels per frame, for motion blur.

    Returns:
        its patch, or None out of view.
    """
    actor = projected.actor
    streak = (velocity[0] * SHUTTER, velocity[1] * SHUTTER)
    window = projected.window(hw, margin=float(np.hypot(*streak)))
    if window is None:
        return None
    x, y = projected.local(window)
    half = np.float32((GRID - 1) / 2.0)
    shape = actor.shape.surface
    at = x * half + half, y * half + half
    surface = cv2.remap(shape, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    alpha, nx, ny = np.moveaxis(np.asarray(surface, np.float32), 2, 0)
    # The skin lies round the body: it shrinks towards the edge, and turns with it.
    wrap = np.float32(0.45)
    roll_x, roll_y = projected.posture.roll
    fine, middle = np.float32(actor.fineness), np.float32(actor.skin.shape[0] / 2.0)
    u = (x + wrap * nx + np.float32(roll_x)) * fine + middle
    v = (y + wrap * ny + np.float32(roll_y)) * fine + middle
    mapped = cv2.remap(actor.skin, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    colour = np.asarray(mapped, np.float32)
    turn = projected.posture.turn
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    shaded = lit(colour, cos * nx - sin * ny, sin * nx + cos * ny, light, actor.gloss)
    shaded *= alpha[..., None]
    solid = alpha > SOLID
    kernel = streak_kernel(velocity)
    if kernel is not None:
        shaded, alpha = _streaked(shaded, kernel), _streaked(alpha, kernel)
    return Patch(window, shaded, alpha, solid)


def _streaked(image: NDArray[np.float32], kernel: Field) -> NDArray[np.float32]:
    blurred = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def composite(picture: Linear, patch: Patch) -> None:
    """Put a patch over the picture, in place."""
    rows, columns = patch.window
    under = picture[rows, columns]
    under *= 1.0 - patch.alpha[..., None]
    under += patch.light


class Wobble:
    """The small changes of posture of something alive or loose."""

    def __init__(self, rng: np.random.Generator, liveliness: float) -> None:
        self._turn = Wander(rng, 0.3 * liveliness, 60.0)
        self._stretch = Wander(rng, 0.13 * liveliness, 34.0)
        self._bend = Wander(rng, 0.28 * liveliness, 46.0)
        self._speed = rng.uniform(0.12, 0.35)

    def __call__(self, t: float) -> tuple[float, float, float, float]:
        """Turn, stretch, bend and ripple at time t."""
        return self._turn(t), float(np.exp(self._stretch(t))), self._bend(t), self._speed * t

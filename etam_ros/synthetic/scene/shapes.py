"""Silhouettes of things and the surfaces they bulge into.

Letters: G side of a shape's grid. Local coordinates run from -1 to 1, x right and y down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.scene.noise import Field, fractal_noise

GRID: Final = 224
_COARSE: Final = 56  # the bulge is smooth: solve it coarsely
_SWEEPS: Final = 500
_MARGIN: Final = 0.9  # of the grid that a shape fills


@dataclass(frozen=True, eq=False)
class Shape:
    """A silhouette with a surface.

    Attributes:
        surface: (G, G, 3) float32: alpha 0..1, and the x and y of the surface's normal (length
            at most 1; the rest of it looks at the camera).
        bottom: local y of the lowest point.
        half_width: largest local |x|.
    """

    surface: NDArray[np.float32] = field(repr=False)
    bottom: float
    half_width: float


def _axes() -> tuple[Field, Field]:
    """Local x and y of every grid cell, both (G, G)."""
    line = np.linspace(-1.0, 1.0, GRID, dtype=np.float32)
    return np.meshgrid(line, line)[0], np.meshgrid(line, line)[1]


def body(rng: np.random.Generator) -> Field:
    """A trunk with one to four limbs that melt into it: toys, animals, fruit, stones."""
    x, y = _axes()
    trunk = (rng.uniform(0.36, 0.6), rng.uniform(0.3, 0.52))
    total = _ellipse(x, y, (0.0, 0.0), trunk, rng.uniform(-0.4, 0.4))
    for _ in range(int(rng.integers(1, 5))):
        angle = rng.uniform(0.0, 2.0 * np.pi)
        reach = rng.uniform(0.85, 1.35)
        centre = (reach * trunk[0] * np.cos(angle), reach * trunk[1] * np.sin(angle))
        radii = (rng.uniform(0.12, 0.3), rng.uniform(0.14, 0.34))
        total = total + _ellipse(x, y, centre, radii, rng.uniform(0.0, np.pi))
    return total - np.float32(1.0)


def vessel(rng: np.random.Generator) -> Field:
    """A thing turned on a lathe: vases, bottles, cups, lamps."""
    x, y = _axes()
    heights = np.linspace(-0.88, 0.88, 5)
    radii = rng.uniform(0.2, 0.5, 5)
    radii[rng.integers(2, 4)] = rng.uniform(0.5, 0.68)
    steps = np.linspace(-1.0, 1.0, GRID)
    profile = np.interp(steps, heights, radii).astype(np.float32)
    profile = cv2.GaussianBlur(profile[:, None], (1, 0), 0, sigmaY=GRID / 14)
    ends = np.clip((0.88 - np.abs(steps)) / 0.14, -1.0, 1.0).astype(np.float32)[:, None]
    return np.asarray(np.minimum(profile - np.abs(x), 0.4 * ends + 0.0 * y), np.float32)


def ball(rng: np.random.Generator) -> Field:
    """A ball, slightly out of round."""
    x, y = _axes()
    radii = (rng.uniform(0.8, 0.9), rng.uniform(0.72, 0.9))
    return np.asarray(1.0 - (x / radii[0]) ** 2 - (y / radii[1]) ** 2, np.float32)


def ring(rng: np.random.Generator) -> Field:
    """A ring or tyre, through which one sees what is behind."""
    x, y = _axes()
    squash = rng.uniform(0.75, 1.0)
    radius = np.sqrt(x**2 + (y / squash) ** 2)
    return np.asarray(rng.uniform(0.2, 0.3) - np.abs(radius - 0.6), np.float32)


def block(rng: np.random.Generator) -> Field:
    """A rounded block: crates, hedges, plinths."""
    x, y = _axes()
    power = rng.uniform(7.0, 14.0)
    return np.asarray(1.0 - np.abs(x / 0.92) ** power - np.abs(y / 0.92) ** power, np.float32)


MOVING: Final[tuple[tuple[str, Callable[[np.random.Generator], Field]], ...]] = (
    ("toy", body), ("toy", body), ("toy", body), ("vase", vessel), ("ball", ball), ("ring", ring),
)  # fmt: skip
"""What a moving object may be, with its silhouette; bodies are the most common."""


def make_shape(
    outline: Field, rng: np.random.Generator, *, fuzz: float = 0.0, bulge: float = 1.0
) -> Shape:
    """Turn a field that is positive inside into a shape with a bulging surface.

    Args:
        outline: (G, G), positive inside.
        fuzz: roughness of the silhouette, 0 smooth to 1 leafy.
        bulge: 1 fully round, 0 flat as a board.
    """
    if fuzz > 0.0:
        rough = fractal_noise(rng, (GRID, GRID), GRID / 14, 3) - 0.5
        steepness = float(np.abs(np.gradient(outline)[0]).max()) * GRID / 2.0
        outline = outline + np.float32(fuzz * 0.06 * min(steepness, 4.0)) * rough
    mask = _largest_part((outline > 0.0).astype(np.uint8))
    mask = _fill_grid(mask)
    normals = np.float32(bulge) * _normals(mask)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    alpha = np.clip((inside - outside) / 2.0 + 0.5, 0.0, 1.0)  # a soft pixel at the edge
    rows, columns = np.nonzero(mask)
    local = np.linspace(-1.0, 1.0, GRID)
    surface = np.dstack([alpha, normals]).astype(np.float32)
    width = max(abs(float(local[columns.min()])), abs(float(local[columns.max()])))
    return Shape(surface, float(local[rows.max()]), width)


def _ellipse(
    x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float], turn: float
) -> Field:
    """A bell over an ellipse: 1 on its outline."""
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    u, v = (cos * dx + sin * dy) / radii[0], (cos * dy - sin * dx) / radii[1]
    return np.asarray(np.exp(2.0 * (1.0 - u**2 - v**2)), np.float32)


def _largest_part(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(labels == largest, np.uint8)


def _fill_grid(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale and centre the mask so that it uses the grid up to its margin."""
    x, y, width, height = cv2.boundingRect(mask)
    scale = _MARGIN * GRID / max(width, height)
    offset = (GRID - 1) / 2.0 - scale * (np.array([x, y]) + (np.array([width, height]) - 1) / 2.0)
    matrix = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    soft = cv2.warpAffine(mask.astype(np.float32), matrix, (GRID, GRID), flags=cv2.INTER_LINEAR)
    return np.asarray(soft > 0.5, np.uint8)


def _normals(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(G, G, 2) x and y of the normal of a skin blown up under the mask.

    The skin's square is the solution of Poisson's equation with zero at the edge: over a disc
    that is exactly a ball.
    """
    filled = mask.astype(np.float32)
    small = cv2.resize(filled, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    coarse = np.asarray(small, np.float32)
    kernel = np.array([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]], np.float32)
    square = np.zeros_like(coarse)
    for _ in range(_SWEEPS):
        raised = np.asarray(cv2.filter2D(square, -1, kernel), np.float32) + np.float32(1.0)
        square = raised * coarse
    fine = cv2.resize(square, (GRID, GRID), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(np.maximum(fine, 0.0), (0, 0), 2.0)
    height = np.sqrt(fine + 0.05) * (2.0 * GRID / _COARSE)
    slope_y, slope_x = np.gradient(height)
    length = np.sqrt(1.0 + slope_x**2 + slope_y**2)
    return np.asarray(np.dstack([-slope_x / length, -slope_y / length]), np.float32)

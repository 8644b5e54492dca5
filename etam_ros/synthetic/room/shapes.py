"""What a room is made of: flat faces, round columns and balls, each with a texture.

World coordinates as ROS has them: x forward, y left, z up, metres; the floor is z = 0. Rays start
at the camera and have one unit along its axis, so that the length along a ray is depth.
Letters: h, w size of the part of the picture that is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Values = NDArray[np.float32]

NEAR_M = 0.05
"""What is nearer to the camera is not seen."""


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays through the pixels of a part of a picture: centre + depth * direction.

    Attributes:
        centre: of the camera, (3,).
        axes: (3, 3): forward, left and up of the camera in the world, in rows.
        left: (1, w) and up: (h, 1): the direction is forward + left * axes[1] + up * axes[2].
    """

    centre: Vector
    axes: Vector = field(repr=False)
    left: Values = field(repr=False)
    up: Values = field(repr=False)

    def along(self, vector: Vector) -> Values:
        """(h, w) directions projected on a vector."""
        forward, left, up = (np.float32(value) for value in self.axes @ vector)
        return np.asarray(forward + left * self.left + up * self.up, np.float32)


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays meet a shape, all (h, w).

    Attributes:
        depth: inf where they do not.
        u, v: texture coordinates, 0..1; undefined where they do not meet.
        light: 0..1 and above.
    """

    depth: Values
    u: Values
    v: Values
    light: Values | float


class Shape3D(Protocol):
    """Something that rays meet."""

    @property
    def texture(self) -> int:
        """Number of its texture."""

    def corners(self) -> Vector:
        """(N, 3) points whose convex hull holds it."""

    def hit(self, rays: Rays) -> Hits | None:
        """Where rays meet it; None if it looks away."""


@dataclass(frozen=True, eq=False)
class Face:
    """A flat rectangle that is seen from the side from which `down` is clockwise of `across`.

    Attributes:
        corner: its upper left one as seen from the front, (3,).
        across, down: its edges from there, (3,), at right angles.
        texture: number.
        light: how bright it is.
    """

    corner: Vector
    across: Vector
    down: Vector
    texture: int
    light: float = 1.0

    def corners(self) -> Vector:
        """Its four."""
        steps = ((0, 0), (0, 1), (1, 0), (1, 1))
        return np.array([self.corner + a * self.across + b * self.down for a, b in steps])

    def hit(self, rays: Rays) -> Hits | None:
        """A plane, cut off at the edges."""
        away = self.corner - rays.centre
        normal = np.asarray(np.cross(self.across, self.down), np.float64)  # into the wall
        towards = float(normal @ away)
        if towards <= 1e-9:
            return None
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            depth = np.float32(towards) / rays.along(normal)
            u = depth * rays.along(self.across / (self.across @ self.across))
            v = depth * rays.along(self.down / (self.down @ self.down))
            u -= np.float32(away @ self.across / (self.across @ self.across))
            v -= np.float32(away @ self.down / (self.down @ self.down))
            inside = (depth > NEAR_M) & (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
        depth[~inside] = np.inf
        return Hits(depth, u, v, self.light)


@dataclass(frozen=True, eq=False)
class Column:
    """An upright cylinder without its ends.

    Attributes:
        x, y: of its axis. bottom, top: heights.
        radius: metres.
        texture: number; wraps around once.
        heading: radians by which it is turned.
    """

    x: float
    y: float
    bottom: float
    top: float
    radius: float
    texture: int
    heading: float = 0.0

    def corners(self) -> Vector:
        """Of the box around it."""
        half = (self.top - self.bottom) / 2
        return _box((self.x, self.y, self.bottom + half), (self.radius, self.radius, half))

    def hit(self, rays: Rays) -> Hits:
        """The nearer of two solutions of a quadratic equation."""
        fx, fy = rays.along(np.array([1.0, 0, 0])), rays.along(np.array([0, 1.0, 0]))
        from_x, from_y = np.float32(rays.centre[0] - self.x), np.float32(rays.centre[1] - self.y)
        depth = _nearer(
            fx * fx + fy * fy, fx * from_x + fy * from_y,
            from_x**2 + from_y**2 - np.float32(self.radius**2),
        )  # fmt: skip
        with np.errstate(invalid="ignore"):
            z = np.float32(rays.centre[2]) + depth * rays.along(np.array([0, 0, 1.0]))
            depth[~((z >= self.bottom) & (z <= self.top))] = np.inf
            normal_x = (from_x + depth * fx) / np.float32(self.radius)
            normal_y = (from_y + depth * fy) / np.float32(self.radius)
            v = (np.float32(self.top) - z) / np.float32(self.top - self.bottom)
        return Hits(depth, _around(normal_x, normal_y, self.heading), v, _lit(normal_x, normal_y))


@dataclass(frozen=True, eq=False)
class Ball:
    """A sphere.

    Attributes:
        x, y, z: its centre. radius: metres.
        texture: number; wraps around once.
        heading: radians by which it is turned.
    """

    x: float
    y: float
    z: float
    radius: float
    texture: int
    heading: float = 0.0

    def corners(self) -> Vector:
        """Of the box around it."""
        return _box((self.x, self.y, self.z), (self.radius,) * 3)

    def hit(self, rays: Rays) -> Hits:
        """The nearer of two solutions of a quadratic equation."""
        along = [rays.along(axis) for axis in np.eye(3)]
        start = (rays.centre - np.array([self.x, self.y, self.z])).astype(np.float32)
        depth = _nearer(
            along[0] ** 2 + along[1] ** 2 + along[2] ** 2,
            along[0] * start[0] + along[1] * start[1] + along[2] * start[2],
            np.float32(start @ start - self.radius**2),
        )
        with np.errstate(invalid="ignore"):
            normal = [
                (s + depth * a) / np.float32(self.radius)
                for a, s in zip(along, start, strict=True)
            ]
            v = np.arccos(np.clip(normal[2], -1, 1)) / np.float32(np.pi)
            light = _lit(normal[0], normal[1]) + np.float32(0.25) * normal[2]
        return Hits(depth, _around(normal[0], normal[1], self.heading), v, light)


def _box(centre: tuple[float, ...], half: tuple[float, ...]) -> Vector:
    """(8, 3) corners of an upright box."""
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    return np.asarray(np.array(centre) + signs * np.array(half), np.float64)


def _nearer(a: Values, half_b: Values, c: np.float32) -> Values:
    """The nearer solution of a t² + 2 half_b t + c = 0 before the camera, else inf."""
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = (-half_b - np.sqrt(half_b * half_b - a * c)) / a
        depth[~(depth > NEAR_M)] = np.inf
    return np.asarray(depth, np.float32)


def _around(normal_x: Values, normal_y: Values, heading: float) -> Values:
    """0..1 once around the vertical axis."""
    with np.errstate(invalid="ignore"):
        turns = (np.arctan2(normal_y, normal_x) - np.float32(heading)) / np.float32(2 * np.pi)
        return np.asarray(turns % 1.0, np.float32)


def _lit(normal_x: Values, normal_y: Values) -> Values:
    """Brightest where a wall looks towards the windows, back and to the left."""
    with np.errstate(invalid="ignore"):
        return np.asarray(0.78 - 0.2 * normal_x + 0.22 * normal_y, np.float32)

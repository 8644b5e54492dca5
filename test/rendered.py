"""Small scenes with exact depth: spheres, boxes and planes, cast ray by ray.

Coordinates: the camera's optical frame, x right, y down, z forward, in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion; its axis goes through the middle of the picture."""

    hw: tuple[int, int] = (360, 640)
    focal_px: float = 500.0

    @property
    def middle(self) -> tuple[float, float]:
        return (self.hw[1] - 1) / 2, (self.hw[0] - 1) / 2

    def rays(self) -> Array:
        """(H, W, 3) with z = 1."""
        ys, xs = np.mgrid[: self.hw[0], : self.hw[1]].astype(float)
        return self.ray(xs, ys)

    def ray(self, x, y) -> Array:
        cx, cy = self.middle
        flat = ((x - cx) / self.focal_px, (y - cy) / self.focal_px, 1.0)
        return np.stack(np.broadcast_arrays(*flat), -1)


@dataclass(frozen=True)
class Sphere:
    centre: tuple[float, float, float]
    radius: float

    def depth(self, rays: Array) -> Array:
        """Depth along z at which each ray meets it first; infinite where it does not."""
        a = (rays**2).sum(-1)
        b = rays @ np.array(self.centre)
        root = b**2 - a * (np.dot(self.centre, self.centre) - self.radius**2)
        with np.errstate(invalid="ignore"):
            return np.where(root >= 0, (b - np.sqrt(root)) / a, np.inf)


@dataclass(frozen=True)
class Box:
    """Turned about the vertical axis by `yaw`."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float = 0.0

    def depth(self, rays: Array) -> Array:
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        origin, half = -turn @ np.array(self.centre), np.array(self.size) / 2
        directions = rays @ turn.T
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = np.stack([(-half - origin) / directions, (half - origin) / directions])
        near, far = sides.min(0).max(-1), sides.max(0).min(-1)
        return np.where((near <= far) & (near > 0), near, np.inf)


@dataclass(frozen=True)
class Wall:
    """A plane through (0, 0, z), which leans and turns by slopes of z along x and y."""

    z: float
    slope_x: float = 0.0
    slope_y: float = 0.0

    def depth(self, rays: Array) -> Array:
        along = 1 - self.slope_x * rays[..., 0] - self.slope_y * rays[..., 1]
        with np.errstate(divide="ignore"):
            return np.where(along > 0, self.z / along, np.inf)


def render(camera: Pinhole, *things) -> tuple[Array, NDArray[np.intp]]:
    """Exact depth (H, W), infinite where nothing is, and which thing is seen, -1 for none."""
    depths = np.stack([thing.depth(camera.rays()) for thing in things])
    nearest = depths.argmin(0)
    depth = depths.min(0)
    return depth, np.where(np.isfinite(depth), nearest, -1)

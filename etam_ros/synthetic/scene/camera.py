"""A hand-held pinhole camera in a small world.

World coordinates: X right, Y up, Z away from the camera, metres; the ground is Y = 0. Time t is in
frames. Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class Wander:
    """A value that drifts smoothly about zero: a few sine waves of random phase.

    Args:
        amplitude: largest deviation, roughly.
        period: of the slowest wave, in frames; the others are faster and weaker.
    """

    def __init__(self, rng: np.random.Generator, amplitude: float, period: float) -> None:
        self._frequencies = 2.0 * np.pi / period * np.array([1.0, 1.7, 3.1])
        self._frequencies *= rng.uniform(0.85, 1.15, 3)
        self._phases = rng.uniform(0.0, 2.0 * np.pi, 3)
        self._weights = amplitude * np.array([0.6, 0.3, 0.15])

    def __call__(self, t: float) -> float:
        """The value at time t."""
        return float(self._weights @ np.sin(self._frequencies * t + self._phases))


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a camera is and how it looks: rotation (3, 3) world to camera, position (3,)."""

    rotation: Matrix = field(repr=False)
    position: Matrix = field(repr=False)


@dataclass(frozen=True)
class Lens:
    """Focal length in pixels and picture size (H, W)."""

    focal_px: float
    hw: tuple[int, int]

    @property
    def matrix(self) -> Matrix:
        """(3, 3), for a camera frame of x right, y down, z forward."""
        height, width = self.hw
        centre = ((width - 1) / 2.0, (height - 1) / 2.0)
        return np.array(
            [[self.focal_px, 0.0, centre[0]], [0.0, self.focal_px, centre[1]], [0.0, 0.0, 1.0]]
        )

    def project(self, pose: Pose, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """Pixel (u, v) of a world point and the pixels that one metre covers there."""
        seen = pose.rotation @ (np.asarray(point) - pose.position)
        depth = max(float(seen[2]), 0.05)
        u, v, _ = self.matrix @ (seen / depth)
        return float(u), float(v), self.focal_px / depth

    def ground_homography(self, pose: Pose) -> Matrix:
        """(3, 3) from ground points (X, Z, 1) to pixels."""
        rotation = pose.rotation
        columns = [rotation[:, 0], rotation[:, 2], -rotation @ pose.position]
        return np.asarray(self.matrix @ np.stack(columns, axis=1))

    def wall_homography(self, pose: Pose, distance: float) -> Matrix:
        """(3, 3) from points (X, Y, 1) of the plane Z = distance to pixels."""
        rotation = pose.rotation
        shift = np.array([0.0, 0.0, distance]) - pose.position
        columns = [rotation[:, 0], rotation[:, 1], rotation @ shift]
        return np.asarray(self.matrix @ np.stack(columns, axis=1))


class CameraPath:
    """A camera that drifts, pans and trembles about where it stands.

    Args:
        height: above the ground in metres.
        pitch: how far it looks down, in radians.
        liveliness: 0 a tripod, 1 a lively hand.
    """

    def __init__(
        self, rng: np.random.Generator, height: float, pitch: float, liveliness: float
    ) -> None:
        self._height, self._pitch = height, pitch
        slow, shake = 110.0, 9.0
        self._moves = [Wander(rng, liveliness * reach, slow) for reach in (0.45, 0.08, 0.3)]
        self._turns = [Wander(rng, liveliness * reach, slow) for reach in (0.07, 0.03, 0.025)]
        self._shakes = [Wander(rng, liveliness * 0.0022, shake) for _ in range(3)]

    def pose(self, t: float) -> Pose:
        """The pose at time t."""
        x, y, z = (move(t) for move in self._moves)
        yaw, pitch, roll = (turn(t) + tremble(t) for turn, tremble in zip(
            self._turns, self._shakes, strict=True))  # fmt: skip
        return _pose((x, self._height + y, z), yaw, self._pitch + pitch, roll)

    @property
    def rest(self) -> Pose:
        """The pose about which it wanders."""
        return _pose((0.0, self._height, 0.0), 0.0, self._pitch, 0.0)


def _pose(position: tuple[float, float, float], yaw: float, pitch: float, roll: float) -> Pose:
    """Yaw to the right, pitch down, roll clockwise, all in radians."""
    flip = np.diag([1.0, -1.0, 1.0])  # the picture's y looks down
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
    cos, sin = np.cos(pitch), np.sin(pitch)
    nod = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    cos, sin = np.cos(roll), np.sin(roll)
    lean = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return Pose(lean @ nod @ flip @ turn, np.asarray(position, np.float64))

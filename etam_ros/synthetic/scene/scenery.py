"""The background of a clip: a floor and a wall in perspective, moved by the camera.

Both are drawn once, as the camera at rest would see them with a wider lens, and then only warped
from frame to frame: a warp that is nearly the identity needs no filtering against aliasing.
Letters: H, W size of the picture in pixels.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from etam_ros.synthetic.scene.camera import CameraPath, Lens, Matrix, Pose
from etam_ros.synthetic.scene.light import Light, Linear, Picture, to_canvas
from etam_ros.synthetic.scene.noise import Field, fractal_noise
from etam_ros.synthetic.scene.surroundings import PLACES

_WIDER: Final = 1.5  # canvas over picture
_FLOOR_PX_PER_M: Final = 220.0
_MIP_LEVELS: Final = 6


class Scenery:
    """A place with a floor and a wall.

    Args:
        path: of the camera; the canvases are drawn from where it rests.
        distance: of the wall in metres.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        lens: Lens,
        path: CameraPath,
        light: Light,
        distance: float,
    ) -> None:
        self._lens = lens
        self._distance = distance
        height, width = (round(_WIDER * side) for side in lens.hw)
        wide = Lens(lens.focal_px, (height, width))
        floor, wall = PLACES[int(rng.integers(0, len(PLACES)))]
        blur = rng.uniform(0.6, 3.0)
        to_floor: Matrix = np.asarray(np.linalg.inv(wide.ground_homography(path.rest)), np.float64)
        # The row of the canvas at which floor and wall meet.
        self._joint = round(wide.project(path.rest, (0.0, 0.0, distance))[1])
        self._floor = _floor_canvas(floor(rng), to_floor, (height, width), self._joint, rng, light)
        self._wall = _wall_canvas(wall(rng), wide, path.rest, distance, blur, light)
        self._floor_from = to_floor
        self._wall_from = np.linalg.inv(wide.wall_homography(path.rest, distance))

    def draw(self, pose: Pose) -> Picture:
        """(H, W, 3) the place as a canvas, see `light.from_canvas`."""
        height, width = self._lens.hw
        wall = self._lens.wall_homography(pose, self._distance) @ self._wall_from
        picture = cv2.warpPerspective(
            self._wall, wall, (width, height), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )  # fmt: skip
        # The floor's canvas begins at the joint; what lies above it stays wall.
        crop = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, self._joint], [0.0, 0.0, 1.0]])
        floor = self._lens.ground_homography(pose) @ self._floor_from @ crop
        return np.asarray(cv2.warpPerspective(
            self._floor, floor, (width, height), dst=picture, flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        ), np.uint8)  # fmt: skip


def _floor_canvas(
    texture: Linear,
    to_floor: Matrix,
    hw: tuple[int, int],
    joint: int,
    rng: np.random.Generator,
    light: Light,
) -> Picture:
    """The floor below the joint, lit unevenly."""
    rows, columns = np.mgrid[joint : hw[0], 0 : hw[1]].astype(np.float64)
    x, z, w = np.tensordot(to_floor, np.stack([columns, rows, np.ones_like(rows)]), axes=1)
    x, z = x / w, z / w
    floor = _sample(texture, x * _FLOOR_PX_PER_M, z * _FLOOR_PX_PER_M)
    pools = 0.55 + 0.75 * fractal_noise(rng, (hw[0] - joint, hw[1]), (3, 2), 3)
    edge = 1.0 - 0.45 * np.exp(-np.arange(len(floor)) / 9.0)  # the wall keeps light away
    floor *= (pools * edge[:, None]).astype(np.float32)[..., None]
    floor *= light.lamp * abs(float(light.towards[1])) + light.sky
    return to_canvas(floor)


def _wall_canvas(
    texture: Linear, wide: Lens, rest: Pose, distance: float, blur: float, light: Light
) -> Picture:
    """The wall, from where it stands on the floor upwards, a little out of focus."""
    height, width = wide.hw
    metres = 1.25 * width * distance / wide.focal_px  # as broad as the canvas sees, and some
    scale = metres / texture.shape[1]
    plane = np.array(
        [[scale, 0.0, -metres / 2.0], [0.0, -scale, scale * (texture.shape[0] - 1)], [0, 0, 1.0]]
    )
    matrix = wide.wall_homography(rest, distance) @ plane
    wall = cv2.warpPerspective(
        texture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    wall = np.asarray(cv2.GaussianBlur(wall, (0, 0), blur), np.float32)
    wall = wall * (light.lamp * max(float(light.towards[2]), 0.2) + light.sky)
    return to_canvas(np.asarray(wall, np.float32))


def _sample(texture: Linear, u: Matrix, v: Matrix) -> Linear:
    """Look a texture up, mirrored beyond its border, with the detail that each pixel can show."""
    side = texture.shape[0]
    footprint = np.maximum(np.hypot(*np.gradient(u)), np.hypot(*np.gradient(v)))
    detail = np.clip(np.log2(np.maximum(footprint, 1e-3)) - 0.3, 0.0, _MIP_LEVELS - 1.001)
    total = np.zeros((*u.shape, 3), np.float32)
    level = texture
    for step in range(_MIP_LEVELS):
        weight: Field = np.maximum(0.0, 1.0 - np.abs(detail - step)).astype(np.float32)
        x, y = (_mirrored(at / side) * (level.shape[0] - 1) for at in (u, v))
        seen = cv2.remap(level, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
        total += weight[..., None] * np.asarray(seen, np.float32)
        half = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        level = np.asarray(half, np.float32)
    return total


def _mirrored(at: Matrix) -> Matrix:
    """Fold any number into 0..1, there and back."""
    return np.asarray(1.0 - np.abs((at + 0.37) % 2.0 - 1.0))

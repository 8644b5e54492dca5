"""Pictures, depths and masks of a room from any pose of a camera.

Letters: H, W height and width of a picture in pixels; h, w of a part of it; A of the atlas, which
holds all textures side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.room.shapes import Rays, Shape3D, Values, Vector

Picture = NDArray[np.uint8]

_LEVELS: Final = 4
"""Each half as fine as the one before, so that what is far away does not glitter."""
_MARGIN_PX: Final = 16
_GAMMA: Final = 1 / 2.2
_LENS_BLUR_PX: Final = 0.5


@dataclass(frozen=True)
class RoomCamera:
    """A pinhole camera that looks level.

    Attributes:
        hw: size of its pictures in pixels.
        focal_px: focal length.
    """

    hw: tuple[int, int] = (240, 320)
    focal_px: float = 235.0

    @property
    def centre(self) -> tuple[float, float]:
        """Pixel (x, y) of its axis."""
        return (self.hw[1] - 1) / 2.0, (self.hw[0] - 1) / 2.0

    def rays(self, position: Vector, heading: float) -> Rays:
        """Through every pixel."""
        cos, sin = math.cos(heading), math.sin(heading)
        axes = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        x, y = self.centre
        left = (x - np.arange(self.hw[1], dtype=np.float32))[None] / np.float32(self.focal_px)
        up = (y - np.arange(self.hw[0], dtype=np.float32))[:, None] / np.float32(self.focal_px)
        return Rays(position, axes, left, up)


@dataclass(frozen=True, eq=False)
class RoomView:
    """What a camera sees.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        depth_m: (H, W) float32, along the axis; inf where there is nothing.
        shape: (H, W) int16, index of the shape that is seen; -1 where there is none.
    """

    image: Picture = field(repr=False)
    depth_m: Values = field(repr=False)
    shape: NDArray[np.int16] = field(repr=False)


class Renderer:
    """Draws shapes with their textures.

    Args:
        camera: size and lens.
        textures: (A, A, 3) uint8 RGB each; sizes may differ.
        density: of each texture, pixels per metre.
    """

    def __init__(
        self, camera: RoomCamera, textures: Sequence[Picture], density: Sequence[float]
    ) -> None:
        self.camera = camera
        self._atlas, self._places = _atlas_of(textures)
        self._levels = [self._atlas]
        for _ in range(_LEVELS - 1):
            self._levels.append(np.asarray(cv2.pyrDown(self._levels[-1]), np.uint8))
        self._density = np.array(density, np.float32)

    def render(self, shapes: Sequence[Shape3D], position: Vector, heading: float) -> RoomView:
        """One picture, from a point (3,) and a heading in radians to the left of x."""
        hw = self.camera.hw
        rays = self.camera.rays(position, heading)
        buffer = _Buffer(
            np.full(hw, np.inf, np.float32),
            np.full(hw, -1, np.int16),
            np.zeros(hw, np.float32),
            np.zeros(hw, np.float32),
            np.zeros(hw, np.float32),
        )
        for index, shape in enumerate(shapes):
            part = self._part(shape, rays)
            if part is not None:
                self._draw(buffer, index, shape, rays, part)
        textures = np.array([shape.texture for shape in shapes], np.intp)
        image = self._coloured(buffer, self._density[textures])
        return RoomView(image, buffer.depth, buffer.shape)

    def _part(self, shape: Shape3D, rays: Rays) -> tuple[slice, slice] | None:
        """Rows and columns that can see it; all where it reaches behind the camera."""
        seen = (shape.corners() - rays.centre) @ rays.axes.T  # (N, 3): forward, left, up
        if (seen[:, 0] <= 0.05).all():
            return None
        height, width = self.camera.hw
        if (seen[:, 0] <= 0.05).any():
            return slice(0, height), slice(0, width)
        x0, y0 = self.camera.centre
        x = x0 - self.camera.focal_px * seen[:, 1] / seen[:, 0]
        y = y0 - self.camera.focal_px * seen[:, 2] / seen[:, 0]
        first_x, last_x = max(0, math.floor(x.min())), min(width, math.ceil(x.max()) + 1)
        first_y, last_y = max(0, math.floor(y.min())), min(height, math.ceil(y.max()) + 1)
        if first_x >= last_x or first_y >= last_y:
            return None
        return slice(first_y, last_y), slice(first_x, last_x)

    def _draw(
        self,
        buffer: _Buffer,
        index: int,
        shape: Shape3D,
        rays: Rays,
        part: tuple[slice, slice],
    ) -> None:
        rows, columns = part
        hits = shape.hit(Rays(rays.centre, rays.axes, rays.left[:, columns], rays.up[rows]))
        if hits is None:
            return
        wins = hits.depth < buffer.depth[part]
        left, top, width, height = self._places[shape.texture]
        np.copyto(buffer.depth[part], hits.depth, where=wins)
        np.copyto(buffer.shape[part], np.int16(index), where=wins)
        np.copyto(buffer.x[part], left + hits.u * np.float32(width - 1), where=wins)
        np.copyto(buffer.y[part], top + hits.v * np.float32(height - 1), where=wins)
        np.copyto(buffer.light[part], np.asarray(hits.light, np.float32), where=wins)

    def _coloured(self, buffer: _Buffer, density: Values) -> Picture:
        """Look every pixel up in the level of the atlas that is as coarse as the picture."""
        depth = np.minimum(buffer.depth, 100.0)
        footprint = depth * density[buffer.shape] / np.float32(self.camera.focal_px)
        level = np.clip(np.log2(np.maximum(footprint, 1.0)), 0, _LEVELS - 1)
        image = np.zeros((*depth.shape, 3), np.float32)
        for number, atlas in enumerate(self._levels):
            share = np.maximum(1.0 - np.abs(level - number), 0.0)
            scale = np.float32(0.5**number)
            x, y = buffer.x * scale, buffer.y * scale
            image += share[..., None] * cv2.remap(atlas, x, y, cv2.INTER_LINEAR)
        light = np.clip(buffer.light, 0.05, 1.6) ** np.float32(_GAMMA)
        image *= np.where(buffer.shape >= 0, light, 0)[..., None]
        blurred = cv2.GaussianBlur(image, (0, 0), _LENS_BLUR_PX)
        return np.asarray(np.clip(blurred + 0.5, 0, 255), np.uint8)


@dataclass(frozen=True, eq=False)
class _Buffer:
    """What is nearest at every pixel, all (H, W)."""

    depth: Values
    shape: NDArray[np.int16]
    x: Values
    y: Values
    light: Values


def _atlas_of(
    textures: Sequence[Picture],
) -> tuple[Picture, list[tuple[int, int, int, int]]]:
    """All textures below each other, apart; and left, top, width, height of each."""
    width = max(texture.shape[1] for texture in textures) + 2 * _MARGIN_PX
    rows, places, top = [], [], 0
    for texture in textures:
        h, w = texture.shape[:2]
        places.append((_MARGIN_PX, top + _MARGIN_PX, w, h))
        rows.append(
            cv2.copyMakeBorder(
                texture, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, width - w - _MARGIN_PX,
                cv2.BORDER_REPLICATE,
            )
        )  # fmt: skip
        top += h + 2 * _MARGIN_PX
    return np.concatenate(rows), places

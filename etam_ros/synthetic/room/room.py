"""One furnished room, made from a seed, with a figure that walks about in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from etam_ros.synthetic.room.rendering import Picture, Renderer, RoomCamera, RoomView
from etam_ros.synthetic.room.shapes import Ball, Column, Face, Rays, Shape3D, Vector
from etam_ros.synthetic.room.surfaces import floorboards, jacket, material, plain, wall
from etam_ros.synthetic.scene.textures import fabric, marble, wood

X: Final = (-2.5, 9.0)
Y: Final = (-4.0, 4.0)
HEIGHT_M: Final = 2.6
BODY_RADIUS_M: Final = 0.2
BODY_HEIGHT_M: Final = 0.85
HEAD_RADIUS_M: Final = 0.15
DENSITY: Final = 120.0
"""Pixels per metre of most textures."""
FLOOR_DENSITY: Final = 200.0


@dataclass(frozen=True)
class Box:
    """A piece of furniture, from the floor up.

    Attributes:
        x, y: ranges in metres. height: metres.
        look: name of its material.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    height: float
    look: str


SCREEN: Final = Box((5.5, 5.56), (-0.7, 2.0), 1.7, "fabric")
PILLAR: Final = (1.36, -0.28, 0.17)
"""x, y and radius."""
FURNITURE: Final = (
    SCREEN,
    Box((8.3, 9.0), (-3.2, -0.9), 0.8, "wood"),
    Box((4.6, 6.2), (3.4, 4.0), 2.0, "wood"),
    Box((1.0, 2.6), (3.3, 4.0), 0.45, "fabric"),
    Box((1.6, 3.2), (-4.0, -3.4), 0.75, "marble"),
    Box((5.6, 6.3), (-3.9, -3.3), 1.1, "wood"),
    Box((8.4, 9.0), (2.7, 3.4), 0.6, "fabric"),
)
LAMP: Final = (2.9, 0.12)
SIDE_LIGHT: Final = {"back": 0.85, "front": 0.62, "left": 0.72, "right": 0.95, "top": 1.1}


class Room:
    """What stands in the room, and pictures of it.

    Args:
        seed: everything but the places of things follows from it.
        camera: that looks.
    """

    def __init__(self, seed: int, camera: RoomCamera) -> None:
        self._rng = np.random.default_rng(seed)
        self._textures: list[Picture] = []
        self._density: list[float] = []
        self._shapes: list[Shape3D] = [*self._walls()]
        self._floor = len(self._shapes) - 2  # above it the ceiling
        for box in FURNITURE:
            self._shapes += self._box(box)
        self._shapes += self._lamp(*LAMP)
        x, y, radius = PILLAR
        plaster = self._add(plain(self._rng, (round(HEIGHT_M * 60), 60), (204, 202, 196)), 60.0)
        self._shapes.append(Column(x, y, 0.0, HEIGHT_M, radius, plaster))
        self._jacket = self._add(jacket(self._rng, (160, 240)), 180.0)
        self._skin = self._add(plain(self._rng, (64, 128), (214, 170, 140), 0.2), 180.0)
        self.camera = camera
        self._renderer = Renderer(camera, self._textures, self._density)

    def view(
        self, position: Vector, heading: float, figure: tuple[float, float, float]
    ) -> RoomView:
        """What a camera at a point (3,) sees that looks along a heading in radians.

        Args:
            figure: x, y and heading of the figure; its shapes are the last ones.
        """
        shapes = [*self._shapes, *self._figure(figure)]
        view = self._renderer.render(shapes, position, heading)
        self._cast_shadow(view, self.camera.rays(position, heading), figure)
        return view

    def whole_figure_px(self, distance_m: float) -> float:
        """About how many pixels of the figure there are at a distance when nothing hides it."""
        height_m = BODY_HEIGHT_M + 1.6 * HEAD_RADIUS_M
        return 2 * BODY_RADIUS_M * height_m * (self.camera.focal_px / distance_m) ** 2

    def _cast_shadow(self, view: RoomView, rays: Rays, figure: tuple[float, float, float]) -> None:
        """Darken the floor around the figure's feet."""
        floor = view.shape == self._floor
        depth = np.where(floor, view.depth_m, 0)
        x = np.float32(rays.centre[0]) + depth * rays.along(np.array([1.0, 0, 0]))
        y = np.float32(rays.centre[1]) + depth * rays.along(np.array([0, 1.0, 0]))
        apart = ((x - figure[0] - 0.08) ** 2 + (y - figure[1] + 0.08) ** 2) / BODY_RADIUS_M**2
        light = 1.0 - 0.55 * np.exp(-0.5 * apart) * floor
        np.multiply(view.image, light[..., None], out=view.image, casting="unsafe")

    def figure_mask(self, view: RoomView) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """(H, W) bool, where the figure is seen."""
        return np.asarray(view.shape >= len(self._shapes))

    def _figure(self, at: tuple[float, float, float]) -> Sequence[Shape3D]:
        x, y, heading = at
        return (
            Column(x, y, 0.02, BODY_HEIGHT_M, BODY_RADIUS_M, self._jacket, heading),
            Ball(x, y, BODY_HEIGHT_M + 0.6 * HEAD_RADIUS_M, HEAD_RADIUS_M, self._skin, heading),
        )

    def _add(self, texture: Picture, density: float = DENSITY) -> int:
        self._textures.append(texture)
        self._density.append(density)
        return len(self._textures) - 1

    def _walls(self) -> list[Face]:
        length, width = X[1] - X[0], Y[1] - Y[0]
        rng = self._rng
        colours = [(206, 200, 184), (186, 200, 204), (214, 196, 170), (196, 204, 186)]
        across = [np.array(a, float) for a in ((0, -1, 0), (-1, 0, 0), (0, 1, 0), (1, 0, 0))]
        corners = [(X[1], Y[1]), (X[1], Y[0]), (X[0], Y[0]), (X[0], Y[1])]
        sides = [width, length, width, length]
        down = np.array([0.0, 0.0, -HEIGHT_M])
        faces = []
        for colour, way, corner, side, light in zip(
            colours, across, corners, sides, (0.95, 1.05, 0.85, 0.8), strict=True
        ):
            hw = (round(HEIGHT_M * DENSITY), round(side * DENSITY))
            texture = self._add(wall(rng, hw, colour, DENSITY))
            top = np.array([*corner, HEIGHT_M])
            faces.append(Face(top, way * side, down, texture, light))
        boards = self._add(
            floorboards(rng, (round(length * FLOOR_DENSITY), round(width * FLOOR_DENSITY))),
            FLOOR_DENSITY,
        )
        to_right, to_us = np.array([0.0, -width, 0.0]), np.array([-length, 0.0, 0.0])
        faces.append(Face(np.array([X[1], Y[1], 0.0]), to_right, to_us, boards, 1.0))
        ceiling = self._add(plain(rng, (128, 128), (235, 233, 228), 0.05), 16.0)
        far_right = np.array([X[0], Y[1], HEIGHT_M])
        faces.append(Face(far_right, to_right, -to_us, ceiling, 0.9))
        return faces

    def _box(self, box: Box) -> list[Face]:
        """Its four sides and its top, which is seen of low ones."""
        (x0, x1), (y0, y1), height = box.x, box.y, box.height
        down = np.array([0.0, 0.0, -height])
        sides = {
            "back": ((x0, y1), (0, y0 - y1)),
            "right": ((x0, y0), (x1 - x0, 0)),
            "front": ((x1, y0), (0, y1 - y0)),
            "left": ((x1, y1), (x0 - x1, 0)),
        }
        faces = []
        for name, (corner, way) in sides.items():
            side = math.hypot(*way)
            hw = (round(height * DENSITY), max(8, round(side * DENSITY)))
            texture = self._add(self._look(box.look, hw))
            across = np.array([*way, 0.0])
            top = np.array([*corner, height])
            faces.append(Face(top, across, down, texture, SIDE_LIGHT[name]))
        hw = (max(8, round((x1 - x0) * DENSITY)), max(8, round((y1 - y0) * DENSITY)))
        texture = self._add(self._look(box.look, hw))
        across, down = np.array([0.0, y0 - y1, 0.0]), np.array([x0 - x1, 0.0, 0.0])
        faces.append(Face(np.array([x1, y1, height]), across, down, texture, SIDE_LIGHT["top"]))
        return faces

    def _look(self, name: str, hw: tuple[int, int]) -> Picture:
        rng = np.random.default_rng(sum(map(ord, name)))  # all wood is of one tree
        return material({"wood": wood, "marble": marble, "fabric": fabric}[name], rng, hw)

    def _lamp(self, x: float, y: float) -> list[Shape3D]:
        pole = self._add(plain(self._rng, (64, 32), (60, 60, 64)))
        shade = self._add(plain(self._rng, (64, 128), (240, 214, 150), 0.1))
        return [
            Column(x, y, 0.0, 1.4, 0.04, pole),
            Column(x, y, 1.35, 1.75, 0.22, shade),
        ]

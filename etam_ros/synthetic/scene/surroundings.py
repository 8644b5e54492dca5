"""Floors, walls and views: the large surfaces behind and below everything.

Each is a picture of a plane, (rows, columns, 3) float32 linear light, upright.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.scene import textures
from etam_ros.synthetic.scene.light import Linear
from etam_ros.synthetic.scene.noise import cells_noise, fractal_noise, smooth_noise
from etam_ros.synthetic.scene.textures import Rng, hsv, shade, to_linear

_SIDE: Final = 768  # of a floor's texture
_WALL: Final = (440, 1400)  # of which the upper third is rarely in view


def _rgb(*channels: float) -> NDArray[np.float32]:
    return np.array(channels, np.float32)


def planks(rng: Rng) -> Linear:
    """Boards of different tone with dark joints."""
    floor = textures.wood(rng, _SIDE)
    board = _SIDE // int(rng.integers(6, 11))
    for top in range(0, _SIDE, board):
        strip = floor[top : top + board]
        strip[:] = np.roll(strip, int(rng.integers(0, _SIDE)), axis=1) * rng.uniform(0.75, 1.1)
        cut = int(rng.integers(0, _SIDE))
        strip[:, cut:] *= rng.uniform(0.8, 1.1)
        strip[:, cut : cut + 3] *= 0.35
        strip[:2] *= 0.4
    return floor


def paving(rng: Rng) -> Linear:
    """Slabs of stone or marble with joints, each of its own tone."""
    floor = (textures.stone if rng.random() < 0.6 else textures.marble)(rng, _SIDE)
    slab = _SIDE // int(rng.integers(4, 8))
    for top in range(0, _SIDE, slab):
        for left in range(0, _SIDE, slab):
            floor[top : top + slab, left : left + slab] *= rng.uniform(0.75, 1.1)
    joint = np.ones((_SIDE, _SIDE), np.float32)
    joint[::slab], joint[:, ::slab] = 0.35, 0.35
    wide = cv2.erode(joint, np.ones((4, 4), np.uint8))
    soft = np.asarray(cv2.GaussianBlur(wide, (0, 0), 1.0), np.float32)
    return floor * soft[..., None]


def grass(rng: Rng) -> Linear:
    """A meadow: blades over soil, lighter and drier in places."""
    picture = np.zeros((_SIDE, _SIDE, 3), np.float32)
    picture[:] = hsv(rng, (0.08, 0.12), (0.4, 0.6), (0.15, 0.3))
    hue = rng.uniform(0.17, 0.3)
    blades = 16000
    starts = rng.integers(0, _SIDE, (blades, 2))
    ends = starts + rng.normal(0.0, 9.0, (blades, 2)).astype(int)
    tones = [hsv(rng, (hue - 0.05, hue + 0.03), (0.4, 0.85), (0.15, 0.7)) for _ in range(40)]
    for index in range(blades):
        cv2.line(picture, starts[index].tolist(), ends[index].tolist(), tones[index % 40], 2)
    dry = fractal_noise(rng, (_SIDE, _SIDE), 4, 5)[..., None]
    straw = np.asarray(hsv(rng, (0.11, 0.16), (0.3, 0.5), (0.5, 0.7)), np.float32)
    mix = np.clip(dry * 1.6 - 0.7, 0.0, 0.6)
    return to_linear(np.asarray(picture * (1.0 - mix) + straw * mix, np.float32))


def carpet(rng: Rng) -> Linear:
    """A woven carpet."""
    weave = textures.fabric(rng, _SIDE // 2)
    return np.asarray(np.tile(weave, (2, 2, 1)) * 0.8, np.float32)


def gravel(rng: Rng) -> Linear:
    """Sand or gravel with tracks."""
    distance, value = cells_noise(rng, (_SIDE, _SIDE), 60_000)
    grains = 0.7 * value + 0.3 * np.clip(1.0 - distance / 3.0, 0.0, 1.0)
    tone = 0.65 * fractal_noise(rng, (_SIDE, _SIDE), 6, 7, 0.7) + 0.35 * grains
    hue = rng.uniform(0.05, 0.12)
    dark = hsv(rng, (hue, hue), (0.15, 0.4), (0.25, 0.4))
    light = hsv(rng, (hue, hue + 0.03), (0.1, 0.4), (0.6, 0.85))
    return shade(np.asarray(tone, np.float32), [dark, light])


def room_wall(rng: Rng) -> Linear:
    """Plaster or wallpaper with a skirting board, pictures, a window or a shelf."""
    rows, columns = _WALL
    hue = rng.uniform(0, 1)
    base = hsv(rng, (hue, hue + 0.05), (0.05, 0.45), (0.55, 0.9))
    wall = np.empty((rows, columns, 3), np.float32)
    wall[:] = to_linear(np.asarray(base, np.float32))
    if rng.random() < 0.4:
        paper = textures.fabric(rng, 320)
        wall *= 0.6 + 0.8 * np.tile(paper, (2, 5, 1))[:rows, :columns]
    wall *= (0.8 + 0.3 * fractal_noise(rng, _WALL, (3, 6), 6, 0.6))[..., None]
    left = int(rng.integers(0, 200))
    furniture = [_window, _shelf, _framed, _framed, _shelf, _window]
    while left < columns - 330:
        width = int(rng.integers(110, 320))
        furniture[int(rng.integers(0, len(furniture)))](rng, wall, left, width)
        left += width + int(rng.integers(40, 200))
    board = to_linear(np.asarray(hsv(rng, (0.05, 0.12), (0.05, 0.6), (0.3, 0.9)), np.float32))
    wall[-26:] = board * np.linspace(1.0, 0.6, 26, dtype=np.float32)[:, None, None]
    return wall


def _window(rng: Rng, wall: Linear, left: int, width: int) -> None:
    """Bright daylight with something green outside, and a frame with a cross."""
    top, bottom = int(rng.integers(10, 60)), int(rng.integers(250, 330))
    pane = wall[top:bottom, left : left + width]
    green = textures.foliage(rng, 256)
    view = cv2.resize(green, (pane.shape[1], pane.shape[0]), interpolation=cv2.INTER_AREA)
    sky = np.linspace(2.0, 0.6, pane.shape[0], dtype=np.float32)[:, None, None]
    pane[:] = cv2.GaussianBlur(view, (0, 0), 4.0) * 1.2 + sky * _rgb(0.8, 0.9, 1.0)
    frame = np.float32(rng.uniform(0.2, 0.8))
    cv2.rectangle(wall, (left, top), (left + width, bottom), (float(frame),) * 3, 12)
    middle = left + width // 2
    cv2.line(wall, (middle, top), (middle, bottom), (float(frame) * 0.9,) * 3, 7)


def _framed(rng: Rng, wall: Linear, left: int, width: int) -> None:
    """A framed picture: any surface will do as a painting."""
    side = min(width, 200)
    top = int(rng.integers(110, 210))
    height = int(side * rng.uniform(0.6, 1.0))
    paint = textures.SURFACES[int(rng.integers(0, len(textures.SURFACES)))](rng, 256)
    inner = cv2.resize(paint, (side, height), interpolation=cv2.INTER_AREA)
    wall[top + 8 : top + height + 16, left + 8 : left + side + 12] *= 0.6  # its shadow
    target = wall[top : top + height, left : left + side]
    target[:] = inner[: target.shape[0], : target.shape[1]]
    tone = float(rng.uniform(0.02, 0.5))
    cv2.rectangle(
        wall, (left, top), (left + side, top + height), (tone, tone * 0.8, tone * 0.6), 8
    )


def _shelf(rng: Rng, wall: Linear, left: int, width: int) -> None:
    """A shelf with books of all colours."""
    top = int(rng.integers(70, 150))
    for level in range(2):
        foot = top + (level + 1) * 110
        wall[foot - 105 : foot, left : left + width] *= 0.3
        x = left + 4
        while x < left + width - 26:
            thick, tall = int(rng.integers(9, 26)), int(rng.integers(55, 100))
            colour = to_linear(np.asarray(hsv(rng, (0, 1), (0.2, 0.9), (0.2, 0.85)), np.float32))
            book = wall[foot - tall : foot, x : x + thick]
            book[:] = colour
            book *= np.sin(np.linspace(0.5, 2.6, thick, dtype=np.float32))[None, :, None]
            if rng.random() < 0.6:
                book[8:14] = book[8:14] * 0.4 + 0.3
            x += thick + (int(rng.integers(0, 30)) if rng.random() < 0.15 else 1)
        wood = to_linear(np.asarray(hsv(rng, (0.06, 0.1), (0.4, 0.6), (0.3, 0.6)), np.float32))
        wall[foot : foot + 10, left - 6 : left + width + 6] = wood


def brick_wall(rng: Rng) -> Linear:
    """Bricks with mortar, stains and a door or two."""
    rows, columns = _WALL
    joints = fractal_noise(rng, _WALL, (20, 40), 4)
    greys = [hsv(rng, (0.08, 0.12), (0.05, 0.15), (tone, tone + 0.1)) for tone in (0.45, 0.65)]
    wall = textures.shade(joints, greys)
    high, wide = int(rng.integers(16, 24)), int(rng.integers(44, 64))
    hue = rng.uniform(0.0, 0.07)
    rough = 0.7 + 0.5 * fractal_noise(rng, _WALL, (40, 80), 4, 0.7)
    for row, top in enumerate(range(0, rows, high)):
        for left in range(-wide // 2 * (row % 2), columns, wide):
            colour = hsv(rng, (hue, hue + 0.03), (0.35, 0.75), (0.3, 0.65))
            cut = slice(max(0, left + 2), max(0, left + wide - 2))
            wall[top + 2 : top + high - 2, cut] = to_linear(np.asarray(colour, np.float32))
    wall *= rough[..., None]
    left = int(rng.integers(100, columns - 300))
    _framed(rng, wall, left, 160)
    wall *= (0.75 + 0.4 * smooth_noise(rng, _WALL, (2, 5)))[..., None]
    return wall


def view(rng: Rng) -> Linear:
    """Sky with clouds over hills, trees and a hedge."""
    rows, columns = _WALL
    y = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None]
    clouds = fractal_noise(rng, _WALL, (4, 5), 7, 0.55)
    cover = np.clip((clouds - rng.uniform(0.4, 0.6)) * 4.0, 0.0, 1.0)[..., None]
    blue = _rgb(0.22, 0.42, 0.85) * (1.0 - 0.2 * y[..., None]) + 0.5 * y[..., None]
    picture = np.asarray(blue * (1 - cover) + cover * _rgb(1.2, 1.2, 1.22), np.float32)
    far = _rgb(0.4, 0.5, 0.65)
    for layer in range(4):  # the farther, the paler and the finer
        ridge = fractal_noise(rng, (1, columns), (1, 3 + 4 * layer), 7, 0.5)[0]
        horizon = rows * (0.56 + 0.11 * layer - (0.2 - 0.02 * layer) * ridge)
        mask = np.arange(rows, dtype=np.float32)[:, None] > horizon[None, :]
        size = 110 + 70 * layer
        leaf = cv2.resize(textures.foliage(rng, 512), (size, size), interpolation=cv2.INTER_AREA)
        leaves = np.tile(leaf, (rows // size + 1, columns // size + 1, 1))[:rows, :columns]
        crowns = fractal_noise(rng, _WALL, (10 + 4 * layer, 36), 5, 0.6)
        leaves = leaves * rng.uniform(0.8, 1.2) * (0.4 + 1.2 * crowns)[..., None]
        haze = np.float32(0.6 - 0.19 * layer)
        picture[mask] = (leaves * (1.0 - haze) + far * haze)[mask]
    return picture


PLACES: Final[tuple[tuple[Callable[[Rng], Linear], Callable[[Rng], Linear]], ...]] = (
    (planks, room_wall),
    (carpet, room_wall),
    (paving, room_wall),
    (grass, view),
    (gravel, view),
    (grass, brick_wall),
    (paving, brick_wall),
)
"""Floors and what stands behind them."""

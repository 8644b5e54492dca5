"""Textures of a room: floorboards, painted walls with pictures on them, furniture, the figure.

A texture here is (A, A, 3) uint8 RGB; the materials are those of drawn scenes.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.scene.noise import fractal_noise
from etam_ros.synthetic.scene.surroundings import planks
from etam_ros.synthetic.scene.textures import Rng, Texture, painted

Picture = NDArray[np.uint8]
Colour = tuple[float, float, float]


def seen(texture: Texture) -> Picture:
    """Linear light, 0..1 -> sRGB, 0..255."""
    return np.asarray(np.clip(texture, 0, 1) ** (1 / 2.2) * 255.0 + 0.5, np.uint8)


def material(make: Callable[[Rng, int], Texture], rng: Rng, hw: tuple[int, int]) -> Picture:
    """A material cut to height and width in pixels."""
    return np.ascontiguousarray(seen(make(rng, max(hw)))[: hw[0], : hw[1]])


def floorboards(rng: Rng, hw: tuple[int, int]) -> Picture:
    """Planks, laid as often as it takes."""
    laid = seen(planks(rng))
    times = [-(-side // size) for side, size in zip(hw, laid.shape, strict=False)]
    return np.ascontiguousarray(np.tile(laid, (*times, 1))[: hw[0], : hw[1]])


def wall(rng: Rng, hw: tuple[int, int], colour: Colour, density: float) -> Picture:
    """Painted plaster over a skirting board, with framed pictures, darker in its corners."""
    height, width = hw
    noise = fractal_noise(rng, hw, (4, 4 * width / height), 4)
    picture = np.array(colour, np.float32) * (0.93 + 0.1 * noise[..., None])
    at = int(rng.uniform(0.4, 0.9) * density)
    while at < width - density:
        across, down = (round(float(rng.uniform(0.5, 0.9)) * density) for _ in range(2))
        top = round((0.75 + rng.uniform(-0.1, 0.15)) * density)
        _hang(picture, (at, top), material(painted, rng, (down, across)))
        at += across + int(rng.uniform(0.9, 1.9) * density)
    board = round(0.1 * density)
    picture[-board:] = (236, 232, 224)
    picture[-board - 2 : -board] *= 0.7
    edge = np.minimum(np.arange(width), np.arange(width)[::-1]) / (0.5 * density)
    picture *= (0.85 + 0.15 * np.clip(edge, 0, 1))[None, :, None]
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _hang(picture: NDArray[np.float32], corner: tuple[int, int], painting: Picture) -> None:
    x, y = corner
    h, w = painting.shape[:2]
    cv2.rectangle(picture, (x - 3, y - 3), (x + w + 2, y + h + 2), (70, 52, 40), cv2.FILLED)
    part = picture[y : y + h, x : x + w]
    grey = painting.mean(axis=2, keepdims=True)
    muted = 0.15 * painting + 0.35 * grey + 90.0  # they hang behind glass
    part[:] = muted[: part.shape[0], : part.shape[1]]


def plain(rng: Rng, hw: tuple[int, int], colour: Colour, roughness: float = 0.15) -> Picture:
    """One colour, a little uneven."""
    noise = fractal_noise(rng, hw, 5, 4)[..., None]
    picture = np.array(colour, np.float32) * (1.0 - roughness / 2 + roughness * noise)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def jacket(rng: Rng, hw: tuple[int, int]) -> Picture:
    """The figure's: a saturated cloth with a belt and two light bands all around it."""
    height, width = hw
    picture = plain(rng, hw, (206, 72, 38), 0.25)
    for start, end, colour in (
        (0.10, 0.17, (240, 205, 70)), (0.30, 0.37, (240, 205, 70)), (0.52, 0.58, (52, 40, 48)),
    ):  # fmt: skip
        picture[round(start * height) : round(end * height)] = colour
    waist = round(0.58 * height)
    picture[waist:] = plain(rng, (height - waist, width), (58, 76, 122), 0.3)
    return picture

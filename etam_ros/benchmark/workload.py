"""What is followed when time is measured: pictures that are the same at every call, and clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FILLING_FRAMES: Final = 17
"""Steps after which a bank is full: 6 recent memories and 15 recent pointers, and some more."""
PICTURES: Final = 8


@dataclass(frozen=True)
class Workload:
    """What is followed.

    Attributes:
        objects: how many.
        frames: that are measured; FILLING_FRAMES come before.
        source_hw: (H, W) of the pictures.
    """

    objects: int
    frames: int
    source_hw: tuple[int, int] = (720, 1280)


def synthetic_pictures(source_hw: tuple[int, int], objects: int) -> list[NDArray[np.uint8]]:
    """A row of discs that tremble before soft colours, the same at every call.

    A trained network follows the discs, whose masks are of a usual size; what an untrained one
    makes of them is as slow or slower.

    Args:
        source_hw: (H, W).
        objects: how many discs; their centres are those of `clicks`.

    Returns:
        PICTURES pictures, (H, W, 3) uint8.
    """
    rng = np.random.default_rng(0)
    height, width = source_hw
    coarse = rng.integers(96, 160, (9, 16, 3), np.uint8)
    background = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    colours = rng.integers(0, 256, (objects, 3)).tolist()
    radius = round(0.3 * min(height, width / (objects + 1)))
    pictures = []
    for index in range(PICTURES):
        picture = background.copy()
        shift = 0.05 * radius * np.sin(2 * np.pi * index / PICTURES)
        for (x, y), colour in zip(clicks(source_hw, objects), colours, strict=True):
            cv2.circle(picture, (round(x + shift), round(y)), radius, colour, cv2.FILLED)
        pictures.append(np.asarray(picture, np.uint8))
    return pictures


def clicks(source_hw: tuple[int, int], objects: int) -> list[tuple[float, float]]:
    """Where to click on the objects of the pictures, (x, y) in pixels."""
    height, width = source_hw
    return [(width * (index + 1) / (objects + 1), height / 2) for index in range(objects)]

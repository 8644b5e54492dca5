"""One colour per object id: the same in overlays, palette PNGs and plots.

The first eight are far apart in hue and lightness, also for the common colour vision deficiencies
(after the idea of Okabe and Ito, https://jfly.uni-koeln.de/color/); later ones step around the
hue circle by the golden angle while their lightness alternates.
"""

from __future__ import annotations

import colorsys
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_FIRST = (
    (255, 159, 28),  # orange
    (46, 163, 242),  # sky blue
    (32, 191, 137),  # bluish green
    (247, 228, 90),  # yellow
    (226, 84, 148),  # pink
    (108, 99, 255),  # indigo
    (214, 74, 36),  # vermilion
    (160, 232, 244),  # pale cyan
)
_GOLDEN_ANGLE = 0.381966
_LIGHTNESS = (0.62, 0.45, 0.75)


@lru_cache(maxsize=1)
def palette() -> NDArray[np.uint8]:
    """Colours of an 8-bit palette picture: (256, 3) uint8 RGB, read-only, black for id 0."""
    colours = np.zeros((256, 3), np.uint8)
    colours[1 : 1 + len(_FIRST)] = _FIRST
    for index in range(1 + len(_FIRST), 256):
        hue = (index * _GOLDEN_ANGLE) % 1.0
        colour = colorsys.hls_to_rgb(hue, _LIGHTNESS[index % 3], 0.8)
        colours[index] = [round(255 * channel) for channel in colour]
    colours.flags.writeable = False
    return colours


def object_colour(object_id: int) -> tuple[int, int, int]:
    """RGB colour of an object id (1..65535); ids beyond 255 take the colours again."""
    red, green, blue = palette()[(object_id - 1) % 255 + 1]
    return int(red), int(green), int(blue)

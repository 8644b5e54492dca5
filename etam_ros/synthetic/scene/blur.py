"""Motion blur: what moves while the shutter is open leaves a streak."""

from __future__ import annotations

from typing import Final

import numpy as np

from etam_ros.synthetic.scene.noise import Field

SHUTTER: Final = 0.35
"""How long the shutter is open, in frames."""

_LONGEST_PX: Final = 24
_SHORTEST_PX: Final = 0.8


def streak_kernel(velocity: tuple[float, float]) -> Field | None:
    """Kernel of the streak at a velocity in pixels per frame, or None where it would not show."""
    streak = (velocity[0] * SHUTTER, velocity[1] * SHUTTER)
    length = float(np.hypot(*streak))
    if length < _SHORTEST_PX:
        return None
    factor = min(1.0, _LONGEST_PX / length)
    half_x, half_y = streak[0] * factor / 2.0, streak[1] * factor / 2.0
    side = 2 * int(np.ceil(max(abs(half_x), abs(half_y)))) + 1
    kernel = np.zeros((side, side), np.float32)
    steps = 4 * side
    for step in np.linspace(-1.0, 1.0, steps):  # bilinear splats along the way
        x, y = side // 2 + step * half_x, side // 2 + step * half_y
        column, row = int(np.floor(x)), int(np.floor(y))
        for dy in (0, 1):
            for dx in (0, 1):
                if 0 <= row + dy < side and 0 <= column + dx < side:
                    weight = (1.0 - abs(x - column - dx)) * (1.0 - abs(y - row - dy))
                    kernel[row + dy, column + dx] += weight
    return np.asarray(kernel / kernel.sum(), np.float32)

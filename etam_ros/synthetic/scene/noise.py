"""Smooth random fields, the raw material of every texture.

Letters: H, W height and width in pixels; fields are (H, W) float32 between 0 and 1.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def smooth_noise(
    rng: np.random.Generator, hw: tuple[int, int], cells: tuple[float, float]
) -> Field:
    """Random values on a grid of about `cells` (vertical, horizontal), joined smoothly."""
    rows, columns = (max(1, round(count)) for count in cells)
    grid = rng.random((rows + 1, columns + 1), dtype=np.float32)
    height, width = hw
    # Half a cell beyond every border is cut off: there the interpolation has no neighbours.
    whole = (-(-width * (columns + 1) // columns), -(-height * (rows + 1) // rows))
    field = cv2.resize(grid, whole, interpolation=cv2.INTER_CUBIC)
    top, left = (whole[1] - height) // 2, (whole[0] - width) // 2
    return np.array(field[top : top + height, left : left + width], np.float32)


def fractal_noise(
    rng: np.random.Generator,
    hw: tuple[int, int],
    cells: tuple[float, float] | float,
    octaves: int = 5,
    gain: float = 0.5,
) -> Field:
    """Noise with detail at several scales, each twice as fine and `gain` times as strong.

    Returns:
        (H, W) float32, stretched so that it uses 0..1.
    """
    rows, columns = cells if isinstance(cells, tuple) else (cells, cells)
    total = np.zeros(hw, np.float32)
    strength = 1.0
    for octave in range(octaves):
        scale = 2.0**octave
        if max(rows, columns) * scale > max(hw):
            break  # finer than a pixel
        total += np.float32(strength) * smooth_noise(rng, hw, (rows * scale, columns * scale))
        strength *= gain
    return stretch(total)


def cells_noise(rng: np.random.Generator, hw: tuple[int, int], count: int) -> tuple[Field, Field]:
    """A field of random cells, as of scales, stones or leaves.

    Returns:
        distance to the nearest of `count` random points in pixels, and a value of each cell.
    """
    seeds = np.full(hw, 255, np.uint8)
    seeds[rng.integers(0, hw[0], count), rng.integers(0, hw[1], count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = rng.random(int(labels.max()) + 1, dtype=np.float32)
    return np.asarray(distance, np.float32), np.asarray(values[labels], np.float32)


def stretch(field: Field) -> Field:
    """Scale a field so that it uses 0..1."""
    low, high = float(field.min()), float(field.max())
    return np.asarray((field - low) / max(high - low, 1e-6), np.float32)


def pull(image: NDArray[np.float32], dx: Field, dy: Field) -> NDArray[np.float32]:
    """Displace an image by (dx, dy) pixels per pixel, mirrored at its borders."""
    height, width = dx.shape
    x = np.arange(width, dtype=np.float32)[None, :] + dx
    y = np.arange(height, dtype=np.float32)[:, None] + dy
    moved = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.float32)

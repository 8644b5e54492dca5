"""How far away an object is: a robust depth of what its mask covers.

A mask is a little too large here and too small there, a depth picture has holes, noise and pixels
between two surfaces at its edges, and the two pictures are never perfectly registered. So the
depth comes from the half of the mask that lies deepest inside it, and of several surfaces from the
nearest large one: what is behind an object shows through a mask more often than what is before it.

Letters: H, W height and width of the image in pixels; h, w of a mask's box; r, c rows and columns
of samples; N valid samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import DepthConfig

Depths = NDArray[np.float32]
ReadDepth = Callable[[NDArray[np.intp], NDArray[np.intp]], Depths]
"""Metres along the camera's axis at r rows and c columns, (r, c); anything where it is invalid."""

SAMPLES: Final = 100
"""Rows and columns, at most about, at which a square mask is looked at."""
BIN: Final = 0.02
"""Width of a bin of depths, as a share of themselves."""
DENSE: Final = 0.05
"""Three bins with at least this share of the samples may be part of a surface."""
LITTLE: Final = 0.15
"""A surface ends where less than this share of its peak is left: edges leave some in between."""
MAD_TO_SIGMA: Final = 1.4826
"""Of a normal distribution."""


@dataclass(frozen=True)
class SurfaceDepth:
    """How far away a surface is, along the camera's axis.

    Attributes:
        depth_m: metres; NaN when unknown.
        spread_m: 1.4826 times the median absolute deviation of the depths behind it.
    """

    depth_m: float
    spread_m: float


UNKNOWN_DEPTH: Final = SurfaceDepth(math.nan, math.nan)


def object_depth(
    read: ReadDepth,
    depth_hw: tuple[int, int],
    box: tuple[int, int, int, int],
    mask: NDArray[np.bool_],
    image_hw: tuple[int, int],
    config: DepthConfig,
) -> SurfaceDepth:
    """The depth of one object.

    Args:
        read: gives the depth at rows and columns of the depth picture.
        depth_hw: height and width of the depth picture; it shows what the image shows.
        box: (x0, y0, x1, y1) of the object in the image, x1 and y1 exclusive.
        mask: (h, w) bool, the object's pixels in its box.
        image_hw: (H, W).
        config: what is valid, and what is a surface.
    """
    if mask.size == 0:
        return UNKNOWN_DEPTH
    height, width = mask.shape
    fineness = max(depth / image for depth, image in zip(depth_hw, image_hw, strict=True))
    step = max(1, math.ceil(math.sqrt(height * width) / SAMPLES), round(1 / fineness))
    rows, columns = _places(height, step), _places(width, step)
    inside = mask[np.ix_(rows, columns)]
    if not inside.any():  # thinner than a step
        rows, columns, inside = _places(height, 1), _places(width, 1), mask
    depths = read(
        _nearest(rows + box[1], image_hw[0], depth_hw[0]),
        _nearest(columns + box[0], image_hw[1], depth_hw[1]),
    )
    return surface_depth(depths, inside, config)


def surface_depth(depths: Depths, mask: NDArray[np.bool_], config: DepthConfig) -> SurfaceDepth:
    """The depth of the nearest large surface under the inner half of a mask.

    Args:
        depths: (r, c) metres; what is not finite or out of range is invalid.
        mask: (r, c) bool.
        config: what is valid, and what is a surface.
    """
    if not mask.any():
        return UNKNOWN_DEPTH
    sampled = depths[inner_half(mask)]
    with np.errstate(invalid="ignore"):
        valid = sampled[(sampled >= config.min_m) & (sampled <= config.max_m) & (sampled > 0)]
    if len(valid) == 0 or len(valid) < config.min_valid_share * len(sampled):
        return UNKNOWN_DEPTH
    surface = _nearest_surface(valid.astype(np.float64), config.min_surface_share)
    middle = float(np.median(surface))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(surface - middle)))
    return SurfaceDepth(middle, spread)


def inner_half(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The half of a mask's pixels that are furthest from its edge, (r, c) bool; more where equal.

    However thin a mask is, some of it is left.
    """
    padded = np.pad(mask.view(np.uint8), 1)
    transformed = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_3)
    distance = np.asarray(transformed, np.float32)[1:-1, 1:-1]
    inner: NDArray[np.bool_] = mask & (distance >= np.median(distance[mask]))
    return inner


def _nearest_surface(valid: NDArray[np.float64], min_share: float) -> NDArray[np.float64]:
    """The depths of the nearest of the surfaces that are large enough; all where none is.

    Args:
        valid: (N,) depths above 0, at least one.
        min_share: of the N that a surface has at least.
    """
    bins = (np.log(valid / valid.min()) / BIN).astype(np.intp)
    counts = np.bincount(bins, minlength=3)
    density: NDArray[np.float64] = np.convolve(counts, np.ones(3), "same").astype(np.float64)
    dense = np.flatnonzero(density >= DENSE * len(valid))
    end = -1
    for start in dense.tolist():  # the nearest goes first
        if start <= end:
            continue  # it belongs to the surface before
        first, end = _extent_of_peak(density, start)
        surface: NDArray[np.float64] = valid[(bins >= first) & (bins <= end)]
        if len(surface) >= min_share * len(valid):
            return surface
    return valid


def _extent_of_peak(density: NDArray[np.float64], start: int) -> tuple[int, int]:
    """First and last bin of the surface that begins about `start`: until there is little of it."""
    peak = start
    while peak + 1 < len(density) and density[peak + 1] >= density[peak]:
        peak += 1
    little = np.flatnonzero(density < LITTLE * density[peak])
    before, after = little[little < peak], little[little > peak]
    first = int(before[-1]) + 1 if len(before) else 0
    last = int(after[0]) - 1 if len(after) else len(density) - 1
    return first, last


def _places(size: int, step: int) -> NDArray[np.intp]:
    return np.arange(min(step // 2, (size - 1) // 2), size, step)


def _nearest(pixels: NDArray[np.intp], size: int, other_size: int) -> NDArray[np.intp]:
    """The pixels of a picture of another size that lie nearest to these."""
    nearest: NDArray[np.intp] = (2 * pixels + 1) * other_size // (2 * size)
    return nearest

"""Cut-outs and how they are laid over a picture.

A sprite is (h, w, 4) uint8: colour already times alpha, and alpha. Letters: h, w of a sprite;
S side of the picture; T frames; K objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.motion import Floats, Ripple

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Window = tuple[slice, slice]

SOLID: Final = 127  # more alpha than this hides what is behind
_LONGEST_STREAK_PX: Final = 15


@dataclass(frozen=True, eq=False)
class Layer:
    """A thing over the background.

    Attributes:
        sprite: (h, w, 4) uint8, colour times alpha, and alpha.
        poses: (T, 3, 3) from its pixels to those of the picture.
        slot: row of the masks that it fills, or -1 for a thing without an id.
        parts: rows of the masks and (h, w) uint8 alpha of its parts that have an id of their own.
        ripple: how it bends, or None.
        shutter: how long the shutter is open, in frames: blurs along the way.
        shadow: 0 none to 1 black, of the shadow on what is behind.
    """

    sprite: Picture = field(repr=False)
    poses: Floats = field(repr=False)
    slot: int = -1
    parts: tuple[tuple[int, Picture], ...] = ()
    ripple: Ripple | None = None
    shutter: float = 0.0
    shadow: float = 0.0


def composite(layer: Layer, frame: int, picture: Picture, masks: Mask) -> None:
    """Draw a layer over a picture, in place, and settle whose pixels they are.

    Args:
        frame: index t.
        picture: (S, S, 3) uint8.
        masks: (K, S, S) bool, of what lies behind; afterwards also of this layer.
    """
    pose = layer.poses[frame]
    window = _window(layer, pose, picture.shape[0])
    if window is None:
        return
    rows, columns = window
    offset = np.eye(3)
    offset[0, 2], offset[1, 2] = -columns.start, -rows.start
    there = offset @ pose
    wh = (columns.stop - columns.start, rows.stop - rows.start)
    warp = _warp(layer, there, wh, frame)
    drawn = warp(layer.sprite)
    solid = drawn[..., 3] > SOLID
    masks[:, rows, columns] &= ~solid
    if layer.slot >= 0:
        masks[layer.slot, rows, columns] |= solid
    for slot, alpha in layer.parts:
        masks[slot, rows, columns] |= (warp(alpha) > SOLID) & solid
    under = picture[rows, columns]
    if layer.shadow > 0.0:
        _shade(under, drawn[..., 3], layer.shadow)
    if layer.shutter > 0.0:
        drawn = _streaked(drawn, layer, frame)
    clear = cv2.cvtColor(cv2.bitwise_not(drawn[..., 3]), cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(under, clear, scale=1.0 / 255.0)
    picture[rows, columns] = cv2.add(behind, cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB))


def _window(layer: Layer, pose: Floats, size: int) -> Window | None:
    """Rows and columns of the picture that a sprite may touch, or None out of view."""
    height, width = layer.sprite.shape[:2]
    x = np.array([-0.5, width - 0.5, -0.5, width - 0.5])
    y = np.array([-0.5, -0.5, height - 0.5, height - 0.5])
    u = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2]
    v = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2]
    x0, x1 = max(0, int(np.floor(u.min()))), min(size, int(np.ceil(u.max())) + 1)
    y0, y1 = max(0, int(np.floor(v.min()))), min(size, int(np.ceil(v.max())) + 1)
    return None if x0 >= x1 or y0 >= y1 else (slice(y0, y1), slice(x0, x1))


def _warp(
    layer: Layer, there: Floats, wh: tuple[int, int], frame: int
) -> Callable[[Picture], Picture]:
    """What brings pictures of a layer's own frame into a window of the picture."""
    if layer.ripple is None:
        return lambda picture: np.asarray(cv2.warpAffine(picture, there[:2], wh), np.uint8)
    height, width = layer.sprite.shape[:2]
    maps = layer.ripple.maps(np.asarray(np.linalg.inv(there)), wh, (width, height), frame)
    return lambda picture: np.asarray(cv2.remap(picture, *maps, cv2.INTER_LINEAR), np.uint8)


def _shade(under: Picture, alpha: Picture, strength: float) -> None:
    """Darken what is behind, softly, a little below the thing."""
    reach = max(2, alpha.shape[0] // 8)
    low = np.zeros_like(alpha)
    low[reach:] = alpha[:-reach]
    kernel = 2 * reach + 1
    soft = cv2.blur(low, (kernel, kernel))
    keep = cv2.convertScaleAbs(soft, alpha=-strength, beta=255.0)  # |255 - strength * soft|
    under[:] = cv2.multiply(under, cv2.cvtColor(keep, cv2.COLOR_GRAY2RGB), scale=1.0 / 255.0)


def _streaked(drawn: Picture, layer: Layer, frame: int) -> Picture:
    """Blur along the way that the layer's middle goes while the shutter is open."""
    count = len(layer.poses)
    before, after = max(frame - 1, 0), min(frame + 1, count - 1)
    if before == after:
        return drawn
    height, width = layer.sprite.shape[:2]
    middle = np.array([width / 2.0, height / 2.0, 1.0])
    way = (layer.poses[after] - layer.poses[before])[:2] @ middle / (after - before)
    return streak(drawn, way * layer.shutter)


def streak(picture: Picture, way: Floats) -> Picture:
    """Blur a picture along a way (x, y) in pixels."""
    length = float(np.hypot(way[0], way[1]))
    if length < 1.0:
        return picture
    half = way / 2.0 * min(1.0, _LONGEST_STREAK_PX / length)
    side = 2 * int(np.ceil(np.abs(half).max())) + 1
    kernel = np.zeros((side, side), np.uint8)
    middle = side // 2
    ends = np.rint(np.stack([middle - half, middle + half]) * 16).astype(int).tolist()
    cv2.line(kernel, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    weights = kernel.astype(np.float32) / max(float(kernel.sum()), 1.0)
    return np.asarray(cv2.filter2D(picture, -1, weights), np.uint8)

"""Masks from colours alone, for a prompt or near a given mask: GrabCut.

Used by the baselines and for proposals, without a network. Source: Rother, Kolmogorov, Blake,
"GrabCut": interactive foreground extraction using iterated graph cuts, SIGGRAPH 2004, in
OpenCV's implementation.
Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.records import FOREGROUND

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Click = tuple[tuple[float, float], int]

_FEWEST: Final = 10  # pixels of either kind, for GrabCut's ten mixtures of colours
_BAND: Final = 0.01  # of the diagonal, to each side of an outline
_AROUND: Final = 0.06  # of the diagonal: how much of the background a crop shows
_TOUCHED: Final = 0.06  # of the diagonal: radius around a click that certainly has its label
_NEAR: Final = 0.12  # of the diagonal: radius in which a clicked object probably lies
_FAR: Final = 0.24  # of the diagonal: radius outside which everything is background
_BESIDE: Final = 0.3  # of a box: width of the background around it that is used
_LEAST_FILLED: Final = 0.2  # of a box: a smaller result means that GrabCut failed
_PROMPTED_PX: Final = 192  # longest side of the picture for prompts; colours need no more
_LARGEST_CHANGE: Final = 2.0  # of the area: a larger change means that GrabCut failed


def mask_in_band(image: Image, mask: Mask) -> Mask:
    """Move the outline of a mask to where the colours change, within a band around it.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, roughly right.

    Returns:
        (H, W) bool; `mask` itself if it is empty or too thin, or if GrabCut fails.
    """
    if not mask.any():
        return mask
    diagonal = math.hypot(*mask.shape)
    around = round(_AROUND * diagonal)
    ys, xs = np.nonzero(mask)
    window = (
        slice(max(0, int(ys.min()) - around), int(ys.max()) + around + 1),
        slice(max(0, int(xs.min()) - around), int(xs.max()) + around + 1),
    )
    near = mask[window].view(np.uint8)
    disc = _disc(max(1, round(_BAND * diagonal)))
    inside, outside = cv2.erode(near, disc, borderValue=1), cv2.dilate(near, disc)
    states = np.where(near > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    states[inside > 0], states[outside == 0] = cv2.GC_FGD, cv2.GC_BGD
    found = _grab_cut(image[window], states, 1)
    before, after = np.count_nonzero(near), np.count_nonzero(found)
    if not before / _LARGEST_CHANGE <= after <= before * _LARGEST_CHANGE:
        return mask
    moved = np.zeros_like(mask)
    moved[window] = found
    return moved


def mask_in_box(image: Image, box: tuple[float, float, float, float]) -> Mask:
    """The object that fills a box: nothing outside belongs to it.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (x_min, y_min, x_max, y_max) in pixels; may reach out of the picture.

    Returns:
        (H, W) bool; the ellipse in the box if its colours do not differ from those around it.
    """
    small, scale = _reduced(image)
    x0, y0, x1, y1 = (max(round(value * scale), 0) for value in box)
    width, height = max(x1 - x0, 1), max(y1 - y0, 1)
    states = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    states[y0 : y0 + height, x0 : x0 + width] = cv2.GC_PR_FGD
    right, down = round(_BESIDE * width), round(_BESIDE * height)
    window = (
        slice(max(0, y0 - down), y0 + height + down),
        slice(max(0, x0 - right), x0 + width + right),
    )
    found = np.zeros(states.shape, np.bool_)
    found[window] = _grab_cut(small[window], states[window].copy(), 2)
    if np.count_nonzero(found) < _LEAST_FILLED * width * height:
        return ellipse_in(image.shape[:2], box)
    return _enlarged(found, image.shape)


def mask_at_clicks(image: Image, clicks: Sequence[Click], *, reach: float = 1.0) -> Mask:
    """The object under clicks, found by the colours near them and those of the rest.

    Args:
        image: (H, W, 3) uint8 RGB.
        clicks: (x, y) in pixels and FOREGROUND or BACKGROUND, at least one on the object.
        reach: size of the object to look for; 1 is a fifth of the diagonal.

    Returns:
        (H, W) bool, the connected parts that contain clicks on the object.
    """
    small, scale = _reduced(image)
    diagonal = math.hypot(*small.shape[:2])
    states = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    points = [((x * scale, y * scale), label) for (x, y), label in clicks]
    on_it = [point for point, label in points if label == FOREGROUND]
    for radius, state in ((_FAR, cv2.GC_PR_BGD), (_NEAR, cv2.GC_PR_FGD)):
        for point in on_it:
            states[disc_at(states.shape, point, reach * radius * diagonal)] = state
    for point, label in points:
        touched = disc_at(states.shape, point, reach * _TOUCHED * diagonal)
        states[touched] = cv2.GC_FGD if label == FOREGROUND else cv2.GC_BGD
    found = _components_at(_grab_cut(small, states, 1), on_it)
    return _enlarged(found, image.shape)


def disc_at(hw: tuple[int, ...], point: tuple[float, float], radius_px: float) -> Mask:
    """All pixels within a distance of a point: (H, W) bool."""
    ys, xs = np.ogrid[: hw[0], : hw[1]]
    return np.asarray((xs - point[0]) ** 2 + (ys - point[1]) ** 2 <= radius_px**2, np.bool_)


def ellipse_in(hw: tuple[int, ...], box: tuple[float, float, float, float]) -> Mask:
    """All pixels of the ellipse that fills a box: (H, W) bool."""
    x0, y0, x1, y1 = box
    ys, xs = np.ogrid[: hw[0], : hw[1]]
    right, down = (xs - (x0 + x1 - 1) / 2) / (x1 - x0), (ys - (y0 + y1 - 1) / 2) / (y1 - y0)
    return np.asarray(right**2 + down**2 <= 0.25, np.bool_)


def _reduced(image: Image) -> tuple[Image, float]:
    """The picture, reduced to a limited size, and the scale of the reduction."""
    scale = min(1.0, _PROMPTED_PX / max(image.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)), scale


def _enlarged(mask: Mask, hw: tuple[int, ...]) -> Mask:
    values = cv2.resize(mask.astype(np.float32), (hw[1], hw[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(values > 0.5, np.bool_)


def _components_at(mask: Mask, points: Sequence[tuple[float, float]]) -> Mask:
    """The connected parts of a mask that contain points."""
    _, components = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    height, width = mask.shape
    hit = {
        int(components[np.clip(round(y), 0, height - 1), np.clip(round(x), 0, width - 1)])
        for x, y in points
    } - {0}
    return np.asarray(np.isin(components, list(hit)), np.bool_)


def _grab_cut(image: Image, states: NDArray[np.uint8], iterations: int) -> Mask:
    """Run GrabCut from states per pixel; with too few pixels to learn from, use the states."""
    possible = (states == cv2.GC_FGD) | (states == cv2.GC_PR_FGD)
    foreground = int(np.count_nonzero(possible))
    if foreground < _FEWEST or possible.size - foreground < _FEWEST:
        return np.asarray(possible, np.bool_)
    behind, before = np.zeros((1, 65)), np.zeros((1, 65))  # models of colours, filled in
    picture, no_box = np.ascontiguousarray(image), (0, 0, 0, 0)
    cv2.setRNGSeed(0)  # its first clusters are drawn
    cv2.grabCut(picture, states, no_box, behind, before, iterations, cv2.GC_INIT_WITH_MASK)
    return np.asarray((states == cv2.GC_FGD) | (states == cv2.GC_PR_FGD), np.bool_)


def _disc(radius_px: int) -> NDArray[np.uint8]:
    side = 2 * radius_px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)

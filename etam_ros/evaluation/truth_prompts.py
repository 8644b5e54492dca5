"""Prompts of an ideal operator, made from ground truth.

Source: the click simulation of interactive segmentation (the centre of the largest error), with
which SAM and SAM 2 are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.records import BACKGROUND, FOREGROUND, ObjectState, Prompt

PROMPT_KINDS: Final = ("mask", "box", "1-click", "3-clicks", "5-clicks")

Mask = NDArray[np.bool_]
Ask = Callable[[Prompt], ObjectState]
"""Gives a prompt to the tracker: `Tracker.add_prompt`, or a wrapper."""


def prompt_object(ask: Ask, object_id: int, truth: Mask, kind: str) -> Mask:
    """Start an object on the newest frame.

    Args:
        ask: of the tracker, which has processed that frame.
        truth: (H, W) bool, not empty.
        kind: one of PROMPT_KINDS.

    Returns:
        (H, W) bool, the resulting mask.

    Raises:
        PromptError: the object is too small for such a prompt.
    """
    if kind == "mask":
        return full_mask(ask(Prompt(object_id, mask=truth)), truth.shape)
    if kind == "box":
        return full_mask(ask(Prompt(object_id, box=box_of(truth))), truth.shape)
    return correct_object(ask, object_id, np.zeros_like(truth), truth, int(kind[0]))


def correct_object(ask: Ask, object_id: int, seen: Mask, truth: Mask, clicks: int) -> Mask:
    """Give a number of clicks, each at the centre of the largest remaining error.

    Args:
        ask: as in `prompt_object`.
        seen: (H, W) bool, the object's mask on the newest frame.
        truth: (H, W) bool, not empty.

    Returns:
        (H, W) bool, its mask after the last click.
    """
    for _ in range(clicks):
        point, label = correcting_click(seen, truth)
        prompt = Prompt(object_id, points=[point], point_labels=[label], keep_previous=True)
        seen = full_mask(ask(prompt), truth.shape)
    return seen


def box_of(truth: Mask) -> tuple[float, float, float, float]:
    """The box (x_min, y_min, x_max, y_max) of a mask, in pixels, inclusive."""
    ys, xs = np.nonzero(truth)
    x_min, y_min, x_max, y_max = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return float(x_min), float(y_min), float(x_max), float(y_max)


def correcting_click(mask: Mask, truth: Mask) -> tuple[tuple[float, float], int]:
    """The click at the centre of the largest error.

    Args:
        mask, truth: (H, W) bool, of which truth is not empty.

    Returns:
        (x, y), the pixel farthest from the edge of the missed or the wrong region, and its label;
        inside the object if nothing is wrong.
    """
    missed, wrong = _depth(truth & ~mask), _depth(mask & ~truth)
    if missed.max() == 0 and wrong.max() == 0:
        missed = _depth(truth)
    depth, label = (missed, FOREGROUND) if missed.max() >= wrong.max() else (wrong, BACKGROUND)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return (float(x), float(y)), label


def full_mask(state: ObjectState, hw: tuple[int, ...]) -> Mask:
    """The object's mask at its place in the frame: (H, W) bool."""
    full = np.zeros(hw, dtype=bool)
    x0, y0, x1, y1 = state.extent
    full[y0:y1, x0:x1] = state.mask
    return full


def _depth(region: Mask) -> NDArray[np.float32]:
    """Distance of each pixel of a region to the outside of the region, (H, W)."""
    padded = np.pad(region.view(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance[1:-1, 1:-1], np.float32)

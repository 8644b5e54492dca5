"""From low-resolution logits to masks at source size, the label image, and what is measured.

Letters: N objects, H, W source height and width, h = w feature grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.transforms import logits_to_source

NOWHERE: Final = (math.nan, math.nan)
NO_BOX: Final = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class MeasuredMask:
    """One mask at source size.

    Attributes:
        area: pixels.
        box: tight (x0, y0, x1, y1), x1 and y1 exclusive; all zero for an empty mask.
        centroid: mean (x, y); NaN for an empty mask.
        mask: (y1 - y0, x1 - x0) bool.
    """

    area: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    mask: NDArray[np.bool_]


EMPTY_MASK: Final = MeasuredMask(0, NO_BOX, NOWHERE, np.zeros((0, 0), dtype=bool))


def publish_masks(
    object_ids: Sequence[int],
    mask_logits: Sequence[Tensor],
    source_hw: tuple[int, int],
    config: TrackerConfig,
) -> tuple[NDArray[np.uint16], list[MeasuredMask]]:
    """Resize each object's logits once, settle overlaps and measure what is left.

    Args:
        object_ids: N ids.
        mask_logits: N tensors (1, 1, 4h, 4w), very negative for occluded objects.
        source_hw: (H, W).
        config: threshold and what to do where masks overlap.

    Returns:
        label image (H, W) uint16, in which the highest logit wins either way, and N masks:
        settled to agree with it, or kept as they are.
    """
    label_image = np.zeros(source_hw, dtype=np.uint16)
    masks = _paint(label_image, source_hw, object_ids, mask_logits, config.mask_threshold)
    if config.overlap == "settle" and sum(mask is not None for mask in masks) > 1:
        masks = [
            None if mask is None else label_image == object_id
            for mask, object_id in zip(masks, object_ids, strict=True)
        ]
    return label_image, [EMPTY_MASK if mask is None else measure(mask) for mask in masks]


def _paint(
    label_image: NDArray[np.uint16],
    source_hw: tuple[int, int],
    object_ids: Sequence[int],
    mask_logits: Sequence[Tensor],
    threshold: float,
) -> list[NDArray[np.bool_] | None]:
    """Write each object where its logit is the highest; return the masks, None where empty."""
    highest: Tensor | None = None
    masks: list[NDArray[np.bool_] | None] = []
    for object_id, low_resolution in zip(object_ids, mask_logits, strict=True):
        if not (low_resolution > threshold).any():
            masks.append(None)
            continue
        logits = logits_to_source(low_resolution, source_hw)[0, 0]  # (H, W)
        mask = logits > threshold
        wins = mask if highest is None else mask & (logits > highest)
        highest = logits if highest is None else torch.maximum(highest, logits)
        masks.append(mask.cpu().numpy())
        np.copyto(label_image, np.uint16(object_id), where=wins.cpu().numpy())
    return masks


def measure(mask: NDArray[np.bool_]) -> MeasuredMask:
    """Area, tight box, centroid and crop of a (H, W) mask."""
    pixels = mask.view(np.uint8)
    columns = cv2.reduce(pixels, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]  # (W,)
    rows = cv2.reduce(pixels, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]  # (H,)
    area = int(columns.sum())
    if area == 0:
        return EMPTY_MASK
    xs, ys = np.flatnonzero(columns), np.flatnonzero(rows)
    x0, y0, x1, y1 = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
    centroid = (float(xs @ columns[xs]) / area, float(ys @ rows[ys]) / area)
    return MeasuredMask(area, (x0, y0, x1, y1), centroid, mask[y0:y1, x0:x1].copy())

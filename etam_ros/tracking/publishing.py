"""From low-resolution logits to masks at source size, the label image, and what is measured.

Letters: N objects, H, W source height and width, h = w feature grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
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
        mask_logits: N tensors (4h, 4w), very negative for occluded objects.
        source_hw: (H, W).
        config: threshold and what to do where masks overlap.

    Returns:
        label image (H, W) uint16, in which the highest logit wins either way, and N masks:
        settled to agree with it, or kept as they are.
    """
    label_image = np.zeros(source_hw, dtype=np.uint16)
    visible = {
        object_id: logits
        for object_id, logits in zip(object_ids, mask_logits, strict=True)
        if bool((logits > config.mask_threshold).any())
    }
    kept = _paint(label_image, visible, config.mask_threshold)
    if config.overlap == "settle" and len(visible) > 1:
        for object_id, mask in kept.items():
            kept[object_id] = _settled(mask, label_image, object_id)
    return label_image, [kept.get(object_id, EMPTY_MASK) for object_id in object_ids]


def _paint(
    label_image: NDArray[np.uint16], visible: Mapping[int, Tensor], threshold: float
) -> dict[int, MeasuredMask]:
    """Write each object where its logit is the highest; return the masks as they are."""
    source_hw = label_image.shape[0], label_image.shape[1]
    highest = None if len(visible) == 1 else np.full(source_hw, threshold, np.float32)
    masks = {}
    for object_id, low_resolution in visible.items():
        logits = logits_to_source(low_resolution, source_hw)  # (H, W)
        measured = measure(logits > threshold)
        x0, y0, x1, y1 = measured.box
        crop = np.s_[y0:y1, x0:x1]
        if highest is None:  # alone: a product is faster than a copy under a mask
            np.multiply(measured.mask, np.uint16(object_id), out=label_image[crop])
        else:
            wins = logits[crop] > highest[crop]
            np.copyto(highest[crop], logits[crop], where=wins)
            np.copyto(label_image[crop], np.uint16(object_id), where=wins)
        masks[object_id] = measured
    return masks


def _settled(
    measured: MeasuredMask, label_image: NDArray[np.uint16], object_id: int
) -> MeasuredMask:
    """What is left of a mask in the label image."""
    x0, y0, x1, y1 = measured.box
    return measure(label_image[y0:y1, x0:x1] == object_id, offset=(x0, y0))


def measure(mask: NDArray[np.bool_], offset: tuple[int, int] = (0, 0)) -> MeasuredMask:
    """Area, tight box, centroid and crop of a mask.

    Args:
        mask: (H, W) bool.
        offset: (x, y) of its top-left pixel in the frame.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if width == 0:
        return EMPTY_MASK
    crop = mask[top : top + height, left : left + width].copy()
    columns = crop.view(np.uint8).sum(axis=0, dtype=np.int32)  # (width,)
    rows = np.count_nonzero(crop, axis=1)  # (height,)
    x0, y0 = offset[0] + left, offset[1] + top
    area = int(rows.sum())
    centroid = (
        x0 + float(np.arange(width) @ columns) / area,
        y0 + float(np.arange(height) @ rows) / area,
    )
    return MeasuredMask(area, (x0, y0, x0 + width, y0 + height), centroid, crop)

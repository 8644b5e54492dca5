"""Filling small holes in a mask."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HOLE_LOGIT: Final = 0.1


def fill_holes(mask_logits: Tensor, max_area: int) -> Tensor:
    """Raise small background components into the object.

    Source: fill_holes_in_mask_scores of SAM 2 (Apache-2.0), with OpenCV's labelling in place of
    its CUDA extension: 8-connected components of logits <= 0.

    Args:
        mask_logits: (B, 1, 4h, 4w) float32.
        max_area: components of at most this many cells become HOLE_LOGIT; 0 changes nothing.

    Returns:
        (B, 1, 4h, 4w); the input itself where there is nothing to fill.
    """
    if max_area == 0:
        return mask_logits
    background = (mask_logits[:, 0] <= 0).to(torch.uint8).cpu().numpy()
    holes = np.stack([_holes(plane, max_area) for plane in background])[:, None]
    if not holes.any():
        return mask_logits
    return torch.where(torch.from_numpy(holes).to(mask_logits.device), HOLE_LOGIT, mask_logits)


def _holes(background: NDArray[np.uint8], max_area: int) -> NDArray[np.bool_]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(background, connectivity=8)
    is_hole = stats[:, cv2.CC_STAT_AREA] <= max_area
    is_hole[0] = False  # label 0 is what is not background here: the object
    return is_hole[labels]  # type: ignore[no-any-return]

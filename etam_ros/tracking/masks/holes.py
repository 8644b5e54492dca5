"""Filling small holes in a mask, on the host or on the mask's device.

Letters: B masks, h = w feature grid.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

HOLE_LOGIT: Final = 0.1
LARGEST_ON_DEVICE: Final = 64
"""Size of a hole, in cells, up to which the device's method pays off; larger ones are found on the
host, which then waits for the device."""


def fill_holes(mask_logits: Tensor, max_area: int) -> Tensor:
    """Raise small background components into the object.

    Source: fill_holes_in_mask_scores of SAM 2 (Apache-2.0), with OpenCV's labelling in place of
    its CUDA extension: 8-connected components of logits <= 0.

    Args:
        mask_logits: (B, 1, 4h, 4w) float32.
        max_area: components of at most this many cells become HOLE_LOGIT; 0 changes nothing.

    Returns:
        (B, 1, 4h, 4w); the input itself if there is nothing to fill.
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


def fill_holes_on_device(mask_logits: Tensor, max_area: int) -> Tensor:
    """The result of `fill_holes`, in a number of operations that does not depend on the mask.

    Each background cell is numbered. The highest number spreads from neighbour to neighbour, often
    enough to cover any component of `max_area` cells. Cells that then share a number are a whole
    component if none of them has a background neighbour with another number.

    Args:
        mask_logits: (B, 1, 4h, 4w) float32.
        max_area: as in `fill_holes`; above LARGEST_ON_DEVICE the host does it.

    Returns:
        (B, 1, 4h, 4w).
    """
    if max_area == 0 or max_area > LARGEST_ON_DEVICE:
        return fill_holes(mask_logits, max_area)
    background = mask_logits <= 0
    cells = mask_logits[0].numel()  # at most 2 ** 24, up to which float32 counts
    numbers = torch.arange(1, cells + 1, device=mask_logits.device, dtype=torch.float32)
    labels = numbers.view(mask_logits.shape[1:]) * background  # 0 on the object
    for _ in range(max_area - 1):
        labels = _highest_around(labels) * background
    lowest = -_highest_around((-labels).masked_fill(~background, -torch.inf))
    open_ended = (_highest_around(labels) != labels) | (lowest != labels)
    index = labels.flatten(1).long()  # (B, cells)
    weights = open_ended.flatten(1).int() * max_area + 1
    areas = weights.new_zeros(len(index), cells + 1).scatter_add_(1, index, weights)
    is_hole = background & (areas.gather(1, index) <= max_area).view_as(background)
    return mask_logits.masked_fill(is_hole, HOLE_LOGIT)


def _highest_around(values: Tensor) -> Tensor:
    """Maximum over each cell and its eight neighbours: (B, 1, 4h, 4w) -> the same shape."""
    return functional.max_pool2d(values, kernel_size=3, stride=1, padding=1)

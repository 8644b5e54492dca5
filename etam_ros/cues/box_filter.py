"""Means and maxima over squares around every cell.

Squares reach a given number of cells to each side, and are cut off at the border of the picture.
On a CPU, OpenCV is several times faster than PyTorch, for contiguous float32 and float64; other
values are converted. On a GPU each filter is one or two kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Plane = NDArray[np.float32]


def box_mean(values: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) float32 -> means over squares of side 2 reach + 1, without a gradient."""
    side = 2 * reach + 1
    if values.device.type != "cpu":
        return functional.avg_pool2d(values, side, 1, reach, count_include_pad=False)

    def summed(plane: Plane, out: Plane) -> None:
        cv2.boxFilter(
            plane, -1, (side, side), out, normalize=False, borderType=cv2.BORDER_CONSTANT
        )

    sums = _by_planes(values, summed)
    height, width = values.shape[-2:]
    return sums.div_(_cells(height, reach)[:, None] * _cells(width, reach))


def box_max(values: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) float32 -> maxima over squares of side 2 reach + 1, without a gradient."""
    side = 2 * reach + 1
    if values.device.type != "cpu":
        rows = functional.max_pool2d(values, (side, 1), 1, (reach, 0))
        return functional.max_pool2d(rows, (1, side), 1, (0, reach))
    square = np.ones((side, side), np.uint8)
    return _by_planes(values, lambda plane, out: cv2.dilate(plane, square, out))


def _by_planes(values: Tensor, filtered: Callable[[Plane, Plane], object]) -> Tensor:
    """Apply an OpenCV filter to each (H, W) plane, in new memory."""
    floats = values if values.dtype is torch.float64 else values.float()
    planes = floats.detach().contiguous().view(-1, *values.shape[-2:]).numpy()
    out = np.empty_like(planes)
    for plane, target in zip(planes, out, strict=True):
        filtered(plane, target)
    return torch.from_numpy(out).view(values.shape)


@lru_cache(maxsize=64)
def _cells(length: int, reach: int) -> Tensor:
    """(L,) float32: how many cells of a line are within reach of each."""
    at = torch.arange(length)
    last = (at + reach).clamp(max=length - 1)
    return (last - (at - reach).clamp(min=0) + 1).float()

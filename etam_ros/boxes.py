"""Means and maxima over squares about every cell, along one axis after the other.

They reach as many cells to each side as asked, and at the border as far as the picture goes.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def box_mean(values: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) -> their means over squares of 2 reach + 1."""
    side = 2 * reach + 1
    rows = functional.avg_pool2d(values, (side, 1), 1, (reach, 0), count_include_pad=False)
    return functional.avg_pool2d(rows, (1, side), 1, (0, reach), count_include_pad=False)


def box_max(values: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) -> their maxima over squares of 2 reach + 1."""
    side = 2 * reach + 1
    rows = functional.max_pool2d(values, (side, 1), 1, (reach, 0))
    return functional.max_pool2d(rows, (1, side), 1, (0, reach))

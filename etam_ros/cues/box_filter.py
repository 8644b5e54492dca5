"""Means and maxima over squares about every cell, along one axis after the other.

They reach as many cells to each side as asked, and at the border as far as the picture goes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def box_mean(values: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) -> their means over squares of 2 reach + 1."""
    rows = _sums(values, reach)
    sums = _sums(rows.transpose(2, 3), reach).transpose(2, 3)
    height, width = (_sums(values.new_ones(side), reach) for side in values.shape[2:])
    return sums / (height[:, None] * width)


def _sums(values: Tensor, reach: int) -> Tensor:
    """(..., L) -> sums over 2 reach + 1 along the last axis, as differences of running sums."""
    padded = functional.pad(values, (reach + 1, reach))
    running = padded.cumsum(dim=-1, dtype=torch.float64)  # in float32 differences would be rough
    return (running[..., 2 * reach + 1 :] - running[..., : values.shape[-1]]).to(values.dtype)


def box_max(values: Tensor, reach: int) -> Tensor:
    """(N, C, H, W) -> their maxima over squares of 2 reach + 1."""
    side = 2 * reach + 1
    rows = functional.max_pool2d(values, (side, 1), 1, (reach, 0))
    return functional.max_pool2d(rows, (1, side), 1, (0, reach))

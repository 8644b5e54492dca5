"""Carried masks with errors like those after hundreds of frames.

A clip of a few frames ends before a mask has drifted far. A network that was trained with good
carried masks only trusts them too much; so some are disturbed before it gets them.

Letters: N rows, K objects of each clip, G side of a mask in cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Rng = np.random.Generator

SURE: Final = 8.0
"""Logit of regions that are added or removed."""
SHIFT: Final = 0.25
"""Standard deviation of a shift, as a fraction of the object's size."""
GROWTH: Final = 0.2
"""Standard deviation of the logarithm of a change in size."""


def corrupt_masks(mask_logits: Tensor, rngs: Sequence[Rng], share: float, objects: int) -> Tensor:
    """Disturb a share of masks: shift them, cut or add a disc, merge two objects, or clear them.

    (N, 1, G, G), clip by clip, with N generators and K objects a clip -> (N, 1, G, G).
    """
    rows = list(torch.split(mask_logits, 1))
    for row, rng in enumerate(rngs):
        if rng.random() >= share:
            continue
        first = row - row % objects
        other = mask_logits[first + int(rng.integers(objects))][None]
        rows[row] = _disturbed(rows[row], other, rng)
    return torch.cat(rows)


def _disturbed(mask: Tensor, other: Tensor, rng: Rng) -> Tensor:
    """One mask, (1, 1, G, G), disturbed in one of four ways."""
    kind = rng.choice(4, p=(0.35, 0.35, 0.15, 0.15))
    if kind == 0:
        return _shifted(mask, rng)
    if kind == 1:
        return _bitten(mask, rng)
    return torch.maximum(mask, other) if kind == 2 else torch.zeros_like(mask)


def _shifted(mask: Tensor, rng: Rng) -> Tensor:
    """The mask, moved, and scaled about its middle."""
    (x, y), side = _extent(mask)
    scale = float(np.exp(rng.normal(0.0, GROWTH)))
    dx, dy = rng.normal(0.0, SHIFT * side, 2)
    theta = mask.new_tensor([[[scale, 0.0, x - scale * x + dx], [0.0, scale, y - scale * y + dy]]])
    places = functional.affine_grid(theta, list(mask.shape), align_corners=False)
    return functional.grid_sample(mask, places, padding_mode="border", align_corners=False)


def _bitten(mask: Tensor, rng: Rng) -> Tensor:
    """The mask with a disc added or removed near it."""
    (x, y), side = _extent(mask)
    x, y = x + rng.normal(0.0, 0.5 * side), y + rng.normal(0.0, 0.5 * side)
    radius = rng.uniform(0.1, 0.4) * side
    middle = (torch.arange(mask.shape[-1], device=mask.device) + 0.5) * 2.0 / mask.shape[-1] - 1.0
    inside = (middle - x) ** 2 + (middle[:, None] - y) ** 2 < radius**2
    return torch.where(inside, SURE if rng.random() < 0.5 else -SURE, mask)


def _extent(mask: Tensor) -> tuple[tuple[float, float], float]:
    """Middle (x, y), and side of a square with its area; the picture reaches from -1 to 1."""
    there = mask[0, 0] > 0
    if not bool(there.any()):
        return (0.0, 0.0), 0.5
    y, x = torch.nonzero(there).float().mean(dim=0).add(0.5).div(len(there) / 2).sub(1.0).tolist()
    return (x, y), 2.0 * float(there.float().mean().sqrt())

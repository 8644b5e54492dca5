"""What an object looks like: how frequent each colour is on it, and how alike two masks are.

A mask that slips from an object onto what hides it, or onto something that stands beside it, goes
on looking like a good mask. Its colours tell: they are not those that were prompted any more.

Letters: N masks, P known looks, G = 4h side of the low-resolution masks in cells, K colours.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor

from etam_ros.cues.colour_model import COLOURS, LEVELS

_JOINED: Final = 2
"""Levels of red, green and blue that count as one: K is 216, so that light may change a little."""


def looks_of(mask_logits: Tensor, colours: Tensor) -> Tensor:
    """How frequent each colour is on some masks.

    Args:
        mask_logits: (N, 1, G, G).
        colours: (1, G * G) int64 of the masks' picture, on the same device.

    Returns:
        (N, K) float32, shares that add up to 1; all zero where a mask is empty.
    """
    cells = (mask_logits > 0).flatten(1).float()  # (N, G * G)
    index = colours.expand(len(cells), -1)
    counts = cells.new_zeros(len(cells), COLOURS).scatter_add_(1, index, cells)
    finest = counts.view(-1, *(LEVELS // _JOINED, _JOINED) * 3)
    joined = finest.sum(dim=(2, 4, 6)).flatten(1)  # (N, K)
    return joined / cells.sum(dim=1, keepdim=True).clamp(min=1.0)


def likeness(looks: Tensor, known: Tensor) -> Tensor:
    """How much masks look like what is known of each: 0 nothing in common, 1 the same.

    It is the Bhattacharyya coefficient, of the known looks that are nearest.

    Args:
        looks: (N, K), as `looks_of` gives them.
        known: (N, P, K); rows that are all zero do not count.

    Returns:
        (N,) float32.
    """
    return (looks[:, None] * known).sqrt().sum(dim=2).amax(dim=1)

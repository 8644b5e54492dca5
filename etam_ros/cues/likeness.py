"""The appearance of an object as a histogram of its colours, and the likeness of two masks.

A mask that slips from an object onto an occluder or a neighbour still looks like a good mask, but
its colours are no longer those of the prompted frame.

Letters: N masks, P known looks, G = 4h side of the low-resolution masks in cells, K colours.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor

from etam_ros.cues.colour_model import COLOURS, LEVELS

_JOINED: Final = 2
"""Levels of each of red, green and blue (K is 216); few, so that light may change a little."""


def looks_of(mask_logits: Tensor, colours: Tensor) -> Tensor:
    """Frequency of each colour on some masks.

    Args:
        mask_logits: (N, 1, G, G).
        colours: (1, G * G) int64 of the masks' picture, on the same device.

    Returns:
        (N, K) float32, shares that add up to 1; all zero for an empty mask.
    """
    cells = (mask_logits > 0).flatten(1).float()  # (N, G * G)
    index = colours.expand(len(cells), -1)
    counts = cells.new_zeros(len(cells), COLOURS).scatter_add_(1, index, cells)
    finest = counts.view(-1, *(LEVELS // _JOINED, _JOINED) * 3)
    joined = finest.sum(dim=(2, 4, 6)).flatten(1)  # (N, K)
    return joined / cells.sum(dim=1, keepdim=True).clamp(min=1.0)


def likeness(looks: Tensor, known: Tensor) -> Tensor:
    """Likeness of masks to the known colours of each: 0 nothing in common, 1 the same.

    It is the Bhattacharyya coefficient, the highest of those with each set of known colours.

    Args:
        looks: (N, K), as `looks_of` gives them.
        known: (N, P, K); rows that are all zero do not count.

    Returns:
        (N,) float32.
    """
    return (looks[:, None] * known).sqrt().sum(dim=2).amax(dim=1)

"""Outlines that follow colours: near the outline of a mask, colour decides for each pixel.

A mask that is carried along optical flow frays, because flow is least certain at outlines. The
colours inside and just outside, counted over the whole mask, say which side a pixel near the
outline belongs to. This is the colour term of GrabCut (Rother et al., SIGGRAPH 2004) with
histograms and without a graph cut: few, fixed operations for all masks at once, on any device.

Letters: N masks, G = 4h side of the low-resolution masks in cells, K colours.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.cues.box_filter import box_max, box_mean

LEVELS: Final = 12
"""Levels of each of red, green and blue; K is their product."""
COLOURS: Final = LEVELS**3
BAND: Final = 4
"""Cells to each side of an outline that may change sides."""
AROUND: Final = 10
"""Width in cells of the surroundings of a mask that are counted as background."""
FEWEST: Final = 6
"""Minimum size of a mask in cells; smaller ones have too few colours to count."""
_LARGEST_LOG_ODDS: Final = 4.0  # largest log-odds from one colour
_NEARNESS: Final = 2.0  # log-odds of lying well inside, against the same outside
_LARGEST_CHANGE: Final = 2.0  # limits of the change in area; beyond them, colours were misleading


def colour_indices(image: NDArray[np.uint8], side: int) -> NDArray[np.int64]:
    """Which colour each cell of a picture has.

    Args:
        image: (H, W, 3) uint8 RGB.
        side: G.

    Returns:
        (G * G,) in 0..K - 1.
    """
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.int64)
    red, green, blue = np.moveaxis(small * LEVELS // 256, -1, 0)
    return np.asarray((red * LEVELS + green) * LEVELS + blue, np.int64).ravel()


def follow_colours(mask_logits: Tensor, colours: Tensor) -> Tensor:
    """Move outlines to where the colours change.

    Args:
        mask_logits: (N, 1, G, G), roughly right.
        colours: (N, G * G) or (1, G * G) int64 of the masks' pictures, on the same device.

    Returns:
        (N, 1, G, G) float32: log-odds of colour and place within BAND of an outline, elsewhere
        the unchanged logits; a mask is left unchanged if it is too small, or if its area would
        shrink to less than half or grow to more than double.
    """
    mask = (mask_logits > 0).float()
    surroundings = box_max(mask, AROUND) - mask
    index = colours.expand(len(mask), -1)
    inside, outside = _frequencies(mask, index), _frequencies(surroundings, index)
    log_odds = (inside / outside).log().clamp(-_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)  # (N, K)
    by_colour = log_odds.gather(1, index).view_as(mask)
    by_place = 2.0 * box_mean(mask, BAND) - 1.0
    found = box_mean(by_colour, 1) + _NEARNESS * by_place
    near = by_place.abs() < 1.0  # both sides of the outline are within reach
    moved = torch.where(near, found, mask_logits.float())
    before, after = mask.sum((1, 2, 3)), (moved > 0).sum((1, 2, 3))
    fits = (after <= before * _LARGEST_CHANGE) & (after >= before / _LARGEST_CHANGE)
    return torch.where((fits & (before >= FEWEST))[:, None, None, None], moved, mask_logits)


def _frequencies(where: Tensor, index: Tensor) -> Tensor:
    """Frequency of each colour in a region, never zero: (N, K)."""
    counts = where.new_zeros(len(where), COLOURS).scatter_add_(1, index, where.flatten(1))
    return (counts + 0.5) / (counts.sum(dim=1, keepdim=True) + 1.0)

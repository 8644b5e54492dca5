"""The one piece of a mask that was clicked on.

One click on one of several things that look alike gives a small model all of them, and crumbs in
between: whatever has the same colours. The click says which piece is meant.

Letters: B masks, h = w feature grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEFT_OUT_LOGIT: Final = -0.5
"""At most, of a cell that belongs to another piece."""


def keep_clicked_piece(mask_logits: Tensor, clicks: Sequence[tuple[float, float]]) -> Tensor:
    """Leave out every piece of a mask that does not have the click on it.

    Args:
        mask_logits: (B, 1, 4h, 4w).
        clicks: B places (x, y) in cells, from the corner of the first; those outside count at the
            border.

    Returns:
        the same with the logits of other pieces turned negative, at which no gradient passes; a
        mask that the click is not on stays as it is.
    """
    planes = (mask_logits.detach()[:, 0] > 0).to(torch.uint8).cpu().numpy()
    others = np.stack([_others(plane, at) for plane, at in zip(planes, clicks, strict=True)])
    if not others.any():
        return mask_logits
    left_out = (-mask_logits.detach()).clamp(max=LEFT_OUT_LOGIT)
    where = torch.from_numpy(others[:, None]).to(mask_logits.device)
    return torch.where(where, left_out, mask_logits)


def _others(mask: NDArray[np.uint8], click: tuple[float, float]) -> NDArray[np.bool_]:
    """Cells of pieces without the click; pieces that touch by a corner are one."""
    _, pieces = cv2.connectedComponents(mask, connectivity=8)
    x, y = (
        min(max(math.floor(place), 0), side - 1)
        for place, side in zip(click, mask.shape[::-1], strict=True)
    )
    clicked = pieces[y, x]
    return np.asarray((pieces != clicked) & (pieces > 0) & (clicked > 0), np.bool_)

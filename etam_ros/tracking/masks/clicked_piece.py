"""The one piece of a mask that was clicked on.

After one click on one of several similar things, a small model returns all of them, and specks in
between: everything with the same colours. The click says which piece is meant.

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
"""The highest logit of a cell that belongs to another piece."""


def keep_clicked_piece(mask_logits: Tensor, clicks: Sequence[tuple[float, float]]) -> Tensor:
    """Remove every piece of a mask except the one that was clicked on.

    Args:
        mask_logits: (B, 1, 4h, 4w).
        clicks: B positions (x, y) in cells, from the corner of the first; positions outside are
            moved to the border.

    Returns:
        the masks with the logits of other pieces made negative, without a gradient there; a mask
        that does not contain the click is unchanged.
    """
    planes = (mask_logits.detach()[:, 0] > 0).to(torch.uint8).cpu().numpy()
    others = np.stack([_others(plane, at) for plane, at in zip(planes, clicks, strict=True)])
    if not others.any():
        return mask_logits
    left_out = (-mask_logits.detach()).clamp(max=LEFT_OUT_LOGIT)
    where = torch.from_numpy(others[:, None]).to(mask_logits.device)
    return torch.where(where, left_out, mask_logits)


def _others(mask: NDArray[np.uint8], click: tuple[float, float]) -> NDArray[np.bool_]:
    """Cells of pieces without the click; pieces that touch at a corner are one."""
    _, pieces = cv2.connectedComponents(mask, connectivity=8)
    x, y = (
        min(max(math.floor(place), 0), side - 1)
        for place, side in zip(click, mask.shape[::-1], strict=True)
    )
    clicked = pieces[y, x]
    return np.asarray((pieces != clicked) & (pieces > 0) & (clicked > 0), np.bool_)

"""Which of the decoder's four masks goes on, and what an occluded object looks like.

Source: the mask decoder of SAM 2 with its stability fallback (Apache-2.0), in float32 whatever
the backend. Letters: B objects, h = w feature grid, D hidden dim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from etam_ros.runtime import DecodedMasks

STABILITY_MARGIN: Final = 0.05
STABILITY_THRESHOLD: Final = 0.98
NO_OBJECT_LOGIT: Final = -1024.0


@dataclass(frozen=True, eq=False)
class ChosenMasks:
    """One mask per object.

    Attributes:
        mask_logits: (B, 1, 4h, 4w); NO_OBJECT_LOGIT everywhere while the object is occluded.
        iou_scores: (B,).
        pointers: (B, D).
        object_score_logits: (B,).
    """

    mask_logits: Tensor
    iou_scores: Tensor
    pointers: Tensor
    object_score_logits: Tensor


def choose_masks(decoded: DecodedMasks, *, ambiguous: bool) -> ChosenMasks:
    """Pick a mask for each object.

    Args:
        decoded: all four masks.
        ambiguous: no or one click was given: the best of masks 1 to 3 by its IoU estimate.
            Otherwise mask 0, or the best of the others where mask 0 is unstable; the pointer
            stays mask 0's.
    """
    rows = torch.arange(len(decoded.iou_scores), device=decoded.iou_scores.device)
    best = decoded.iou_scores[:, 1:].argmax(dim=1) + 1  # (B,)
    chosen = best
    if not ambiguous:
        chosen = torch.where(is_stable(decoded.mask_logits[:, 0]), 0, best)
    mask_logits = decoded.mask_logits[rows, chosen][:, None]  # (B, 1, 4h, 4w)
    present = decoded.object_score_logits > 0  # (B, 1)
    return ChosenMasks(
        mask_logits=torch.where(present[:, :, None, None], mask_logits, NO_OBJECT_LOGIT),
        iou_scores=decoded.iou_scores[rows, chosen],
        pointers=decoded.pointers[rows, best if ambiguous else torch.zeros_like(best)],
        object_score_logits=decoded.object_score_logits[:, 0],
    )


def is_stable(mask_logits: Tensor) -> Tensor:
    """Whether a mask hardly changes with its threshold: (B, 4h, 4w) -> (B,) bool."""
    inner = (mask_logits > STABILITY_MARGIN).flatten(1).sum(dim=1).float()
    outer = (mask_logits > -STABILITY_MARGIN).flatten(1).sum(dim=1).float()
    stability = torch.where(outer > 0, inner / outer, 1.0)
    return stability >= STABILITY_THRESHOLD

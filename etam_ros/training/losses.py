"""Losses of decoded masks: focal, dice, IoU and presence, weighted 20 : 1 : 1 : 1.

Source: SAM 2's training losses (arXiv 2408.00714, appendix D). Letters: n rows (objects), M masks
of each, h x w here the low-resolution masks' own size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

FOCAL_ALPHA: Final = 0.25
FOCAL_WEIGHT: Final = 20.0
BCE_WEIGHT: Final = 2.0
"""Weight of cross-entropy, which replaces focal loss early on; focal loss is ten times smaller."""


@dataclass(frozen=True, eq=False)
class RowLosses:
    """Losses of each row, (n,) each; those of masks are zero where the object is not visible."""

    pixel: Tensor
    dice: Tensor
    iou: Tensor
    presence: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum; the pixel loss already includes its weight."""
        return self.pixel + self.dice + self.iou + self.presence


def row_losses(
    mask_logits: Tensor,
    iou_scores: Tensor,
    object_score_logits: Tensor,
    truth: Tensor,
    visible: Tensor,
    bce_share: float = 0.0,
) -> RowLosses:
    """Compare one output of the decoder with the ground truth, in float32.

    Of several masks, the one with the least pixel and dice loss is trained; IoU estimates of all
    are trained.

    Args:
        mask_logits: (n, M, h, w).
        iou_scores: (n, M) in 0..1.
        object_score_logits: (n,).
        truth: (n, h, w) in 0..1, the share of each cell that the object covers.
        visible: (n,) bool, the object has at least one pixel at full size.
        bce_share: 1 for cross-entropy, 0 for focal loss, or a mixture of them.
    """
    logits, shown = mask_logits.float(), visible.float()
    targets = truth[:, None].expand_as(logits)
    pixel = pixel_loss(logits, targets, bce_share)  # (n, M)
    dice = dice_loss(logits, targets)
    best = (pixel + dice).argmin(dim=1, keepdim=True)  # (n, 1)
    real_iou = mask_iou(logits.detach() > 0, targets >= 0.5)
    return RowLosses(
        pixel=pixel.gather(1, best)[:, 0] * shown,
        dice=dice.gather(1, best)[:, 0] * shown,
        iou=(iou_scores.float() - real_iou).abs().mean(dim=1) * shown,
        presence=functional.binary_cross_entropy_with_logits(
            object_score_logits.float(), shown, reduction="none"
        ),
    )


def pixel_loss(logits: Tensor, targets: Tensor, bce_share: float) -> Tensor:
    """Weighted mean over the pixels of cross-entropy, focal loss or both: (..., h, w) -> (...)."""
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    loss = entropy.new_zeros(())
    if bce_share > 0.0:
        loss = loss + bce_share * BCE_WEIGHT * entropy.mean(dim=(-2, -1))
    if bce_share < 1.0:
        error = (logits.sigmoid() - targets).abs()
        balance = (1 - FOCAL_ALPHA) + (2 * FOCAL_ALPHA - 1) * targets
        focal = (balance * error.square() * entropy).mean(dim=(-2, -1))
        loss = loss + (1.0 - bce_share) * FOCAL_WEIGHT * focal
    return loss


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """1 - (2 p t + 1) / (p + t + 1), summed over the pixels: (..., h, w) -> (...)."""
    probability = logits.sigmoid()
    both = (probability * targets).sum(dim=(-2, -1))
    each = probability.sum(dim=(-2, -1)) + targets.sum(dim=(-2, -1))
    return 1.0 - (2.0 * both + 1.0) / (each + 1.0)


def mask_iou(mask: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of bool masks, 1 where both are empty: (..., h, w) -> (...)."""
    union = (mask | truth).sum(dim=(-2, -1))
    both = (mask & truth).sum(dim=(-2, -1))
    return torch.where(union > 0, both / union.clamp(min=1), 1.0)

"""Choosing one of the decoder's four masks, and the mask of an occluded object.

Source: the mask decoder of SAM 2 with its stability fallback (Apache-2.0), in float32 whatever
the backend. Letters: B objects, h = w feature grid, D hidden dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from etam_ros.runtime import DecodedMasks
from etam_ros.tracking.masks.clicked_piece import keep_clicked_piece

STABILITY_MARGIN: Final = 0.05
STABILITY_THRESHOLD: Final = 0.98
NO_OBJECT_LOGIT: Final = -1024.0
THRESHOLDS: Final = (-4.0, 2.0, 25)
"""The first and last logit that are tried as the threshold, and the number of steps."""

TRACKING_BIAS: Final = 0.5
"""Added to the logits of tracked masks, if the model carries masks."""


@dataclass(frozen=True, eq=False)
class ChosenMasks:
    """One mask per object.

    Attributes:
        mask_logits: (B, 1, 4h, 4w); NO_OBJECT_LOGIT everywhere while the object is occluded.
        scores: (B, 2) object-score logit and IoU estimate.
        pointers: (B, D).
    """

    mask_logits: Tensor
    scores: Tensor
    pointers: Tensor


@dataclass(frozen=True, kw_only=True)
class MaskSelection:
    """How the masks of a model are chosen and corrected.

    Attributes:
        answers_once: mask 0 is the only one that was trained.
        carries_masks: the decoder gets each object's mask of the previous frame.
    """

    answers_once: bool
    carries_masks: bool

    def of_prompt(
        self, decoded: DecodedMasks, *, ambiguous: bool, clicks: Sequence[tuple[float, float]]
    ) -> ChosenMasks:
        """The masks for clicks or boxes.

        Args:
            decoded: all four masks.
            ambiguous: as in `choose_masks`.
            clicks: one for each object, (x, y) in cells; used for ambiguous prompts only.
        """
        chosen = choose_masks(decoded, ambiguous=ambiguous, answers_once=self.answers_once)
        if not (self.answers_once and ambiguous):
            return chosen
        logits = shift_to_best_expected_iou(chosen.mask_logits)
        return replace(chosen, mask_logits=keep_clicked_piece(logits, clicks))

    def of_followed(self, decoded: DecodedMasks) -> ChosenMasks:
        """The masks of a frame without a prompt."""
        chosen = choose_masks(decoded, ambiguous=True, answers_once=self.answers_once)
        if not self.carries_masks:
            return chosen
        return replace(chosen, mask_logits=add_tracking_bias(chosen.mask_logits))


def choose_masks(
    decoded: DecodedMasks, *, ambiguous: bool, answers_once: bool = False
) -> ChosenMasks:
    """Choose a mask for each object, without making the host wait for the choice.

    Args:
        decoded: all four masks.
        ambiguous: there is at most one click: choose the best of masks 1 to 3 by the IoU
            estimate. Otherwise choose mask 0, or the best of the others if mask 0 is unstable,
            with the pointer of mask 0 in both cases.
        answers_once: always choose mask 0; see ModelTraits.
    """
    rows = torch.arange(len(decoded.iou_scores), device=decoded.iou_scores.device)
    best = decoded.iou_scores[:, 1:].argmax(dim=1) + 1  # (B,)
    first = torch.zeros_like(best)
    if answers_once:
        chosen = pointed = first
    elif ambiguous:
        chosen = pointed = best
    else:
        chosen, pointed = best.masked_fill(is_stable(decoded.mask_logits[:, 0]), 0), first
    mask_logits = decoded.mask_logits[rows, chosen][:, None]  # (B, 1, 4h, 4w)
    present = decoded.object_score_logits > 0  # (B, 1)
    iou_scores = decoded.iou_scores[rows, chosen]  # (B,)
    return ChosenMasks(
        mask_logits=mask_logits.masked_fill(~present[:, :, None, None], NO_OBJECT_LOGIT),
        scores=torch.stack((decoded.object_score_logits[:, 0], iou_scores), dim=1),
        pointers=decoded.pointers[rows, pointed],
    )


def shift_to_best_expected_iou(mask_logits: Tensor) -> Tensor:
    """Move the threshold to where the mask's expected IoU with the object is largest.

    Right after one click, an uncertain network gives large parts of an object a probability below
    one half, and a threshold of one half excludes all of them. The expected IoU follows from the
    mask's own probabilities: their sum inside, divided by the area inside plus their sum outside.

    Args:
        mask_logits: (B, 1, 4h, 4w).

    Returns:
        the masks, shifted so that the threshold is at zero; occluded ones are unchanged.
    """
    thresholds = torch.linspace(*THRESHOLDS, device=mask_logits.device)  # (L,)
    logits = mask_logits.detach().flatten(1)[:, None]  # (B, 1, 4h * 4w)
    chances = logits.sigmoid()
    inside = logits > thresholds[:, None]  # (B, L, 4h * 4w)
    intersection = (chances * inside).sum(dim=2)
    union = inside.sum(dim=2) + (chances * ~inside).sum(dim=2)
    threshold = thresholds[(intersection / union.clamp(min=1e-6)).argmax(dim=1)]  # (B,)
    there = mask_logits > NO_OBJECT_LOGIT
    return torch.where(there, mask_logits - threshold[:, None, None, None], mask_logits)


def add_tracking_bias(mask_logits: Tensor) -> Tensor:
    """Raise the logits of a tracked frame, for models that carry masks.

    Otherwise a carried mask would lose a little of its rim and its thin parts in every frame: the
    network is uncertain there, and the next frame starts from the smaller mask.

    Args:
        mask_logits: (B, 1, 4h, 4w).

    Returns:
        the masks plus TRACKING_BIAS; occluded ones are unchanged.
    """
    return torch.where(mask_logits > NO_OBJECT_LOGIT, mask_logits + TRACKING_BIAS, mask_logits)


def is_stable(mask_logits: Tensor) -> Tensor:
    """Whether a mask hardly changes with its threshold: (B, 4h, 4w) -> (B,) bool."""
    inner = (mask_logits > STABILITY_MARGIN).flatten(1).sum(dim=1).float()
    outer = (mask_logits > -STABILITY_MARGIN).flatten(1).sum(dim=1).float()
    stability = (inner / outer).masked_fill(outer == 0, 1.0)
    return stability >= STABILITY_THRESHOLD

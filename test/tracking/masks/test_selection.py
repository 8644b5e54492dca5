"""Where the outline of a hedging mask is drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from etam_ros.tracking.masks.selection import (
    NO_OBJECT_LOGIT,
    THRESHOLDS,
    TRACKING_BIAS,
    add_tracking_bias,
    shift_to_best_expected_iou,
)


def expected_overlap(logits: Tensor, threshold: float) -> float:
    """By definition, of a mask whose cells belong to the object with their own chances."""
    chances = logits.sigmoid()
    inside = logits > threshold
    return float(chances[inside].sum() / (inside.sum() + chances[~inside].sum()))


def regions(sure: int, likely: int, chance: float) -> Tensor:
    """(1, 1, 16, 16) logits: some cells that are sure, some with a chance, the rest out."""
    values = torch.full((256,), -12.0)
    values[:sure] = 12.0
    values[sure : sure + likely] = torch.logit(torch.tensor(chance))
    return values.view(1, 1, 16, 16)


@pytest.mark.parametrize(
    ("sure", "likely", "chance", "taken"),
    [(20, 100, 0.45, True), (20, 100, 0.3, True), (90, 60, 0.2, False), (0, 80, 0.4, True)],
)
def test_a_part_is_taken_in_where_more_overlap_is_expected(
    sure: int, likely: int, chance: float, taken: bool
) -> None:
    logits = regions(sure, likely, chance)
    area = int((shift_to_best_expected_iou(logits) > 0).sum())
    assert area == sure + likely * taken


def test_no_other_line_is_better() -> None:
    logits = torch.randn(5, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 3 - 2
    found = shift_to_best_expected_iou(logits)
    for row in range(5):
        threshold = float((logits - found)[row].mean())
        best = max(expected_overlap(logits[row], float(t)) for t in torch.linspace(*THRESHOLDS))
        assert expected_overlap(logits[row], threshold) == pytest.approx(best, abs=1e-3)


def test_an_occluded_mask_stays_occluded() -> None:
    gone = torch.full((1, 1, 16, 16), NO_OBJECT_LOGIT)
    assert torch.equal(shift_to_best_expected_iou(gone), gone)


def test_gradients_pass_as_they_are() -> None:
    logits = regions(20, 30, 0.4).requires_grad_()
    shift_to_best_expected_iou(logits).sum().backward()
    assert logits.grad is not None
    assert (logits.grad == 1.0).all()


def test_followed_masks_are_raised_and_occluded_ones_stay() -> None:
    logits = torch.tensor([-0.4, 3.0, NO_OBJECT_LOGIT]).view(3, 1, 1, 1)
    raised = add_tracking_bias(logits).flatten().tolist()
    assert raised == pytest.approx([TRACKING_BIAS - 0.4, TRACKING_BIAS + 3.0, NO_OBJECT_LOGIT])

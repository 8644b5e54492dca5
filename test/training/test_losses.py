"""Losses against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from etam_ros.training.losses import (
    BCE_WEIGHT,
    dice_loss,
    mask_iou,
    pixel_loss,
    row_losses,
)

LOGIT = math.log(3.0)  # probability 3/4


def grid(*values):
    return torch.tensor(values, dtype=torch.float32).reshape(2, 2)


def test_focal_loss_by_hand():
    logits, targets = grid(LOGIT, LOGIT, -LOGIT, 0.0), grid(1, 0, 0, 1)
    # Weights 0.25 on the object and 0.75 off it, times the squared error, times the entropy.
    expected = (
        0.25 * 0.25**2 * -math.log(0.75)
        + 0.75 * 0.75**2 * -math.log(0.25)
        + 0.75 * 0.25**2 * -math.log(0.75)
        + 0.25 * 0.5**2 * -math.log(0.5)
    ) / 4
    assert pixel_loss(logits, targets, 0.0).item() == pytest.approx(20 * expected, rel=1e-5)


def test_cross_entropy_by_hand_and_half_way():
    logits, targets = grid(LOGIT, LOGIT, -LOGIT, 0.0), grid(1, 0, 0, 1)
    entropy = -(math.log(0.75) + math.log(0.25) + math.log(0.75) + math.log(0.5)) / 4
    bce, focal = pixel_loss(logits, targets, 1.0), pixel_loss(logits, targets, 0.0)
    assert bce.item() == pytest.approx(BCE_WEIGHT * entropy, rel=1e-5)
    assert pixel_loss(logits, targets, 0.5).item() == pytest.approx((bce + focal).item() / 2)


def test_dice_by_hand():
    logits, targets = grid(LOGIT, LOGIT, -LOGIT, -LOGIT), grid(1, 0, 0, 0)
    expected = 1 - (2 * 0.75 + 1) / (0.75 * 2 + 0.25 * 2 + 1 + 1)
    assert dice_loss(logits, targets).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("mask", "truth", "iou"),
    [((1, 1, 0, 0), (1, 0, 0, 0), 0.5), ((0, 0, 0, 0), (0, 0, 0, 0), 1.0),
     ((1, 0, 0, 0), (0, 0, 0, 1), 0.0)],
)  # fmt: skip
def test_iou(mask, truth, iou):
    assert mask_iou(grid(*mask) > 0, grid(*truth) > 0).item() == iou


@pytest.fixture
def three_masks():
    """Three masks of one object: wrong, right and half right."""
    truth = grid(1, 1, 0, 0)
    wrong, right = grid(-4, -4, 4, 4), grid(4, 4, -4, -4)
    half = grid(4, -4, -4, -4)
    logits = torch.stack([wrong, right, half])[None].requires_grad_()
    return logits, truth[None]


def losses_of(logits, truth, visible=True, score=0.0):
    scores = torch.tensor([[0.5, 0.5, 0.5]], requires_grad=True)
    score = torch.tensor([score], requires_grad=True)
    return row_losses(logits, scores, score, truth, torch.tensor([visible]))


def test_the_best_of_ambiguous_masks_is_trained_alone(three_masks):
    logits, truth = three_masks
    losses = losses_of(logits, truth)
    assert losses.dice.item() == pytest.approx(dice_loss(logits[0, 1], truth[0]).item())
    (losses.pixel + losses.dice).sum().backward()
    assert logits.grad[0, 1].abs().sum() > 0
    assert logits.grad[0, [0, 2]].abs().sum() == 0


def test_the_iou_of_every_mask_is_estimated(three_masks):
    logits, truth = three_masks
    losses = losses_of(logits, truth)
    # Real IoUs are 0, 1 and 1/2; all are estimated as 1/2.
    assert losses.iou.item() == pytest.approx((0.5 + 0.5 + 0.0) / 3)


def test_a_hidden_object_has_no_mask_to_learn(three_masks):
    logits, truth = three_masks
    losses = losses_of(logits, torch.zeros_like(truth), visible=False, score=LOGIT)
    assert (losses.pixel + losses.dice + losses.iou).item() == 0.0
    assert losses.presence.item() == pytest.approx(-math.log(0.25), rel=1e-5)
    assert losses.total.item() == pytest.approx(losses.presence.item())


def test_presence_of_a_visible_object(three_masks):
    assert losses_of(*three_masks, score=LOGIT).presence.item() == pytest.approx(-math.log(0.75))

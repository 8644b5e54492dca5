"""Masks that follow the edges of a picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from etam_ros.edges import EPSILON, LEAST, EdgeGuide

SIDE, RADIUS = 24, 3


def scene(noise: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture (1, 3, 48, 48) of a disc, and its mask (24, 24)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    disc = np.hypot(x - 22, y - 25) < 13
    picture = np.where(disc[None], [[[1.0]], [[-0.5]], [[0.3]]], [[[-0.8]], [[0.4]], [[0.1]]])
    picture = picture + rng.normal(0.0, noise, picture.shape)
    mask = functional.avg_pool2d(torch.from_numpy(disc[None].astype(np.float32)), 2)[0] >= 0.5
    return torch.from_numpy(picture[None].astype(np.float32)), mask


def blurred(mask: torch.Tensor) -> torch.Tensor:
    """Logits (1, 1, G, G) of somebody who knows only about where it is."""
    shifted = torch.roll(mask.float(), (1, 1), (0, 1))[None, None]
    return (functional.avg_pool2d(shifted, 5, 1, 2) - 0.5) * 2


def iou(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_rough_mask_snaps_to_the_edge() -> None:
    picture, mask = scene()
    rough = blurred(mask)
    refined = EdgeGuide(picture, SIDE, RADIUS).refine(rough)
    assert refined.shape == rough.shape
    assert iou(refined[0, 0] > 0, mask) > iou(rough[0, 0] > 0, mask) + 0.05


def test_it_is_a_linear_regression_on_the_colours_around() -> None:
    """Held against the definition, window by window."""
    picture, mask = scene(noise=0.3)
    logits = blurred(mask)
    colours = functional.avg_pool2d(picture, 2)[0].double().numpy()  # (3, G, G)
    p = torch.sigmoid(logits)[0, 0].double().numpy()
    slopes, offsets = np.zeros((SIDE, SIDE, 3)), np.zeros((SIDE, SIDE))
    for row in range(SIDE):
        for column in range(SIDE):
            window = np.s_[
                max(0, row - RADIUS) : row + RADIUS + 1,
                max(0, column - RADIUS) : column + RADIUS + 1,
            ]
            c = np.stack([channel[window].ravel() for channel in colours], axis=1)
            values = p[window].ravel()
            spread = (c - c.mean(0)).T @ (c - c.mean(0)) / len(c) + EPSILON * np.eye(3)
            together = (c - c.mean(0)).T @ (values - values.mean()) / len(c)
            slopes[row, column] = np.linalg.solve(spread, together)
            offsets[row, column] = values.mean() - slopes[row, column] @ c.mean(0)
    expected = np.zeros((SIDE, SIDE))
    for row in range(SIDE):
        for column in range(SIDE):
            window = np.s_[
                max(0, row - RADIUS) : row + RADIUS + 1,
                max(0, column - RADIUS) : column + RADIUS + 1,
            ]
            slope = slopes[window].reshape(-1, 3).mean(0)
            expected[row, column] = slope @ colours[:, row, column] + offsets[window].mean()
    filtered = np.clip(expected, LEAST, 1 - LEAST)
    wanted = (logits[0, 0].numpy() + np.log(filtered / (1 - filtered))) / 2
    refined = EdgeGuide(picture, SIDE, RADIUS).refine(logits)[0, 0].numpy()
    assert np.abs(refined - wanted).max() < 0.02


def test_a_confident_mask_overrules_the_edges() -> None:
    picture, _ = scene()
    small = torch.zeros(1, 1, SIDE, SIDE) - 20.0
    small[..., 11:13, 10:12] = 20.0  # a thing inside the disc, of its colour
    refined = EdgeGuide(picture, SIDE, RADIUS).refine(small)
    assert torch.equal(refined > 0, small > 0)


@pytest.mark.parametrize("value", [-8.0, 8.0])
def test_a_mask_of_everything_or_nothing_stays_so(value: float) -> None:
    picture, _ = scene()
    refined = EdgeGuide(picture, SIDE, RADIUS).refine(torch.full((1, 1, SIDE, SIDE), value))
    assert torch.isfinite(refined).all()
    assert ((refined > 0) == (value > 0)).all()


def test_a_flat_picture_only_smooths() -> None:
    flat = torch.zeros(1, 3, 2 * SIDE, 2 * SIDE)
    _, mask = scene()
    refined = EdgeGuide(flat, SIDE, RADIUS).refine(blurred(mask))
    assert torch.isfinite(refined).all()
    assert iou(refined[0, 0] > 0, blurred(mask)[0, 0] > 0) > 0.9


def test_masks_do_not_touch_each_other() -> None:
    picture, mask = scene()
    other = torch.flip(picture, (3,))
    guide = EdgeGuide(torch.cat((picture, other)), SIDE, RADIUS)
    logits = torch.cat((blurred(mask), blurred(mask.T), -blurred(mask)))  # (3, 1, G, G)
    both = guide.of(torch.tensor([0, 1, 1])).refine(logits.expand(-1, 2, -1, -1))
    alone = EdgeGuide(other, SIDE, RADIUS).refine(logits[1:])
    assert torch.allclose(both[1:, :1], alone, atol=1e-5)
    assert torch.equal(both[:, 0], both[:, 1])


def test_gradients_pass() -> None:
    picture, mask = scene()
    logits = blurred(mask).requires_grad_()
    EdgeGuide(picture, SIDE, RADIUS).refine(logits).sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 1.0

"""Outlines that follow colours, against pictures whose outlines are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.cues.colour_model import (
    BAND,
    COLOURS,
    FEWEST,
    LEVELS,
    colour_indices,
    follow_colours,
)

SIDE = 112


def disc(x: int, y: int, radius: int, logit: float = 6.0) -> Tensor:
    """(1, 1, G, G) logits of a disc about (x, y), in cells."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(mask, (x, y), radius, 1, cv2.FILLED)
    return torch.from_numpy(np.where(mask > 0, logit, -logit).astype(np.float32))[None, None]


def painted(mask: Tensor, seed: int = 0) -> NDArray[np.uint8]:
    """(G, G, 3): the mask red, the rest blue, both with grain."""
    colours = np.where(
        (mask[0, 0].numpy() > 0)[..., None], (190.0, 70.0, 60.0), (60.0, 70.0, 190.0)
    )
    grain = np.random.default_rng(seed).normal(0.0, 15.0, colours.shape)
    return (colours + grain).clip(0, 255).astype(np.uint8)


def seen(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(colour_indices(image, SIDE))[None]


def overlap(a: Tensor, b: Tensor) -> float:
    first, second = a > 0, b > 0
    return float((first & second).sum() / (first | second).sum())


def test_every_colour_has_its_number() -> None:
    edges = np.array([0, 255], np.uint8)
    corners = np.stack(np.meshgrid(edges, edges, edges, indexing="ij"), -1).reshape(1, 8, 3)
    found = [int(colour_indices(corners[:, i : i + 1], 1)[0]) for i in range(8)]
    assert found[0] == 0
    assert found[-1] == COLOURS - 1
    assert found[4] == (LEVELS - 1) * LEVELS**2  # red
    assert len(set(found)) == 8


@pytest.mark.parametrize(("dx", "growth"), [(3, 0), (0, 2), (-2, -2)])
def test_an_outline_that_is_off_by_less_than_the_band_is_put_right(dx: int, growth: int) -> None:
    truth = disc(55, 60, 18)
    rough = disc(55 + dx, 60, 18 + growth)
    image = seen(painted(truth))
    found = [rough]
    for _ in range(6):  # frame by frame: fewer wrong cells are counted each time
        found.append(follow_colours(found[-1], image))
    assert 1.0 - overlap(found[1], truth) < 0.75 * (1.0 - overlap(rough, truth))
    assert overlap(found[-1], truth) > 0.97


def test_far_from_the_outline_logits_stay_as_they_are() -> None:
    mask = disc(55, 60, 20)
    found = follow_colours(mask, seen(painted(disc(10, 10, 5))))
    inner, outer = disc(55, 60, 20 - BAND - 2) > 0, disc(55, 60, 20 + 2 * BAND) < 0
    assert (found[inner] == 6.0).all()
    assert (found[outer] == -6.0).all()


def test_where_colours_tell_nothing_the_outline_hardly_moves() -> None:
    mask = disc(55, 60, 20)
    flat = np.full((SIDE, SIDE, 3), 128, np.uint8)
    assert overlap(follow_colours(mask, seen(flat)), mask) > 0.9


def test_rows_do_not_touch_each_other_and_may_share_a_picture() -> None:
    masks = torch.cat([disc(40, 40, 12), disc(70, 70, 15), disc(60, 30, 9)])
    image = seen(painted(disc(42, 40, 12)))
    together = follow_colours(masks, image)
    for row in range(3):
        assert torch.equal(together[row : row + 1], follow_colours(masks[row : row + 1], image))
    assert torch.equal(follow_colours(masks, image.expand(3, -1)), together)


@pytest.mark.parametrize("mask", [torch.full((1, 1, SIDE, SIDE), -32.0), disc(50, 50, 0)])
def test_an_object_that_is_gone_or_tiny_is_left_as_it_is(mask: Tensor) -> None:
    assert (mask > 0).sum() < FEWEST
    assert torch.equal(follow_colours(mask, seen(painted(disc(50, 50, 20)))), mask)


def test_a_mask_that_would_vanish_is_left_as_it_is() -> None:
    mask = torch.full((1, 1, SIDE, SIDE), -6.0)
    mask[..., 50:52, 20:90] = 6.0  # thin, over what its surroundings look like too
    stripes = np.zeros((SIDE, SIDE, 3), np.uint8)
    stripes[:, ::2] = 255
    assert torch.equal(follow_colours(mask, seen(stripes)), mask)


def test_gradients_pass_where_the_outline_is_far() -> None:
    mask = disc(55, 60, 20).requires_grad_()
    follow_colours(mask, seen(painted(disc(55, 60, 20)))).sum().backward()
    assert mask.grad is not None
    assert mask.grad[0, 0, 60, 55] == 1.0
    assert mask.grad[0, 0, 5, 5] == 1.0

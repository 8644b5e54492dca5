"""Carried masks that are disturbed on purpose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etam_ros.training.mask_corruption import corrupt_masks

SIDE, OBJECTS, CLIPS = 64, 2, 20


@pytest.fixture
def masks() -> torch.Tensor:
    """Two rectangles a clip."""
    made = torch.full((OBJECTS * CLIPS, 1, SIDE, SIDE), -8.0)
    made[0::2, :, 10:30, 10:30] = 8.0
    made[1::2, :, 40:50, 20:50] = 8.0
    return made


def generators() -> list[np.random.Generator]:
    return [np.random.default_rng(row) for row in range(OBJECTS * CLIPS)]


def overlap(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    both, either = (a > 0) & (b > 0), (a > 0) | (b > 0)
    return both.flatten(1).sum(1) / either.flatten(1).sum(1).clamp(min=1)


def test_none_are_disturbed_where_no_share_is(masks) -> None:
    assert torch.equal(corrupt_masks(masks, generators(), 0.0, OBJECTS), masks)


def test_disturbed_masks_still_tell_of_the_object(masks) -> None:
    found = overlap(corrupt_masks(masks, generators(), 1.0, OBJECTS), masks)
    assert (found < 0.999).float().mean() > 0.6  # a blob far away may miss, and one joins itself
    assert found[found > 0].mean() > 0.4


def test_about_the_share_is_disturbed_and_each_generator_decides(masks) -> None:
    first, second = (corrupt_masks(masks, generators(), 0.3, OBJECTS) for _ in range(2))
    assert torch.equal(first, second)
    changed = (first != masks).flatten(1).any(dim=1).float().mean()
    assert 0.05 < changed < 0.5


def test_rows_join_with_objects_of_their_own_clip_alone(masks) -> None:
    apart = masks.clone()
    apart[OBJECTS:] = -8.0
    others = corrupt_masks(apart, generators(), 1.0, OBJECTS)[OBJECTS:, :, 10:30, 10:30]
    assert (others > 0).flatten(1).float().mean(dim=1).max() < 0.9


def test_an_object_that_is_nowhere_stays_finite() -> None:
    nothing = torch.full((8, 1, SIDE, SIDE), -32.0)
    rngs = [np.random.default_rng(row) for row in range(8)]
    assert corrupt_masks(nothing, rngs, 1.0, 1).isfinite().all()

"""Small holes, found by OpenCV on the host and by spreading numbers on a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from etam_ros.tracking.masks.holes import LARGEST_ON_DEVICE, fill_holes, fill_holes_on_device

SIDE = 24


@pytest.mark.parametrize("fill", [fill_holes, fill_holes_on_device])
@pytest.mark.parametrize(("area", "filled"), [(0, False), (3, False), (4, True), (100, True)])
def test_holes_up_to_an_area_are_filled(fill, area: int, filled: bool) -> None:
    logits = torch.full((2, 1, 16, 16), 2.0)
    logits[0, 0, 5, 5] = logits[0, 0, 6, 6] = -1.0  # one component of 4, touching by corners
    logits[0, 0, 7, 7] = logits[0, 0, 8, 8] = 0.0
    logits[1, 0, :, 8:] = -1.0
    result = fill(logits, area)
    assert (result[0, 0, 6, 6] == pytest.approx(0.1)) is filled
    assert (result[0, 0, 7, 7] == pytest.approx(0.1)) is filled
    assert torch.equal(result[1], logits[1])


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    density=st.floats(0.05, 0.95),
    blur=st.sampled_from([0, 1, 2]),
    area=st.integers(1, LARGEST_ON_DEVICE + 1),
)
def test_both_fill_the_same_holes(seed: int, density: float, blur: int, area: int) -> None:
    """From salt and pepper to blobs and winding corridors."""
    noise = torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    for _ in range(blur):
        noise = torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    logits = noise - noise.flatten().quantile(density)
    expected = fill_holes(logits, area)
    assert torch.equal(fill_holes_on_device(logits, area), expected)


def snake(length: int) -> np.ndarray:
    """A corridor one cell wide that winds through the picture, of so many background cells."""
    path = []
    for turn, y in enumerate(range(1, SIDE - 1, 4)):
        row = [(y, x) for x in range(1, SIDE - 1)]
        path += row if turn % 2 == 0 else row[::-1]
        x = path[-1][1]
        path += [(y + step, x) for step in (1, 2, 3)]
    mask = np.ones((SIDE, SIDE), bool)
    for y, x in path[:length]:
        mask[y, x] = False
    return mask


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("area", [1, 2, 8, 30, LARGEST_ON_DEVICE])
@pytest.mark.parametrize("excess", [-1, 0, 1, 40])
def test_the_longest_of_its_area_is_found_and_a_part_of_a_longer_one_is_not(
    area: int, excess: int, flipped: bool
) -> None:
    mask = snake(area + excess)
    if flipped:
        mask = mask[::-1, ::-1].copy()
    logits = torch.from_numpy(np.where(mask, 3.0, -3.0).astype(np.float32))[None, None]
    filled = fill_holes_on_device(logits, area)
    assert torch.equal(filled, fill_holes(logits, area))
    assert bool((filled > 0).all()) is (excess <= 0)

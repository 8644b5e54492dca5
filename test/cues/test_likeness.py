"""How alike masks look, on pictures in two colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from etam_ros.cues.colour_model import colour_indices
from etam_ros.cues.likeness import likeness, looks_of

SIDE = 16
RED, BLUE = (200, 60, 50), (40, 60, 190)


def seen(*halves: tuple[int, int, int]) -> Tensor:
    """(1, G * G) colours of a picture whose left and right half are as told."""
    image = np.empty((SIDE, SIDE, 3), np.uint8)
    image[:, : SIDE // 2], image[:, SIDE // 2 :] = halves
    return torch.from_numpy(colour_indices(image, SIDE))[None]


def mask(left: int, right: int) -> Tensor:
    """(1, 1, G, G) logits of columns."""
    logits = torch.full((1, 1, SIDE, SIDE), -5.0)
    logits[..., left:right] = 5.0
    return logits


def test_shares_add_up_to_one_and_an_empty_mask_has_none() -> None:
    masks = torch.cat((mask(0, 4), mask(2, 12), mask(0, 0)))
    sums = looks_of(masks, seen(RED, BLUE)).sum(dim=1)
    assert sums.tolist() == pytest.approx([1.0, 1.0, 0.0])


def test_the_same_colours_are_alike_whatever_the_size_of_the_mask() -> None:
    picture = seen(RED, BLUE)
    known = looks_of(mask(0, 8), picture)[:, None]
    for other, expected in ((mask(3, 5), 1.0), (mask(8, 16), 0.0), (mask(0, 0), 0.0)):
        assert float(likeness(looks_of(other, picture), known)) == pytest.approx(expected)


def test_a_mask_that_slips_looks_less_and_less_like_itself() -> None:
    picture = seen(RED, BLUE)
    known = looks_of(mask(0, 8), picture)[:, None]
    found = [float(likeness(looks_of(mask(x, x + 8), picture), known)) for x in range(9)]
    assert found == sorted(found, reverse=True)
    assert found[4] == pytest.approx(0.5**0.5)


def test_a_little_more_light_makes_no_other_thing() -> None:
    known = looks_of(mask(0, 8), seen(RED, BLUE))[:, None]
    brighter = seen((206, 64, 54), BLUE)
    assert float(likeness(looks_of(mask(0, 8), brighter), known)) > 0.99


def test_the_nearest_of_several_known_looks_counts_and_padding_does_not() -> None:
    picture = seen(RED, BLUE)
    red, blue = looks_of(mask(0, 8), picture), looks_of(mask(8, 16), picture)
    known = torch.stack((torch.cat((red, blue)), torch.cat((red, torch.zeros_like(red)))))
    assert likeness(torch.cat((blue, blue)), known).tolist() == pytest.approx([1.0, 0.0])

"""Outlines that follow edges, against pictures whose outlines are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from etam_ros.cues.box_filter import box_max, box_mean
from etam_ros.cues.guided_filter import FEWEST, FLATNESS, REACH, _fit, follow_edges

CELLS, SIDE = 56, 224


def star(radius: float = 60.0) -> Tensor:
    """(1, 1, S, S) 0 or 1: a shape with points, which cells of 4 pixels round off."""
    angle = np.linspace(0.0, 2.0 * np.pi, 200)
    reach = radius * (1.0 + 0.3 * np.cos(7.0 * angle))
    corners = np.stack((110 + reach * np.cos(angle), 115 + reach * np.sin(angle)), axis=1)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
    return torch.from_numpy(mask.astype(np.float32))[None, None]


def painted(mask: Tensor, seed: int = 0) -> Tensor:
    """(1, 3, S, S) of unit deviation: the mask of one colour, the rest of another, with grain."""
    inside, outside = (
        torch.tensor(c).view(1, 3, 1, 1) for c in ((1.2, 0.1, -0.6), (-0.5, 0.3, 0.8))
    )
    grain = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return torch.where(mask > 0, inside, outside) + 0.1 * grain


def coarse(mask: Tensor, logit: float = 6.0) -> Tensor:
    """(1, 1, G, G) logits of a mask, by how much of each cell it covers."""
    share = functional.avg_pool2d(mask, SIDE // CELLS)
    return functional.avg_pool2d(share * 2.0 - 1.0, 3, 1, 1) * logit


def overlap(a: Tensor, b: Tensor) -> float:
    first, second = a > 0, b > 0
    return float((first & second).sum() / (first | second).sum())


def resized(mask_logits: Tensor) -> Tensor:
    return functional.interpolate(mask_logits, size=(SIDE, SIDE), mode="bilinear")


def test_an_outline_goes_where_the_picture_changes() -> None:
    truth = star()
    rough = coarse(truth.roll(5, dims=-1))  # pixels
    found = follow_edges(rough, painted(truth))
    before = overlap(resized(rough), truth)
    assert before < 0.93
    assert overlap(found, truth) > 1.0 - 0.5 * (1.0 - before)


def test_without_an_edge_the_outline_stays_where_it_was() -> None:
    rough = coarse(star())
    for image in (torch.zeros(1, 3, SIDE, SIDE), torch.full((1, 3, SIDE, SIDE), 2.6)):
        assert overlap(follow_edges(rough, image), resized(rough)) > 0.99


def test_masks_of_one_picture_do_not_touch_each_other() -> None:
    first, second = star(), star(30.0)
    image = painted(first)
    both = follow_edges(torch.cat((coarse(first), coarse(second))), image)
    for row, mask in enumerate((first, second)):
        alone = follow_edges(coarse(mask), image)
        torch.testing.assert_close(both[row : row + 1], alone)


@pytest.mark.parametrize("threshold", [-1.5, 0.7])
def test_the_outline_is_drawn_at_the_threshold_that_is_asked_for(threshold: float) -> None:
    rough, image = coarse(star()), painted(star())
    shifted = follow_edges(rough + threshold, image, threshold)
    torch.testing.assert_close(shifted - threshold, follow_edges(rough, image), atol=1e-4, rtol=0)


def test_what_is_far_from_the_outline_is_as_sure_as_it_was() -> None:
    rough = torch.full((1, 1, CELLS, CELLS), -9.0)
    rough[..., 15:45, 15:45] = 12.0
    found = follow_edges(rough, torch.zeros(1, 3, SIDE, SIDE))
    assert found[0, 0, 112, 112] == pytest.approx(12.0, rel=1e-4)
    assert found[0, 0, 2, 2] == pytest.approx(-9.0, rel=1e-4)


def test_an_occluded_mask_and_a_tiny_one_are_only_resized() -> None:
    hidden = torch.full((1, 1, CELLS, CELLS), -1024.0)
    tiny = torch.full((1, 1, CELLS, CELLS), -5.0)
    tiny[..., 20, 20 : 20 + FEWEST // 2] = 5.0
    image = painted(star())
    for mask_logits in (hidden, tiny):
        torch.testing.assert_close(follow_edges(mask_logits, image), resized(mask_logits))


def test_fits_are_those_of_least_squares() -> None:
    """Against the ridge regression that each cell's window asks for, one by one."""
    rng = torch.Generator().manual_seed(3)
    guide = torch.randn(1, 3, 20, 20, generator=rng, dtype=torch.float64)
    values = torch.randn(1, 1, 20, 20, generator=rng, dtype=torch.float64) + guide[:, :1]
    slopes, offset, explained = _fit(values, guide)
    for y, x in ((0, 0), (3, 17), (10, 10), (19, 4)):
        window = np.s_[max(0, y - REACH) : y + REACH + 1, max(0, x - REACH) : x + REACH + 1]
        colours = guide[0][:, window[0], window[1]].flatten(1)
        wanted = values[0, 0][window].flatten()
        centred = colours - colours.mean(dim=1, keepdim=True)
        spread = centred @ centred.T / len(wanted) + FLATNESS * torch.eye(3)
        right = torch.linalg.solve(spread, centred @ wanted / len(wanted))
        left_over = wanted - wanted.mean() - right @ centred
        torch.testing.assert_close(slopes[0, :, y, x], right)
        expected = wanted.mean() - right @ colours.mean(dim=1)
        torch.testing.assert_close(offset[0, 0, y, x], expected)
        share = 1.0 - float(left_over.var() / wanted.var())
        assert float(explained[0, 0, y, x]) == pytest.approx(share, abs=2e-3)


def test_boxes_reach_as_far_as_the_picture_goes() -> None:
    values = torch.arange(12.0).view(1, 1, 3, 4)
    assert box_mean(values, 1)[0, 0, 0, 0] == pytest.approx((0 + 1 + 4 + 5) / 4)
    assert box_mean(values, 1)[0, 0, 1, 1] == pytest.approx(5.0)
    assert box_max(values, 1)[0, 0].tolist() == [[5, 6, 7, 7], [9, 10, 11, 11], [9, 10, 11, 11]]

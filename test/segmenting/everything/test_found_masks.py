"""Stability, cleaning, packing and the dropping of doubles, on masks whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from etam_ros.segmenting.everything.found_masks import (
    COMPARED,
    FoundMask,
    cleaned,
    each_once,
    keeping_each_once,
    stability_of,
)

HW = (30, 45)


def box(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.bool_]:
    mask = np.zeros(HW, np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


def found(mask: NDArray[np.bool_], iou_score: float = 0.5) -> FoundMask:
    return FoundMask.of(mask, iou_score, 1.0)


def test_stability_is_the_area_of_the_sure_over_that_of_the_possible() -> None:
    sure = torch.full((8, 8), -9.0)
    sure[:4] = 9.0
    wavering = sure.clone()
    wavering[4:6] = 0.5
    nothing = torch.full((8, 8), -9.0)
    stabilities = stability_of(torch.stack((sure, wavering, nothing)))
    assert stabilities.tolist() == pytest.approx([1.0, 4 / 6, 0.0])
    assert stability_of(wavering[None], offset=0.4).tolist() == [1.0]
    assert stability_of(torch.empty(0, 8, 8)).tolist() == []


def test_packed_masks_say_what_the_masks_do() -> None:
    random = np.random.RandomState(0)
    for _ in range(200):
        corners = random.randint(0, (HW[1], HW[0]), (2, 2)), random.randint(1, 20, (2, 2))
        masks = [box(x, y, x + w, y + h) for (x, y), (w, h) in zip(*corners, strict=True)]
        packed = [found(mask) for mask in masks]
        for mask, each in zip(masks, packed, strict=True):
            assert np.array_equal(each.mask, mask)
            assert each.area == mask.sum() == each.measured().area
        both, either = (masks[0] & masks[1]).sum(), (masks[0] | masks[1]).sum()
        assert packed[0].iou(packed[1]) == packed[1].iou(packed[0])
        assert packed[0].iou(packed[1]) == pytest.approx(both / either)


def test_small_holes_are_filled_and_small_pieces_dropped() -> None:
    mask = box(5, 5, 25, 25)
    mask[10:12, 10:12] = False  # 4 pixels
    mask[15:20, 15:20] = False  # 25 pixels
    mask[5:7, 5] = False  # open to the outside
    mask[1:3, 1:3] = True  # 4 pixels
    mask[2:6, 35:41] = True  # 24 pixels
    expected = mask.copy()
    expected[10:12, 10:12] = True
    expected[1:3, 1:3] = False
    assert np.array_equal(cleaned(mask, 5), expected)
    for unchanged in (0, 1):
        assert np.array_equal(cleaned(mask, unchanged), mask)
    whole = cleaned(mask, 26)
    assert whole[15:20, 15:20].all()
    assert not whole[2:6, 35:41].any()
    assert not cleaned(box(3, 3, 6, 6), 10).any()
    assert not cleaned(box(3, 3, 6, 6), 10_000).any()
    assert not cleaned(box(0, 0, 0, 0), 10).any()


def test_pixels_that_touch_by_a_corner_are_one_piece() -> None:
    mask = box(2, 2, 5, 5)
    mask[5:8, 5:8] = True
    assert np.array_equal(cleaned(mask, 18), mask)
    assert not cleaned(mask, 19).any()


def test_of_masks_that_show_one_thing_the_best_is_kept() -> None:
    thing, nearly, part = box(0, 0, 20, 20), box(0, 0, 20, 19), box(0, 0, 10, 20)
    given_masks = [found(thing, 0.6), found(nearly, 0.9), found(part, 0.7), found(thing, 0.9)]
    kept = each_once(given_masks, 0.7)
    assert [(each.iou_score, each.area) for each in kept] == [(0.9, 380), (0.7, 200)]
    assert len(each_once(given_masks, 0.4)) == 1
    assert len(each_once(given_masks, 1.0)) == 4
    assert each_once([], 0.7) == []


def test_thousands_of_different_masks_are_compared_a_little_at_a_time() -> None:
    pixels = [found(box(x, y, x + 1, y + 1)) for x in range(16) for y in range(16)]
    kept: list[FoundMask] = []
    pauses = sum(1 for _ in keeping_each_once(pixels, 0.7, kept))
    assert kept == pixels
    assert pauses == 256 * 255 // 2 // COMPARED


def test_an_estimate_counts_by_its_stability() -> None:
    thing = box(0, 0, 20, 20)
    wavering, steady = FoundMask.of(thing, 0.9, 0.5), FoundMask.of(thing, 0.6, 0.9)
    assert each_once([wavering, steady], 0.7) == [steady]


def test_what_was_dropped_drops_nothing_itself() -> None:
    best, middle, last = box(0, 0, 10, 20), box(0, 0, 13, 20), box(0, 0, 17, 20)
    kept = each_once([found(last, 0.5), found(middle, 0.8), found(best, 0.9)], 0.7)
    assert [each.area for each in kept] == [200, 340]

"""The pieces of masks against independent ones, and which of them is followed."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from etam_ros import Frame, Prompt, Tracker, TrackerConfig
from etam_ros.tracking.masks.measures import EMPTY_MASK, NOWHERE, measure
from etam_ros.tracking.masks.pieces import ABOUT_AS_LARGE, NO_PIECES, pieces_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from fake_stages import SIZE, FakeStages

masks = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))
places = st.one_of(st.just(NOWHERE), st.tuples(st.floats(-50, 80), st.floats(-50, 80)))


def components(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Each piece, found by growing it pixel by pixel."""
    left = mask.copy()
    while left.any():
        piece = np.zeros_like(mask)
        piece[np.unravel_index(int(left.argmax()), left.shape)] = True
        while True:
            grown = (cv2.dilate(piece.view(np.uint8), np.ones((3, 3))) > 0) & mask
            if (grown == piece).all():
                break
            piece = grown
        left &= ~piece
        yield piece


def at(*corners: tuple[int, int, int, int], hw: tuple[int, int] = (60, 80)) -> np.ndarray:
    mask = np.zeros(hw, bool)
    for x0, y0, x1, y1 in corners:
        mask[y0:y1, x0:x1] = True
    return mask


@given(mask=masks, offset=st.tuples(st.integers(0, 9), st.integers(0, 9)), near=places)
def test_pieces_agree_with_the_definition(
    mask: np.ndarray, offset: tuple[int, int], near: tuple[float, float]
) -> None:
    pieces = pieces_of(measure(mask, offset), near)
    expected = list(components(mask))
    assert pieces.count == len(expected)
    if not expected:
        assert pieces is NO_PIECES
        return
    main = pieces.main
    x0, y0, x1, y1 = (value - offset[axis % 2] for axis, value in enumerate(main.box))
    whole = np.zeros_like(mask)
    whole[y0:y1, x0:x1] = main.mask
    assert any((whole == piece).all() for piece in expected)
    areas = [int(piece.sum()) for piece in expected]
    assert main.area == whole.sum() >= ABOUT_AS_LARGE * max(areas)
    if math.isnan(near[0]):
        assert main.area == max(areas)
    ys, xs = whole.nonzero()
    mean = np.array([xs.mean(), ys.mean()])
    x, y = np.array(main.centroid) - offset
    column, row = math.floor(x + 0.5), math.floor(y + 0.5)
    assert whole[row, column]
    if whole[math.floor(mean[1] + 0.5), math.floor(mean[0] + 0.5)]:
        assert (x, y) == pytest.approx(tuple(mean))
    else:
        nearest = np.hypot(xs - mean[0], ys - mean[1]).min()
        assert math.dist((x, y), mean) == pytest.approx(nearest)


def test_a_speck_far_away_moves_nothing() -> None:
    body = at((10, 10, 30, 40))
    pieces = pieces_of(measure(body | at((70, 50, 75, 55))), NOWHERE)
    alone = measure(body)
    assert pieces.count == 2
    assert (pieces.main.box, pieces.main.centroid) == (alone.box, alone.centroid)


def test_of_two_halves_the_one_that_was_followed_goes_on() -> None:
    """A person behind a pole: sometimes one half is the larger, sometimes the other."""
    for left, right in ((20, 14), (17, 17), (14, 20)):
        halves = measure(at((10, 10, 10 + left, 40), (40, 10, 40 + right, 40)))
        assert pieces_of(halves, (17.0, 25.0)).main.box[0] == 10
        assert pieces_of(halves, (48.0, 25.0)).main.box[0] == 40


def test_a_half_that_is_nearly_hidden_gives_way() -> None:
    halves = measure(at((10, 10, 14, 40), (40, 10, 60, 40)))
    assert pieces_of(halves, (12.0, 25.0)).main.box == (40, 10, 60, 40)


def test_a_piece_in_the_hole_of_another_is_a_piece_of_its_own() -> None:
    ring = at((10, 10, 50, 50)) & ~at((15, 15, 45, 45))
    pieces = pieces_of(measure(ring | at((28, 28, 32, 32))), NOWHERE)
    assert pieces.count == 2
    assert pieces.main.area == ring.sum()
    x, y = pieces.main.centroid
    assert ring[round(y), round(x)]


def shredded(kind: str) -> np.ndarray:
    """Masks at full size of which a pass for each piece would take many seconds."""
    y, x = np.mgrid[:1080, :1920]
    if kind == "noise":
        return np.random.default_rng(0).random((1080, 1920)) < 0.1
    if kind == "diagonals":  # the rectangle of each holds hundreds of others
        return (x + y) % 4 == 0
    return (np.hypot(x - 960, y - 540) // 4) % 2 == 0


@pytest.mark.parametrize(("kind", "count"), [("noise", 65535), ("diagonals", 750), ("rings", 243)])
def test_a_mask_may_be_shredded_into_thousands(kind: str, count: int) -> None:
    mask = shredded(kind)
    pieces = pieces_of(measure(mask), (900.0, 500.0))
    assert pieces.count == count
    x, y = pieces.main.centroid
    assert mask[math.floor(y + 0.5), math.floor(x + 0.5)]
    assert cv2.connectedComponents(pieces.main.mask.view(np.uint8), connectivity=8)[0] == 2
    x0, y0, x1, y1 = pieces.main.box
    grown = mask[max(y0 - 1, 0) : y1 + 1, max(x0 - 1, 0) : x1 + 1]
    _, labels = cv2.connectedComponents(grown.astype(np.uint8), connectivity=8)
    row, column = np.argwhere(pieces.main.mask)[0] + (y0 - max(y0 - 1, 0), x0 - max(x0 - 1, 0))
    assert np.count_nonzero(labels == labels[row, column]) == pieces.main.area


def test_nothing_has_no_piece() -> None:
    assert pieces_of(EMPTY_MASK, (3.0, 4.0)) is NO_PIECES


def two_squares(left: int, right: int) -> torch.Tensor:
    """Low-resolution logits of two squares side by side, of so many columns each."""
    logits = torch.full((16, 16), -5.0)
    logits[4:12, 1 : 1 + left] = 5.0
    logits[4:12, 9 : 9 + right] = 5.0
    return logits


def test_box_and_centroid_are_of_the_main_piece_and_no_pixel_is_lost() -> None:
    stages = FakeStages()
    stages.mask_for = lambda frame, row: two_squares(6, 2)
    tracker = Tracker(stages)
    tracker.step(Frame(np.zeros((SIZE, SIZE, 3), np.uint8)))
    state = tracker.add_prompt(Prompt(points=[(12, 32)], point_labels=[1]))
    labels = tracker.result.label_image
    assert state.pieces == 2
    assert state.area == (labels == 1).sum() == state.mask.sum()
    assert state.main_piece_share == pytest.approx(state.measured.sum() / state.area)
    x0, y0, x1, y1 = state.box
    assert x1 < 32 < state.extent[2]
    assert np.array_equal(state.measured, labels[y0:y1, x0:x1] == 1)
    x0, y0, x1, y1 = state.extent
    assert np.array_equal(state.mask, labels[y0:y1, x0:x1] == 1)
    assert labels[round(state.centroid[1]), round(state.centroid[0])] == 1


def test_the_piece_that_was_followed_goes_on_frame_by_frame() -> None:
    stages = FakeStages()
    widths = {1: (6, 4), 2: (5, 5), 3: (4, 6), 4: (1, 6), 5: (4, 6)}
    stages.mask_for = lambda frame, row: two_squares(*widths[int(frame)])
    tracker = Tracker(stages)
    tracker.step(Frame(np.zeros((SIZE, SIZE, 3), np.uint8)))
    states = [tracker.add_prompt(Prompt(points=[(12, 32)], point_labels=[1]))]
    for _ in range(4):
        states += tracker.step(Frame(np.zeros((SIZE, SIZE, 3), np.uint8))).objects
    sides = ["left" if state.centroid[0] < 32 else "right" for state in states]
    assert sides == ["left", "left", "left", "right", "right"]


def test_the_whole_mask_can_be_measured_instead() -> None:
    stages = FakeStages()
    stages.mask_for = lambda frame, row: two_squares(4, 4)
    tracker = Tracker(stages, TrackerConfig(measured="whole_mask"))
    tracker.step(Frame(np.zeros((SIZE, SIZE, 3), np.uint8)))
    state = tracker.add_prompt(Prompt(points=[(12, 32)], point_labels=[1]))
    assert (state.box, state.pieces) == (state.extent, 2)
    assert state.measured is state.mask
    whole = measure(tracker.result.label_image == 1)
    assert state.centroid == whole.centroid

"""Masks proposed by colour, against pictures whose objects are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from etam_ros.cues.proposals import SURE, pictured, propose
from etam_ros.runtime.stages import (
    POINT_BACKGROUND,
    POINT_BOX_MAX,
    POINT_BOX_MIN,
    POINT_FOREGROUND,
)

SIDE = 112
MIDDLE = (60.0, 50.0)


def picture(radius: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(G, G, 3) of an orange disc about MIDDLE on green, both with grain, and the disc's mask."""
    disc = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(disc, (int(MIDDLE[0]), int(MIDDLE[1])), radius, 1, cv2.FILLED)
    colours = np.where(disc[..., None] > 0, (220.0, 130.0, 40.0), (40.0, 120.0, 60.0))
    grain = np.random.default_rng(radius).normal(0.0, 12.0, colours.shape)
    return (colours + grain).clip(0, 255).astype(np.uint8), disc > 0


def overlap(logits: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    found = logits[0] > 0
    return float((found & mask).sum() / (found | mask).sum())


@pytest.mark.parametrize("radius", [9, 13, 18])
def test_a_click_proposes_what_has_its_colours(radius: int) -> None:
    image, mask = picture(radius)
    proposal = propose(image, [((MIDDLE[0] + 3, MIDDLE[1] - 2), POINT_FOREGROUND)])
    assert proposal.shape == (1, SIDE, SIDE)
    assert proposal.dtype == np.float32
    assert overlap(proposal, mask) > 0.9
    assert proposal.max() == SURE
    assert proposal.min() == -SURE


def test_a_box_proposes_what_fills_it() -> None:
    image, mask = picture(20)
    corners = [((38.0, 29.0), POINT_BOX_MIN), ((82.0, 72.0), POINT_BOX_MAX)]
    assert overlap(propose(image, corners), mask) > 0.95


def test_a_click_off_the_object_takes_its_surroundings_away() -> None:
    image, _ = picture(20)
    clicks = [(MIDDLE, POINT_FOREGROUND), ((MIDDLE[0] + 16, MIDDLE[1]), POINT_BACKGROUND)]
    assert (propose(image, clicks[:1])[0, 50, 74:78] > 0).all()
    assert (propose(image, clicks)[0, 50, 74:78] < 0).all()


@pytest.mark.parametrize("out", [0.4, 0.6, 6.0])
def test_half_a_pixel_out_of_a_small_picture_is_its_border(out: float) -> None:
    """A pixel of a picture of 8 x 8 is 14 wide here: its outer half lies far outside."""
    image, mask = picture(20)
    corner = np.s_[30:, 40:]
    image, mask = np.ascontiguousarray(image[corner]), mask[corner]
    image, mask = (
        np.pad(each, ((0, 30), (0, 40), (0, 0))[: each.ndim], "edge") for each in (image, mask)
    )
    assert propose(image, [((-out, 10.0), POINT_FOREGROUND)])[0, 10, 0] > 0
    boxes = [
        propose(image, [((x, -out), POINT_BOX_MIN), ((42.0, 42.0), POINT_BOX_MAX)])
        for x in (-out, 0.0)
    ]
    np.testing.assert_array_equal(*boxes)
    assert overlap(boxes[0], mask) > 0.95


def test_without_a_click_on_the_object_nothing_is_said() -> None:
    image, _ = picture(20)
    assert not propose(image, [(MIDDLE, POINT_BACKGROUND)]).any()


@pytest.mark.parametrize("place", [(-0.3, -0.3), (SIDE - 0.6, SIDE - 0.6), (0.0, 50.0)])
def test_clicks_and_boxes_at_the_border_are_answered(place: tuple[float, float]) -> None:
    image, _ = picture(20)
    assert propose(image, [(place, POINT_FOREGROUND)]).shape == (1, SIDE, SIDE)
    corners = [(place, POINT_BOX_MIN), ((place[0] + 0.4, place[1] + 0.4), POINT_BOX_MAX)]
    assert np.isfinite(propose(image, corners)).all()


def test_a_picture_of_one_colour_is_no_trouble() -> None:
    flat = np.full((SIDE, SIDE, 3), 90, np.uint8)
    assert np.isfinite(propose(flat, [(MIDDLE, POINT_FOREGROUND)])).all()


def test_pictures_of_any_size_are_seen_as_the_network_sees_them() -> None:
    image = np.zeros((90, 160, 3), np.uint8)
    image[:, 80:] = 200
    small = pictured(image, SIDE)
    assert small.shape == (SIDE, SIDE, 3)
    assert not small[:, :55].any()
    assert (small[:, 57:] == 200).all()

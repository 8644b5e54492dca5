"""Masks carried along optical flow, against pictures whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.cues.colour_model import follow_colours
from etam_ros.cues.optical_flow import FlowFrame, Motion, flow_frame_of
from etam_ros.transforms import reduced

SIZE, SIDE = 224, 112


def texture(seed: int) -> NDArray[np.uint8]:
    """(2 S, 2 S, 3) uint8, smooth enough to be followed."""
    noise = np.random.default_rng(seed).integers(0, 256, (2 * SIZE, 2 * SIZE, 3), np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3.0).astype(np.float32)
    spread = (blurred - blurred.mean()) / blurred.std() * 50 + 128
    return np.asarray(spread.clip(0, 255), np.uint8)


def view(picture: NDArray[np.uint8], x: int, y: int) -> FlowFrame:
    """What lies at (x, y) of it."""
    return flow_frame_of(np.ascontiguousarray(picture[y : y + SIZE, x : x + SIZE]), SIDE)


def disc(x: float, y: float, radius: float = 20.0) -> Tensor:
    """(1, 1, G, G) logits of a disc about (x, y), in cells."""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return (radius - ((columns - x) ** 2 + (rows - y) ** 2).sqrt())[None, None]


def overlap(a: Tensor, b: Tensor) -> float:
    first, second = a > 0, b > 0
    return float((first & second).sum() / (first | second).sum())


def motion(*pairs: tuple[FlowFrame, FlowFrame]) -> Motion:
    before, now = (list(each) for each in zip(*pairs, strict=True))
    return Motion(before, now, SIDE, torch.device("cpu"))


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (6, 0), (0, -4), (-9, 7)])
def test_masks_move_as_the_picture_does(dx: int, dy: int) -> None:
    picture = texture(1)
    moved = motion((view(picture, 100, 100), view(picture, 100 - dx, 100 - dy)))
    carried = moved.move(disc(50, 60))
    assert overlap(carried, disc(50 + dx / 2, 60 + dy / 2)) > 0.97


def test_a_picture_that_stands_still_leaves_masks_as_they_are() -> None:
    still = view(texture(2), 30, 40)
    mask = torch.randn(3, 1, SIDE, SIDE)
    assert torch.allclose(motion((still, still)).move(mask), mask, atol=1e-4)


def test_rows_take_the_motion_of_their_own_picture() -> None:
    picture = texture(3)
    first = view(picture, 100, 100)
    both = motion((first, view(picture, 92, 100)), (first, view(picture, 100, 108)))
    masks = disc(50, 50).expand(3, -1, -1, -1)
    carried = both.of(torch.tensor([1, 0, 1])).move(masks)
    for row, (x, y) in enumerate([(50, 46), (54, 50), (50, 46)]):
        assert overlap(carried[row : row + 1], disc(x, y)) > 0.97


def test_carried_masks_are_moved_and_then_follow_the_colours_of_their_own_picture() -> None:
    picture = texture(5)
    first, dark = view(picture, 100, 100), picture.copy()
    dark[..., 0] //= 4
    both = motion((first, view(picture, 92, 100)), (first, view(dark, 100, 108)))
    masks = disc(50, 50).expand(2, -1, -1, -1)
    expected = [
        follow_colours(both.of(torch.tensor([row])).move(masks[:1]), both.colours[row : row + 1])
        for row in range(2)
    ]
    assert torch.equal(both.carry(masks), torch.cat(expected))


def test_brightness_has_the_size_of_the_networks_input() -> None:
    picture = texture(4)
    found = flow_frame_of(reduced(picture, SIZE), SIDE).brightness
    assert found.shape == (SIZE, SIZE)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    halved = cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - halved).mean() <= 2


def pasted(x: int) -> FlowFrame:
    """A textured disc of 80 pixels at x on another texture, which stands still."""
    ground, thing = texture(3)[:SIZE, :SIZE].copy(), texture(4)[:80, :80]
    inside = (disc(20, 20, 20.0)[0, 0, :40, :40] > 0).numpy().repeat(2, 0).repeat(2, 1)
    ground[70:150, x : x + 80][inside] = thing[inside]
    return flow_frame_of(ground, SIDE)


def test_what_moves_before_its_surroundings_stands_out_and_what_moves_with_them_does_not() -> None:
    stepped, picture = motion((pasted(60), pasted(64))), texture(5)
    assert float(stepped.contrast(disc(52, 55, 18.0))) == pytest.approx(2.0, abs=0.6)
    assert float(stepped.contrast(disc(15, 90, 8.0))) < 0.1, "where nothing moves"
    panned = motion((view(picture, 100, 100), view(picture, 92, 100)))
    assert float(panned.contrast(disc(52, 55, 18.0))) < 0.1


@pytest.mark.parametrize("radius", [-1.0, 300.0])
def test_a_mask_of_nothing_or_everything_has_no_contrast(radius: float) -> None:
    assert float(motion((pasted(60), pasted(64))).contrast(disc(52, 55, radius))) == 0.0


def held_by(moving: Motion, before: Tensor, found: Tensor) -> Tensor:
    return moving.hold(moving.move(before), found)


EATEN = 2.0
"""Cells that a decoder takes off a mask on every side."""


def decoded(x: float, y: float, radius: float = 20.0) -> Tensor:
    """What a decoder that loses the rim makes of a disc."""
    return disc(x, y, radius - EATEN)


def test_where_the_camera_alone_turns_masks_keep_their_rim() -> None:
    picture = texture(1)
    turned = motion((view(picture, 100, 100), view(picture, 92, 104)))
    held = held_by(turned, disc(50, 60), decoded(54, 58))
    assert overlap(held, disc(54, 58)) > 0.95
    assert overlap(decoded(54, 58), disc(54, 58)) < 0.85


def test_masks_keep_their_rim_where_the_camera_rolls() -> None:
    picture, middle = texture(1), SIZE / 2 - 0.5
    turn = cv2.getRotationMatrix2D((middle, middle), 1.5, 1.0)
    before = np.ascontiguousarray(picture[:SIZE, :SIZE])
    now = cv2.warpAffine(before, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT)
    rolled = motion((flow_frame_of(before, SIDE), flow_frame_of(np.asarray(now, np.uint8), SIDE)))
    held = held_by(rolled, disc(56, 56, 30.0), decoded(56, 56, 30.0))
    assert overlap(held, disc(56, 56, 30.0)) > 0.97
    assert overlap(decoded(56, 56, 30.0), disc(56, 56, 30.0)) < 0.9


def test_what_moves_before_its_surroundings_is_left_to_the_decoder() -> None:
    stepped = motion((pasted(60), pasted(64)))
    found = decoded(52, 55)
    assert overlap(held_by(stepped, disc(50, 55), found), found) > 0.99


@pytest.mark.parametrize("now", [disc(95, 20), torch.full((1, 1, SIDE, SIDE), -1024.0)])
def test_a_decoder_that_sees_the_object_elsewhere_or_not_at_all_is_believed(now: Tensor) -> None:
    still = view(texture(2), 30, 40)
    assert torch.equal(held_by(motion((still, still)), disc(50, 60), now), now)


def test_what_was_hidden_is_not_held() -> None:
    still = view(texture(2), 30, 40)
    hidden = torch.full((1, 1, SIDE, SIDE), -1024.0)
    assert torch.equal(held_by(motion((still, still)), hidden, disc(50, 60)), disc(50, 60))


def test_where_the_picture_changed_without_motion_the_decoder_is_believed() -> None:
    before = texture(2)[:SIZE, :SIZE].copy()
    now = before.copy()
    now[:, :112] = texture(9)[:SIZE, :112]  # something has come over the left half
    covered = motion((flow_frame_of(before, SIDE), flow_frame_of(now, SIDE)))
    held = held_by(covered, disc(56, 56), disc(70, 56, 14.0))
    assert float((held[..., :50] > 0).sum()) < 30


def test_at_the_border_where_a_picture_comes_into_view_the_decoder_is_believed() -> None:
    picture = texture(1)
    turned = motion((view(picture, 100, 100), view(picture, 92, 100)))  # comes in at the left
    found = disc(4, 60)
    found[..., :4] = -5.0  # the object does not go on there
    held = held_by(turned, disc(0, 60), found)
    assert not (held[..., :4] > 0).any()
    assert overlap(held[..., 6:], disc(4, 60)[..., 6:]) > 0.95

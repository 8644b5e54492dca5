"""Baselines follow what can be followed without a network, and are judged like the tracker."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.cues.grabcut import disc_at, mask_at_clicks, mask_in_band, mask_in_box
from etam_ros.errors import ConfigError
from etam_ros.evaluation.baselines import VIDEO_BASELINES, BaselineVideoSegmenter, first_mask
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.evaluation.protocols.rounds import Evaluated, EvaluationProtocol, evaluate
from etam_ros.evaluation.truth.opening import open_videos
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.media.label_png import encode_label_png
from etam_ros.records import Frame

HW = (120, 160)


def textured(seed: int, hw: tuple[int, int], tint: tuple[int, int, int]) -> np.ndarray:
    """Soft spots around a colour: something for the flow to hold on to."""
    noise = np.random.default_rng(seed).normal(0, 1, (*hw, 3)).astype(np.float32)
    spots = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(np.array(tint) + 90 * spots / spots.std() * 0.3, 0, 255).astype(np.uint8)


def scene(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A warm square that moves 4 pixels a frame over cold ground: picture and mask."""
    picture = textured(1, HW, (60, 80, 130))
    mask = np.zeros(HW, bool)
    x = 20 + 4 * index
    mask[40:80, x : x + 40] = True
    picture[mask] = textured(2, (40, 40), (200, 120, 60)).reshape(-1, 3)
    return picture, mask


@pytest.fixture
def sequence(tmp_path: Path) -> LabelledVideo:
    for kind in ("frames", "masks"):
        (tmp_path / kind).mkdir()
    for index in range(10):
        picture, mask = scene(index)
        cv2.imwrite(str(tmp_path / f"frames/{index:03d}.png"), picture[..., ::-1])
        (tmp_path / f"masks/{index:03d}.png").write_bytes(encode_label_png(mask.astype(np.uint8)))
    return open_videos(str(tmp_path))[0]


def score_of(video: LabelledVideo, segmenter: BaselineVideoSegmenter, kind: str) -> Evaluated:
    return evaluate(video, segmenter, EvaluationProtocol("semi", kind))


@pytest.mark.parametrize(("name", "least"), [("flow", 0.75), ("grabcut", 0.95)])
def test_a_moving_square_is_followed(sequence: LabelledVideo, name: str, least: float) -> None:
    score = score_of(sequence, BaselineVideoSegmenter(name), "mask")
    assert score.objects[0].frames == 8
    assert score.j > least


def test_a_copied_mask_stays_where_it_is(sequence: LabelledVideo) -> None:
    score = score_of(sequence, BaselineVideoSegmenter("copy"), "mask")
    overlaps = [40 - 4 * index for index in range(1, 9)]
    assert score.j == pytest.approx(np.mean([max(both, 0) / (80 - both) for both in overlaps]))


@pytest.mark.parametrize("kind", ["box", "1-click", "3-clicks"])
def test_without_a_mask_the_first_one_comes_from_the_prompt(
    sequence: LabelledVideo, kind: str
) -> None:
    score = score_of(sequence, BaselineVideoSegmenter("grabcut"), kind)
    assert score.j > 0.95


def test_what_was_followed_before_is_forgotten(sequence: LabelledVideo) -> None:
    segmenter = BaselineVideoSegmenter("grabcut")
    first = score_of(sequence, segmenter, "mask").objects
    assert score_of(sequence, segmenter, "mask").objects == first


def test_objects_are_followed_on_their_own_and_the_smaller_lies_in_front() -> None:
    picture, mask = scene(0)
    segmenter = BaselineVideoSegmenter("copy")
    segmenter.step(Frame(picture))
    inner = np.zeros(HW, bool)
    inner[50:60, 30:50] = True
    segmenter.add_object(5, inner, "mask")
    segmenter.add_object(9, mask, "mask")
    labels = segmenter.step(Frame(picture))
    np.testing.assert_array_equal(labels == 5, inner)
    np.testing.assert_array_equal(labels == 9, mask & ~inner)


def test_pictures_of_another_size_end_what_was_followed() -> None:
    picture, mask = scene(0)
    segmenter = BaselineVideoSegmenter("flow")
    segmenter.step(Frame(picture))
    segmenter.add_object(1, mask, "mask")
    assert not segmenter.step(Frame(picture[:100])).any()


@pytest.mark.parametrize("kind", ["box", "1-click", "3-clicks"])
def test_grabcut_finds_an_object_of_its_own_colour(kind: str) -> None:
    picture, mask = scene(3)
    assert region_similarity(first_mask(picture, mask, kind), mask) > 0.9
    assert first_mask(picture, mask, "mask") is mask


def test_the_band_moves_an_outline_to_the_edge_and_no_farther() -> None:
    picture, mask = scene(3)
    shifted = np.roll(mask, 2, axis=1)
    assert region_similarity(mask_in_band(picture, shifted), mask) > region_similarity(
        shifted, mask
    )
    far = np.roll(mask, 30, axis=1)
    reach = cv2.dilate(far.view(np.uint8), np.ones((9, 9), np.uint8)).view(bool)
    assert not (mask_in_band(picture, far) & ~reach).any()


@pytest.mark.parametrize("area", [0, 1, 6])
def test_masks_too_small_for_colours_are_left_alone(area: int) -> None:
    mask = np.zeros(HW, bool)
    mask[30, 40 : 40 + area] = True
    assert mask_in_band(scene(0)[0], mask).sum() <= max(2 * area, 0)


def test_prompts_at_the_edge_of_a_picture() -> None:
    picture, _ = scene(0)
    mask_at_clicks(picture, [((HW[1] - 0.6, HW[0] - 0.6), 1)])
    assert mask_in_box(picture, (159.0, 0.0, 160.0, 1.0)).shape == HW
    assert mask_in_box(picture, (0.0, 0.0, 160.0, 120.0)).shape == HW


def test_the_same_prompt_gives_the_same_mask() -> None:
    picture, mask = scene(0)
    again = first_mask(picture, mask, "1-click")
    np.testing.assert_array_equal(first_mask(picture, mask, "1-click"), again)


def test_a_disc_is_as_large_as_its_radius() -> None:
    disc = disc_at(HW, (80.0, 60.0), 20.0)
    assert disc.sum() == pytest.approx(np.pi * 400, rel=0.02)
    assert not disc_at(HW, (0.0, 0.0), 5.0)[6:].any()


def test_an_unknown_baseline_and_a_prompt_before_any_frame() -> None:
    with pytest.raises(ConfigError, match=f"expected one of {', '.join(VIDEO_BASELINES)}"):
        BaselineVideoSegmenter("luck")
    with pytest.raises(ConfigError, match="before its first frame"):
        BaselineVideoSegmenter("copy").add_object(1, np.ones(HW, bool), "mask")

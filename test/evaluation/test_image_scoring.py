"""Photographs with ground truth: what is judged, and how."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros import Prompt, Tracker, open_stages
from etam_ros.errors import ConfigError, PromptError, SourceError
from etam_ros.evaluation.baselines import BaselineImageSegmenter
from etam_ros.evaluation.image_folders import find_labelled_images, is_image_folder
from etam_ros.evaluation.image_scoring import images_as_json, mean_iou, score_image
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.evaluation.segmenters import TrackerImageSegmenter
from etam_ros.evaluation.truth_prompts import correcting_click, full_mask
from etam_ros.media.label_png import encode_label_png
from etam_ros.records import Frame

HW = (100, 120)


def truth() -> np.ndarray:
    """A large object, one of 2 % to the pixel, which is not over it, and what is not judged."""
    labels = np.zeros(HW, np.uint8)
    labels[10:60, 10:60] = 4
    labels[80:90, 80:104] = 6
    labels[:3] = 255
    return labels


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for name in ("b10", "b9", "unmasked"):
        picture = rng.integers(0, 60, (*HW, 3), np.uint8)
        picture[truth() == 4] += 150
        cv2.imwrite(str(tmp_path / f"images/{name}.jpg"), picture)
        if name != "unmasked":
            (tmp_path / f"masks/{name}.png").write_bytes(encode_label_png(truth()))
    return tmp_path


class Fixed:
    """Gives the left half of the truth, and refuses odd prompts."""

    def set_image(self, image: np.ndarray) -> None:
        self.image = image

    def segment(self, expected: np.ndarray, kind: str) -> np.ndarray:
        if kind == "box":
            raise PromptError("too small")
        left = expected.copy()
        left[:, 35:] = False
        return left


def test_photographs_with_masks_are_found_in_natural_order(photographs: Path) -> None:
    assert is_image_folder(photographs)
    found = find_labelled_images(photographs)
    assert [image.name for image in found] == ["b9", "b10"]
    assert found[0].image().shape == (*HW, 3)
    assert set(np.unique(found[0].truth())) == {0, 4, 6}


def test_a_folder_without_masks_says_what_was_expected(photographs: Path) -> None:
    for mask in (photographs / "masks").iterdir():
        mask.unlink()
    with pytest.raises(SourceError, match=r"expected masks/NAME\.png for images/NAME\.jpg"):
        find_labelled_images(photographs)


def test_objects_over_two_percent_are_judged_by_their_iou(photographs: Path) -> None:
    seen: list[tuple[int, str]] = []
    found = [
        score_image(
            image,
            {"fixed": Fixed()},
            "mask",
            lambda _image, score, _mask, _truth, name: seen.append((score.object_id, name)),
        )
        for image in find_labelled_images(photographs)
    ]
    scores = [score for each in found for score in each["fixed"]]
    assert [(score.image, score.object_id) for score in scores] == [("b9", 4), ("b10", 4)]
    assert [score.iou for score in scores] == [0.5, 0.5]
    assert scores[0].share == pytest.approx(2500 / 12000)
    assert seen == [(4, "fixed")] * 2
    report = images_as_json(scores)
    assert report["mean"] == {"iou": mean_iou(scores), "masks": 2}
    assert report["images"]["b10"][0]["iou"] == 0.5


def test_a_prompt_that_cannot_be_given_scores_nothing(photographs: Path) -> None:
    image = find_labelled_images(photographs)[0]
    assert score_image(image, {"fixed": Fixed()}, "box")["fixed"][0].iou == 0


def test_the_tracker_is_asked_for_each_object_on_its_own(photographs: Path) -> None:
    image = find_labelled_images(photographs)[0]
    expected = image.truth() == 4
    with open_stages("tiny_test", weights="random:0") as stages:
        segmenter = TrackerImageSegmenter(stages)
        segmenter.set_image(image.image())
        masks = [segmenter.segment(expected, "1-click") for _ in range(2)]
        tracker = Tracker(stages)
        tracker.step(Frame(image.image()))
        click, label = correcting_click(np.zeros(HW, bool), expected)
        state = tracker.add_prompt(Prompt(7, points=[click], point_labels=[label]))
        for mask in masks:
            np.testing.assert_array_equal(mask, full_mask(state, HW))


def test_baselines_answer_every_prompt(photographs: Path) -> None:
    image = find_labelled_images(photographs)[0]
    expected = image.truth() == 4
    grabcut, disc = BaselineImageSegmenter("grabcut"), BaselineImageSegmenter("disc")
    for segmenter in (grabcut, disc):
        segmenter.set_image(image.image())
    for kind in ("box", "1-click", "3-clicks"):
        assert region_similarity(grabcut.segment(expected, kind), expected) > 0.9
        assert 0.2 < region_similarity(disc.segment(expected, kind), expected) < 0.9
    ellipse = disc.segment(expected, "box")
    assert ellipse.sum() == pytest.approx(np.pi / 4 * 2500, rel=0.03)


def test_an_unknown_baseline_is_named() -> None:
    with pytest.raises(ConfigError, match="'flow', expected one of grabcut, disc"):
        BaselineImageSegmenter("flow")

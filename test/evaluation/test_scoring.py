"""Sequences on disk, prompts from ground truth, and scores of whole sequences."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etam_ros import open_stages
from etam_ros.errors import SourceError
from etam_ros.evaluation.metrics import boundary_accuracy, region_similarity
from etam_ros.evaluation.scoring import score_sequence, sequences_as_json
from etam_ros.evaluation.segmenters import TrackerVideoSegmenter
from etam_ros.evaluation.sequences import find_sequences
from etam_ros.evaluation.truth_prompts import PROMPT_KINDS, box_of, correcting_click
from etam_ros.media.label_png import encode_label_png

HW = (64, 96)


def truth(index: int) -> np.ndarray:
    """A square that moves, and one that comes on frame 2; some pixels are not judged."""
    labels = np.zeros(HW, np.uint8)
    labels[10:30, 5 + 4 * index : 25 + 4 * index] = 1
    if index >= 2:
        labels[40:60, 60:80] = 3
    labels[62:, :] = 255
    return labels


def write_sequence(images: Path, masks: Path, annotated: range = range(5)) -> None:
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(5):
        picture = rng.integers(0, 255, (*HW, 3), np.uint8)
        cv2.imwrite(str(images / f"{index:05d}.jpg"), picture)
        if index in annotated:
            (masks / f"{index:05d}.png").write_bytes(encode_label_png(truth(index)))


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("cup/frames", "cup/masks"),
        ("JPEGImages/480p/cup", "Annotations/480p/cup"),
        ("JPEGImages/cup", "Annotations/cup"),
    ],
)
def test_every_layout_is_found(tmp_path: Path, images: str, masks: str) -> None:
    write_sequence(tmp_path / images, tmp_path / masks, range(0, 5, 2))
    (sequence,) = find_sequences(tmp_path)
    assert (sequence.name, len(sequence), sorted(sequence.truths)) == ("cup", 5, [0, 2, 4])
    assert sequence.truth(1) is None
    assert set(np.unique(sequence.truth(2))) == {0, 1, 3}
    assert len(list(sequence)) == 5


def test_a_sequence_itself_may_be_named(tmp_path: Path) -> None:
    write_sequence(tmp_path / "cup" / "frames", tmp_path / "cup" / "masks")
    (sequence,) = find_sequences(tmp_path / "cup")
    assert sequence.name == "cup"


def test_a_folder_without_sequences_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected <sequence>/frames"):
        find_sequences(tmp_path)


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_objects_are_prompted_when_they_come_and_judged_afterwards(
    tmp_path: Path, kind: str
) -> None:
    write_sequence(tmp_path / "cup" / "frames", tmp_path / "cup" / "masks")
    (sequence,) = find_sequences(tmp_path)
    with open_stages("tiny_test", weights="random:0") as stages:
        score = score_sequence(sequence, TrackerVideoSegmenter(stages), kind)
    first, second = score.objects
    assert (first.object_id, first.prompted_frame, first.frames) == (1, 0, 3)
    assert (second.object_id, second.prompted_frame, second.frames) == (3, 2, 1)
    assert score.j == pytest.approx((first.j + second.j) / 2)
    assert 0 <= score.j_and_f <= 1
    report = sequences_as_json([score])
    assert report["mean"]["f"] == pytest.approx(score.f)
    assert report["sequences"]["cup"]["objects"][0]["object_id"] == 1


def test_the_score_is_that_of_the_published_masks(tmp_path: Path) -> None:
    from etam_ros import Prompt, Tracker

    write_sequence(tmp_path / "cup" / "frames", tmp_path / "cup" / "masks")
    (sequence,) = find_sequences(tmp_path)
    with open_stages("tiny_test", weights="random:0") as stages:
        score = score_sequence(sequence, TrackerVideoSegmenter(stages), "mask")
        tracker = Tracker(stages)
        values = []
        for index, frame in enumerate(sequence):
            result = tracker.step(frame)
            if index in (1, 2, 3):
                pair = result.label_image == 1, truth(index) == 1
                values.append((region_similarity(*pair), boundary_accuracy(*pair)))
            for object_id, start in ((1, 0), (3, 2)):
                if index == start:
                    tracker.add_prompt(Prompt(object_id, mask=truth(index) == object_id))
    j, f = np.mean(values, axis=0)
    assert (score.objects[0].j, score.objects[0].f) == (pytest.approx(j), pytest.approx(f))


@given(
    x=st.integers(0, 80), y=st.integers(0, 50), width=st.integers(1, 15), height=st.integers(1, 13)
)
def test_the_first_click_lies_in_the_middle_of_the_object(
    x: int, y: int, width: int, height: int
) -> None:
    mask = np.zeros(HW, bool)
    mask[y : y + height, x : x + width] = True
    (u, v), label = correcting_click(np.zeros_like(mask), mask)
    assert label == 1
    assert mask[int(v), int(u)]
    assert min(abs(u - (x + (width - 1) / 2)), abs(v - (y + (height - 1) / 2))) <= 0.5
    assert box_of(mask) == (x, y, x + width, y + height)


def test_corrections_go_to_the_largest_error_with_its_label() -> None:
    expected = np.zeros(HW, bool)
    expected[10:30, 10:30] = True
    spilled = expected.copy()
    spilled[5:45, 50:90] = True
    (x, y), label = correcting_click(spilled, expected)
    assert label == 0
    assert spilled[int(y), int(x)]
    assert not expected[int(y), int(x)]
    (x, y), label = correcting_click(expected, expected)
    assert label == 1
    assert expected[int(y), int(x)]

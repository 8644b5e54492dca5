"""What the demo draws, keeps and scores."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.demo.clip import ClipTruth
from etam_ros.demo.listener import DemoListener
from etam_ros.demo.options import DemoOptions
from etam_ros.demo.report import DemoCounts, DemoReport, DemoScore
from etam_ros.drawing.contact_sheet import EvenlySpaced, contact_sheet, thumbnail
from etam_ros.records import FrameResult, ObjectState


def noise(seed, hw=(60, 80)):
    return np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)


def truth_with(box, object_id=1, hw=(60, 80)):
    labels = np.zeros(hw, np.uint16)
    x0, y0, x1, y1 = box
    labels[y0:y1, x0:x1] = object_id
    return labels


def result_with(labels):
    states = []
    for object_id in np.unique(labels[labels > 0]).tolist():
        ys, xs = np.nonzero(labels == object_id)
        box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        mask = labels[box[1] : box[3], box[0] : box[2]] == object_id
        states.append(
            ObjectState(object_id, "cup", False, 0.9, 0.8, int(mask.sum()), box,
                        (float(xs.mean()), float(ys.mean())), mask, box, mask, 0, 2.0, None, None)
        )  # fmt: skip
    return FrameResult(1, 0, "", labels.shape, tuple(states), labels)


def test_scores_are_iou_on_seen_frames_and_counts_on_hidden_ones():
    score = DemoScore(1, "cup")
    score.add(result_with(truth_with((10, 10, 30, 20))), truth_with((20, 10, 40, 20)))
    score.add(result_with(truth_with((10, 10, 30, 20))), truth_with((10, 10, 30, 20)))
    nothing = np.zeros((60, 80), np.uint16)
    score.add(result_with(nothing), truth_with((10, 10, 30, 20)))
    score.add(result_with(nothing), nothing)
    score.add(result_with(truth_with((0, 0, 5, 5))), nothing)
    assert score.ious == pytest.approx([1 / 3, 1.0, 0.0])
    assert (score.hidden, score.noticed) == (2, 1)
    assert score.mean_iou == pytest.approx(4 / 9)


def test_images_are_found_again_by_their_pixels():
    truth = ClipTruth({1: "cup"})
    for index in range(5):
        truth.add(index, noise(index), truth_with((index, 0, index + 9, 9)))
    index, labels = truth.find(noise(3).copy())
    assert index == 3
    assert np.array_equal(labels, truth_with((3, 0, 12, 9)))
    assert truth.find(noise(77)) is None


def test_a_click_is_well_inside_its_object():
    truth = ClipTruth({1: "cup"})
    ring = truth_with((10, 10, 50, 50))
    ring[20:40, 20:40] = 0  # its centre is not on it
    (click,) = truth.click(ring, 1).points
    assert ring[int(click[1]), int(click[0])] == 1
    assert truth.click(np.zeros((60, 80), np.uint16), 1) is None


def test_without_truth_or_clicks_it_clicks_in_the_middle(tmp_path):
    with DemoListener(tmp_path, 30.0) as listener:
        (prompt,) = listener.prompts_for(noise(0))
    assert list(prompt.points) == [(39.5, 29.5)]


def test_listener_leaves_a_video_and_a_sheet_and_scores_what_was_clicked(tmp_path):
    truth = ClipTruth({1: "cup", 2: "ball"})
    labels = [truth_with((index, 5, index + 20, 30)) for index in range(8)]
    for index in range(8):
        truth.add(index, noise(index), labels[index])
    with DemoListener(tmp_path, 10.0, truth=truth) as listener:
        nothing = np.zeros((60, 80), np.uint16)
        listener.take(0, noise(0), result_with(nothing), 5.0)  # before the click
        for index in (1, 2, 5):
            listener.take(index, noise(index), result_with(labels[index]), 7.0)
    assert list(listener.scores) == [1]
    assert listener.scores[1].ious == [1.0, 1.0, 1.0]
    assert listener.latencies_ms == [7.0, 7.0, 7.0]
    assert cv2.imread(str(tmp_path / "overlay.jpg")) is not None
    assert (tmp_path / "overlay.mp4").exists()


def test_a_sheet_holds_few_pictures_of_a_long_run():
    spaced = EvenlySpaced(6)
    for index in range(500):
        spaced.add(np.full((6, 8, 3), index % 251, np.uint8))
    values = [int(picture[0, 0, 0]) for picture in spaced.pictures]
    assert len(values) == 6
    assert values[0] == 0
    assert values[-1] == 499 % 251
    sheet = contact_sheet([thumbnail(picture, width=40) for picture in spaced.pictures])
    assert sheet.shape == (2 * (30 + 6) + 6, 3 * (40 + 6) + 6, 3)
    assert contact_sheet([noise(0)]).shape == (60 + 12, 80 + 12, 3)


def test_report_says_the_numbers_and_what_the_weights_are_worth():
    score = DemoScore(1, "a | b", [0.5, 1.0], hidden=3, noticed=2)
    options = DemoOptions(Path("demo"), "tiny", "random:0", rate_hz=2.0, frames=20)
    report = DemoReport("clip", options, DemoCounts(20, 15, 7.5), [10.0, 20.0, 30.0], [score])
    text = report.markdown()
    assert "| frames in | 20 at 2 Hz |" in text
    assert "| results out | 15 (2.0 per second) |" in text
    assert "| dropped | 5 " in text
    assert "| latency p50 | 20 ms |" in text
    assert "| 1 | a \\| b | 0.750 | 2 | 2 of 3 |" in text
    assert text.count("untrained") == 1

"""What is found and followed without a prompt, held against truth that a test draws."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.config import EverythingConfig, MaskletsConfig, TrackerConfig
from etam_ros.evaluation.masklets import judge_masklets, main
from etam_ros.evaluation.truth.opening import open_videos
from etam_ros.media.label_png import encode_label_png

sys.path.insert(0, str(Path(__file__).parents[1] / "segmenting"))
from quarter_stages import SIZE, QuarterStages

GRID = EverythingConfig(points_per_side=4)
HALF = SIZE // 2


@pytest.fixture
def folder(tmp_path):
    """Four frames, with truth of two quarters and of something small that no click finds."""
    truth = np.zeros((SIZE, SIZE), np.uint8)
    truth[:HALF, :HALF], truth[HALF:, :HALF], truth[40:44, 40:44] = 1, 2, 3
    for kind in ("frames", "masks"):
        (tmp_path / "clip" / kind).mkdir(parents=True)
    for index in range(4):
        picture = np.zeros((SIZE, SIZE, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "clip" / "frames" / f"{index:05d}.png"), picture)
        mask = tmp_path / "clip" / "masks" / f"{index:05d}.png"
        mask.write_bytes(encode_label_png(truth))
    return tmp_path


def judged(folder, stages, **config):
    (video,) = open_videos(str(folder))
    tracking = TrackerConfig(max_objects=16)
    return judge_masklets(video, stages, tracking, MaskletsConfig(**config), GRID)


def test_what_is_annotated_is_found_followed_and_judged_after_the_first_frame(folder):
    stages = QuarterStages()
    stages.rows = lambda: [1, 2, 3, 4]
    found = judged(folder, stages)
    assert found.listed == pytest.approx({1: 1.0, 2: 1.0, 3: 16 / 1024}, abs=0.02)
    assert found.followed == pytest.approx(found.listed, abs=0.05)
    assert found.objects == 4
    assert [(each.object_id, each.frames) for each in found.series] == [(1, 2), (2, 2)]
    assert all(each.j_and_f > 0.95 for each in found.series)


def test_an_object_that_is_merged_is_judged_by_the_one_that_it_is(folder):
    stages = QuarterStages()
    stages.rows = lambda: [3, 2, 3, 4]  # the first comes to be on the third's
    found = judged(folder, stages, merge_frames=1)
    by_id = {each.object_id: each for each in found.series}
    assert by_id[2].j > 0.95
    assert by_id[1].j < 0.05


def test_where_nothing_annotated_is_followed_the_rest_is_not_looked_at(folder):
    stages = QuarterStages()
    stages.iou_scores[:] = 0.0
    found = judged(folder, stages)
    assert (found.series, found.objects) == ((), 0)
    assert set(found.listed.values()) == {0}
    assert stages.calls["encode_image"] == 2  # to track the first frame, and to look at it


def test_a_folder_of_videos_becomes_a_table(folder, capsys):
    network = ["--model", "tiny_test", "--weights", "random:0", "--device", "cpu"]
    assert main([str(folder), *network, "--points-per-side", "2", "--max-objects", "3"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("clip: found 0 of 3, followed 0 of 3, J&F of those none")
    assert last.startswith("all: found 0 of 3")

"""Photographs that a camera moves over, as videos to judge."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.errors import ConfigError, SourceError
from etam_ros.evaluation.runs.run import unique_names
from etam_ros.evaluation.truth.moved import moved_photographs
from etam_ros.media.label_png import encode_label_png

LARGE, SMALL = 2, 5


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """One of 160 x 120 with a disc and something too small to be judged."""
    folder = tmp_path / "photographs"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (30, 40, 3), np.uint8), (160, 120))
    labels = np.zeros((120, 160), np.uint8)
    cv2.circle(labels, (85, 55), 22, LARGE, cv2.FILLED)
    cv2.circle(labels, (40, 90), 4, SMALL, cv2.FILLED)
    image[labels == LARGE] = (30, 200, 60)
    cv2.imwrite(str(folder / "images" / "one.png"), image)
    (folder / "masks" / "one.png").write_bytes(encode_label_png(labels))
    return folder


def test_every_photograph_becomes_a_video_of_every_motion(photographs: Path) -> None:
    videos = unique_names(moved_photographs(str(photographs), "pan:4,zoom:2", 5))
    assert [(video.name, video.group) for video in videos] == [
        ("one-pan-4", "pan:4"),
        ("one-zoom-2", "zoom:2"),
    ]
    assert len({video.fingerprint() for video in videos}) == 2
    middles = []
    for frame, truth in videos[0]:
        assert truth is not None
        assert frame.hw == (120, 160)
        assert truth.object_ids == [LARGE]
        ys, xs = truth.prompt_mask(LARGE, "mask").nonzero()
        middles.append(xs.mean())
        assert frame.image[round(ys.mean()), round(xs.mean())].tolist() == [60, 200, 30]
    assert len(middles) == videos[0].frame_count() == 5
    assert np.diff(middles) == pytest.approx([-4.0] * 4, abs=0.3)


def test_a_motion_that_is_named_twice_counts_once(photographs: Path) -> None:
    videos = moved_photographs(str(photographs), "pan:4, pan:4.0,zoom:2,", 5)
    assert [video.group for video in videos] == ["pan:4", "zoom:2"]
    with pytest.raises(ConfigError, match="expected motions"):
        moved_photographs(str(photographs), ",", 5)


def test_a_motion_under_which_nothing_is_in_view_is_named(photographs: Path) -> None:
    labels = np.zeros((120, 160), np.uint8)
    labels[40:80, 126:132] = LARGE  # at the edge of what is in view, from which pan leads away
    (photographs / "masks" / "one.png").write_bytes(encode_label_png(labels))
    assert moved_photographs(str(photographs), "pan:0", 5)
    with pytest.raises(SourceError, match="first frame of pan:10"):
        moved_photographs(str(photographs), "pan:0,pan:10", 5)


def test_motions_are_told_apart_in_table_and_numbers(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "numbers.json", tmp_path / "report"
    command = ["eval", str(photographs), "--moved", "pan:0,pan:8", "--moved-frames", "6"]
    options = ["--no-model", "--baseline", "copy,flow", "--out", str(out), "--report", str(report)]
    assert run([*command, *options]) == 0
    said = capsys.readouterr().out
    assert "pan:0" in said
    assert "pan:8" in said
    groups = {
        name: each["groups"] for name, each in json.loads(out.read_text())["baselines"].items()
    }
    assert groups["copy"]["pan:0"]["last"] == pytest.approx(1.0)
    assert groups["copy"]["pan:8"]["last"] < 0.5
    assert groups["flow"]["pan:8"]["last"] > 0.85
    assert {each["objects"] for kinds in groups.values() for each in kinds.values()} == {1}
    assert run([*command, *options]) == 0
    assert "2 of 2 videos were finished before" in capsys.readouterr().out


def test_what_cannot_be_moved_over_is_said(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected photographs"):
        moved_photographs(str(tmp_path), "pan:1", 5)
    (photographs / "masks" / "one.png").write_bytes(
        encode_label_png(np.zeros((120, 160), np.uint8))
    )
    with pytest.raises(SourceError, match="no object that covers 2%"):
        moved_photographs(str(photographs), "pan:1", 5)

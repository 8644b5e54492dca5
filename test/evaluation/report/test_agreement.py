"""Two recorded runs as a report: the page, with and without the camera's pictures."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run

pytest.importorskip("rosbags")
sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1, 2)]
from bag_files import pictures  # noqa: E402
from checked_page import Checked, needs_chromium, played  # noqa: E402
from test_recorded import bag, results  # noqa: E402


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Of a run with a camera, in which the object is hidden on frame 3, and one 8 pixels off."""
    recorded = bag(tmp_path / "recorded", [*pictures(8), *results(range(8), hidden=(3,))])
    rerun = bag(tmp_path / "rerun", results(range(8), off=8))
    folder = tmp_path / "report"
    assert run(["eval", str(recorded), "--against", str(rerun), "--report", str(folder)]) == 0
    return folder


def first_picture(text: str) -> np.ndarray[Any, Any]:
    import base64

    data = re.search(r'<img src="data:image/jpeg;base64,([^"]+)"', text)
    assert data is not None
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data[1]), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(image)[..., ::-1]


def test_the_page_shows_both_runs_on_the_cameras_pictures(report: Path) -> None:
    text = (report / "index.html").read_text()
    page = Checked(text)
    assert len(page.of("polyline", "object")) == 1
    assert [each["width"] for each in page.of("rect", "missed")], "the hidden frame is a band"
    assert "the recorded run on frame 3" in {each["alt"] for each in page.of("img")}
    assert "8</b>frames in both" in text
    red, green, _ = first_picture(text)[-20, 10]
    assert red > 150 > green, "the camera's left edge is red"
    said = json.loads((report / "report.json").read_text())
    assert (said["kind"], said["shared_frames"]) == ("agreement", 8)
    assert len(list(csv.DictReader((report / "frames.csv").open()))) == 8
    (row,) = csv.DictReader((report / "objects.csv").open())
    assert (row["video"], row["method"], row["label"]) == ("recorded", "rerun", "cup")
    assert float(row["j_and_f"]) == pytest.approx(said["j_and_f"], abs=1e-5)


def test_without_a_camera_masks_are_on_plain_grey(tmp_path: Path) -> None:
    recorded = bag(tmp_path / "recorded", results(range(3)))
    folder = tmp_path / "report"
    for _ in range(2):  # an earlier report of the kind is replaced
        command = ["eval", str(recorded), "--against", str(recorded), "--report", str(folder)]
        assert run(command) == 0
    text = (folder / "index.html").read_text()
    Checked(text)
    assert abs(first_picture(text)[-1, -1].astype(int) - (64, 66, 72)).max() < 12


def test_without_label_images_there_are_no_pictures(tmp_path: Path) -> None:
    recorded = bag(tmp_path / "recorded", [*pictures(3), *results(range(3), labels=False)])
    command = ["eval", str(recorded), "--against", str(recorded)]
    assert run([*command, "--report", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "index.html").read_text()
    assert "No label images were recorded" in text
    assert Checked(text).of("img") == []


def test_what_cannot_be_reported_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = str(bag(tmp_path / "recorded", results(range(3))))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("mine")
    for options, words in (
        (("--report", str(tmp_path / "full")), "holds something other than a comparison of rec"),
        (("--compare", "x"), "--against already compares two recorded runs"),
    ):
        assert run(["eval", recorded, "--against", recorded, *options]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1


@needs_chromium
def test_a_browser_plays_both_runs(report: Path, tmp_path: Path) -> None:
    shown = played(report / "index.html", 5, tmp_path)
    assert "<output>frame 5</output>" in shown
    assert re.search(r'class="cursor"[^>]*visibility="visible"', shown)

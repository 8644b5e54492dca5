"""Photographs as a report: the page, what is kept for it, and runs held against each other."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.evaluation.image_scoring import MaskScore
from etam_ros.evaluation.report.mask_pictures import GALLERY, WORST_MASKS, MaskPictures
from etam_ros.media.label_png import encode_label_png

sys.path.insert(0, str(Path(__file__).resolve().parent))
from checked_page import Checked, needs_chromium, played

HW = (48, 64)


def labels(index: int) -> np.ndarray:
    ids = np.zeros(HW, np.uint8)
    ids[8:30, 5 + index : 25 + index] = 1
    ids[20:44, 40:60] = 2
    return ids


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index, name in enumerate(("<cup>", "dog", "street")):
        picture = np.random.default_rng(index).integers(0, 60, (*HW, 3), np.uint8)
        picture[labels(index) == 1] += 150
        cv2.imwrite(str(folder / f"images/{name}.png"), picture)
        (folder / f"masks/{name}.png").write_bytes(encode_label_png(labels(index)))
    return folder


def judge(photographs: Path, report: Path, baseline: str, *more: str) -> int:
    options = ("--no-model", "--baseline", baseline, "--report", str(report))
    return run(["eval", str(photographs), *options, *more])


def test_a_report_is_a_page_a_table_and_numbers(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "disc", tmp_path / "grabcut"
    assert judge(photographs, first, "disc") == 0
    assert judge(photographs, second, "grabcut,disc", "--compare", str(first)) == 0
    said = capsys.readouterr().out
    assert f"report: {second / 'index.html'}" in said.replace("\n", "")
    assert "points of IoU, 95 % interval" in said
    report = json.loads((second / "report.json").read_text())
    assert list(report["methods"]) == ["grabcut", "disc"]
    grabcut = report["methods"]["grabcut"]
    assert (grabcut["mean"]["masks"], grabcut["interval"]["count"]) == (6, 3)
    means = {name: report["methods"][name]["mean"]["iou"] for name in report["methods"]}
    rows = list(csv.DictReader((second / "objects.csv").open()))
    assert len(rows) == 12
    for name, mean in means.items():
        own = [float(row["iou"]) for row in rows if row["method"] == name]
        assert np.mean(own) == pytest.approx(mean, abs=1e-5)
    text = (second / "index.html").read_text()
    page = Checked(text)
    assert len(page.of("section", "compared")) == 1
    assert len(page.of("svg", "masks")) == 1
    assert {str(each["src"])[:22] for each in page.of("img")} == {"data:image/jpeg;base64"}
    assert f"{100 * means['grabcut']:.1f}</b>IoU" in text
    assert "&lt;cup&gt;" in text
    assert "<cup>" not in text


def test_reports_that_are_there_are_compared(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "disc", tmp_path / "grabcut"
    assert judge(photographs, first, "disc") == 0
    assert judge(photographs, second, "grabcut") == 0
    capsys.readouterr()
    assert run(["eval", "--compare", str(first), str(second)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "changed: baselines was disc, is grabcut" in said
    assert "points of IoU" in said
    assert run(["eval", "--compare", str(first), str(first)]) == 0
    assert "no difference at all" in capsys.readouterr().out
    assert run(["eval", str(second), "--fail-under", "100"]) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("truth", "pixels or ground truth of dog have changed between the runs"),
        ("names", "the runs have no photograph in common"),
        ("video", "holds no evaluated photographs, expected the folder that"),
        ("folder", "holds something other than evaluated photographs"),
        ("protocol", "protocol is online, but photographs are prompted only once"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    photographs: Path,
    tmp_path: Path,
    change: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second, more = tmp_path / "first", tmp_path / "second", []
    assert judge(photographs, first, "disc") == 0
    if change == "truth":
        (photographs / "masks/dog.png").write_bytes(encode_label_png(labels(7)))
    elif change == "names":
        for path in [*photographs.glob("*/*")]:
            path.rename(path.with_stem(f"other{path.stem}"))
    elif change == "video":
        (first / "report.json").write_text('{"mean": {}}')
    elif change == "folder":
        second.mkdir()
        (second / "precious.txt").write_text("mine")
    else:
        more = ["--protocol", "online"]
    capsys.readouterr()
    assert judge(photographs, second, "disc", "--compare", str(first), *more) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    made = (second / "index.html").is_file()
    assert made == (change in ("truth", "names")), "a page without the comparison"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing", "missing does not exist, expected"),
        ("video", "is a report on photographs, expected one on videos"),
    ],
)
def test_the_folder_that_is_wrong_is_the_one_that_is_named(
    photographs: Path,
    tmp_path: Path,
    source: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "first"
    assert judge(photographs, report, "disc") == 0
    assert json.loads((report / "run.json").read_text())["runs_on"] == ""
    for kind in ("images", "masks"):
        frames = {"images": "frames"}.get(kind, kind)
        shutil.copytree(photographs / kind, tmp_path / "video" / "street" / frames)
    capsys.readouterr()
    assert (
        run(
            [
                "eval",
                "--no-model",
                "--baseline",
                "copy",
                "--compare",
                str(report),
                str(tmp_path / source),
            ]
        )
        == 2
    )
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_pictures_are_bounded_and_the_worst_are_kept() -> None:
    pictures = MaskPictures()
    image, truth = np.zeros((*HW, 3), np.uint8), labels(0) == 1
    for number in range(3 * GALLERY):
        iou = (number * 37 % (3 * GALLERY)) / (3 * GALLERY)
        pictures.see(image, MaskScore(f"p{number}", 1, 0.1, iou), truth, truth)
        pictures.end(f"p{number}")
    assert len(pictures.fingerprints) == 3 * GALLERY
    assert GALLERY // 2 <= len(pictures.gallery) <= GALLERY
    worst = [each.score.iou for each in pictures.worst]
    assert worst == [number / (3 * GALLERY) for number in range(WORST_MASKS)]


@needs_chromium
def test_a_browser_goes_through_the_photographs(photographs: Path, tmp_path: Path) -> None:
    assert judge(photographs, tmp_path / "report", "disc") == 0
    assert "<output>street</output>" in played(tmp_path / "report/index.html", 2, tmp_path)

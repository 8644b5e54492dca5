"""`etam eval` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.evaluation.label_png import encode_label_png


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cup", "dog"):
        for kind in ("frames", "masks"):
            (tmp_path / "data" / name / kind).mkdir(parents=True)
        for index in range(4):
            labels = np.zeros((48, 64), np.uint8)
            labels[10:30, 10 + 3 * index : 30 + 3 * index] = 1
            stem = f"{index:05d}"
            picture = rng.integers(0, 255, (48, 64, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "data" / name / "frames" / f"{stem}.jpg"), picture)
            mask = tmp_path / "data" / name / "masks" / f"{stem}.png"
            mask.write_bytes(encode_label_png(labels))
    return tmp_path / "data"


TINY = ("--model", "tiny_test", "--weights", "random:0")


def test_a_table_and_a_file_with_the_same_numbers(etam, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    finished = etam("eval", str(dataset), *TINY, "--prompt", "box", "--out", str(out))
    assert finished.returncode == 0, finished.stderr
    report = json.loads(out.read_text())
    assert report["prompt"] == "box"
    assert list(report["sequences"]) == ["cup", "dog"]
    line = next(line for line in finished.stdout.splitlines() if "mean" in line)
    printed = [float(cell) for cell in line.split("│") if cell.strip().replace(".", "").isdigit()]
    mean = report["mean"]
    for number, key in zip(printed, ("j", "f", "j_and_f"), strict=True):
        assert number == pytest.approx(100 * mean[key], abs=0.06)


def test_sequences_can_be_chosen(etam, dataset: Path) -> None:
    finished = etam("eval", str(dataset), *TINY, "--sequences", "dog")
    assert "dog" in finished.stdout
    assert "cup" not in finished.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prompt", "word"), "expected one of mask, box, 1-click, 3-clicks"),
        (("--sequences", "cat"), "holds no sequence cat, it holds cup, dog"),
    ],
)
def test_mistakes_are_one_line(etam, dataset: Path, options: tuple[str, ...], words: str) -> None:
    finished = etam("eval", str(dataset), *TINY, *options)
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert words in finished.stderr

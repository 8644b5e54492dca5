"""`etam pretrain` as a user runs it, on a small teacher."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors import safe_open

TINY = (
    "--teacher", "tiny_test", "--teacher-weights", "random:1", "--student", "tiny_test",
    "--batch", "4", "--unseen", "4", "--warmup", "2", "--device", "cpu",
)  # fmt: skip


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(6):
        coarse = rng.integers(0, 255, (5, 7, 3), np.uint8)
        cv2.imwrite(str(folder / f"{index}.jpg"), cv2.resize(coarse, (112, 80)))
    return folder


def errors(printed: str, kind: str) -> tuple[float, float]:
    match = re.search(rf"{kind}: +([\d.]+) -> ([\d.]+)", printed)
    assert match is not None
    return float(match[1]), float(match[2])


def test_from_photographs_to_an_encoder(etam, photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    steps = ("--steps", "20", "--lr", "5e-3")
    command = ("pretrain", *TINY, *steps, "--data", str(photographs), "--out", str(out))
    finished = etam(*command)
    assert finished.returncode == 0, finished.stderr
    assert "step 20, all steps are done" in finished.stdout
    for kind in ("masked", "whole"):
        before, after = errors(finished.stdout, kind)
        assert after < before
    with safe_open(out / "encoder.safetensors", "pt") as file:
        assert file.metadata()["part"] == "image_encoder"
    assert {"encoder.safetensors", "log.csv", "state_00000020"} <= {p.name for p in out.iterdir()}
    again = etam(*command)
    assert again.returncode == 0, again.stderr
    assert errors(again.stdout, "masked") == errors(finished.stdout, "masked")


def test_without_data_pictures_are_made_up_and_minutes_end_it(etam, tmp_path: Path) -> None:
    out = tmp_path / "run"
    finished = etam("pretrain", *TINY, "--out", str(out), "--minutes", "0.0001")
    assert finished.returncode == 0, finished.stderr
    assert "step 1, 19999 steps are left" in finished.stdout
    assert (out / "encoder.safetensors").is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--teacher", "efficienttam_x"), "model is 'efficienttam_x', expected one of"),
        (("--teacher", "tiny_test", "--hidden-share", "1"), "hidden_share is 1, expected 0..0.99"),
        (("--teacher", "tiny_test", "--data", "nowhere"), "nowhere does not exist"),
        (
            ("--teacher", "tiny_test", "--teacher-weights", "gone"),
            "weights file gone does not exist: check the path given to --teacher-weights",
        ),
        ((), "Missing option '--teacher'"),
    ],
)
def test_mistakes_are_one_line(etam, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    finished = etam("pretrain", *options, "--out", str(tmp_path))
    assert finished.returncode == 2
    said = [line for line in finished.stderr.splitlines() if "getting ready" not in line]
    assert len(said) == 1, finished.stderr
    assert words in finished.stderr

"""`etam train` as a user runs it."""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.media.label_png import encode_label_png
from etam_ros.options import flag_of, metavar_of, option_of
from etam_ros.training.config import TrainingConfig
from etam_ros.training.run import parse

SHORT = ("--model", "tiny_test", "--size", "32", "--frames", "2", "--batch", "1", "--steps", "2",
         "--workers", "0", "--precision", "fp32", "--log-every", "1")  # fmt: skip


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for index in range(2):
        labels = np.zeros((48, 64), np.uint8)
        labels[10:40, 10:50] = 1
        picture = rng.integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "data" / "images" / f"{index}.jpg"), picture)
        (tmp_path / "data" / "masks" / f"{index}.png").write_bytes(encode_label_png(labels))
    return tmp_path / "data"


def test_a_run_on_photographs_with_masks_that_is_fine_tuned_further(
    etam, photographs: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    done = etam("train", "--data", str(photographs), "--out", str(first), *SHORT)
    assert done.returncode == 0, done.stderr
    assert f"weights: {first / 'weights.safetensors'}" in done.stdout
    assert "step 2 of 2: loss" in done.stdout
    options = ("--out", str(second), "--init", str(first / "weights.safetensors"))
    done = etam("train", "--data", str(photographs), *options, *SHORT)
    assert done.returncode == 0, done.stderr
    assert (second / "weights.safetensors").is_file()


def test_what_names_nothing_is_refused_before_torch_is_imported(etam, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    out = ("--out", str(tmp_path / "out"))
    for verb, *options in (
        ("train", "--init", "nothing.pt"),
        ("train", "--init", "folder/without/run"),
        ("train", "--init", "~nobody_of_that_name/x"),
        ("train", "--data", "x" * 5000),
        ("train", "--data", "nothing"),
        ("pretrain", "--teacher", "tiny_test", "--data", "nothing"),
    ):
        done = etam(verb, *options, *out, PYTHONPATH=path)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "torch" not in done.stderr
    begun = etam("train", *out, PYTHONPATH=path)
    assert "training: 10000 steps, getting ready" in begun.stderr  # before what takes seconds
    assert "torch is imported" in begun.stderr


def test_what_is_wrong_is_said_in_one_line(etam, tmp_path: Path) -> None:
    for options, words in (
        (("--frames", "0"), "frames is 0"),
        (("--init", "nothing.pt"), "nothing.pt does not exist"),
        (("--data", str(tmp_path / "none")), "none"),
        (("--mask-prompts", "0.9"), "add up to more than 1"),
    ):
        done = etam("train", "--out", str(tmp_path / "out"), *SHORT, *options)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        said = [line for line in done.stderr.splitlines() if "getting ready" not in line]
        assert len(said) == 1


def test_the_plain_command_takes_the_same_options(capsys) -> None:
    given = parse(["--data", "a", "--data", "b", "--lr", "1e-3", "--save-every-s", "9"])
    assert given == {"data": ("a", "b"), "lr": 1e-3, "save_every_s": 9.0}
    assert parse(["--recover", "--out", "x"]) == {"recover": True, "out": "x"}
    with pytest.raises(SystemExit):
        parse(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for item in fields(TrainingConfig):
        value = "" if isinstance(item.default, bool) else f"{metavar_of(item)} "
        assert f"{flag_of(item)} {value}" in said
        assert " ".join(option_of(item).help_text.split()) in said
    assert "[default: from scratch]" in said

"""What an ordinary user meets where folders are not theirs: one line, before any work is done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from other_user import unprivileged

HOMELESS: Final = "/nonexistent"
PICTURE: Final = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
MODEL: Final = ("--model", "tiny_test", "--weights", "random:0")

Etam = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def etam() -> Etam:
    """Call `etam` with the rights of a user who has no home."""
    before = unprivileged()

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [*before, sys.executable, "-m", "etam_ros.cli.main", *map(str, arguments)]
        own = {"HOME": HOMELESS, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        own |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "COLUMNS": "200"}
        return subprocess.run(
            command, env={**os.environ, **own, **environment}, capture_output=True, text=True,
            timeout=240, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Path]:
    """A folder that only its owner may write, and frames in it."""
    folder = tmp_path / "theirs"
    (folder / "frames").mkdir(parents=True)
    for name in ("0.png", "1.png"):
        cv2.imwrite(str(folder / "frames" / name), PICTURE)
    yield folder
    folder.chmod(0o755)


def _closed(folder: Path) -> set[str]:
    """Take the right to write from everybody; what is in it."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return {str(path) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("track {}/frames --click 9,9 --out {}/out", "--out"),
        ("eval {}/frames --out {}/report.json", "--out"),
        ("bench --model tiny_test --csv {}/numbers.csv", "--csv"),
        ("bench --model tiny_test --plot {}/numbers.png", "--plot"),
        ("train --steps 1 --out {}/out", "--out"),
        ("pretrain --teacher tiny_test --data {}/frames --steps 1 --out {}/out", "--out"),
    ],
)
def test_results_that_cannot_be_written_are_refused_before_any_work(
    etam: Etam, theirs: Path, command: str, option: str
) -> None:
    before = _closed(theirs)
    run = etam(*command.format(*[theirs] * command.count("{}")).split())
    assert run.returncode == 2, run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert f"error: {option} {theirs}/" in run.stderr
    assert "cannot be" in run.stderr
    assert {str(path) for path in theirs.rglob("*")} == before


def test_a_node_that_may_not_write_its_log_says_where_it_tried(etam: Etam) -> None:
    run = etam("node", ROS_LOG_DIR="")
    assert run.returncode == 2
    assert f"the log of ROS cannot be written to {HOMELESS}/.ros/log (Permission" in run.stderr


def test_engines_that_somebody_else_has_built_are_used(
    etam: Etam, export_once: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    engines = tmp_path / "engines"
    shutil.copytree(export_once("tiny_test", "fp32"), engines)
    _closed(engines)
    picture = tmp_path / "0.png"
    cv2.imwrite(str(picture), PICTURE)
    with tempfile.TemporaryDirectory() as results:
        Path(results).chmod(0o777)
        out = Path(results) / "out"
        command = ("segment", picture, "--click", "9,9", "--out", out, *MODEL)
        run = etam(*command, "--backend", "onnx", "--engine-dir", engines)
        assert run.returncode == 0, run.stderr
        assert (out / "masks.png").is_file()

"""Damaged files are taken, or refused in one line: a few of each kind, and what ever failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "fuzz.py"
CORPUS = Path(__file__).resolve().parent / "corpus"


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "target", ["videos", "pictures", "prompts", "records", "manifests", "weights", "bags"]
)
def test_a_few_damaged_files(tmp_path: Path, target: str) -> None:
    if target == "bags":
        pytest.importorskip("rosbags")
    done = fuzz(target, "--inputs", "40", "--corpus", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    name, inputs, *counts, _ = done.stdout.splitlines()[-1].split()
    assert (name, int(inputs), int(counts[2])) == (target, 40, 0)
    assert int(counts[1]) > 0  # there is damage among it


def test_an_input_that_fails_is_kept_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "one.json").write_text('[{"frame": 0}]')
    done = fuzz("--again", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "prompts/one.json: refused" in done.stdout


def test_what_ever_failed_does_so_no_more() -> None:
    if not CORPUS.is_dir():
        pytest.skip("nothing has failed yet")
    done = fuzz("--again", str(CORPUS))
    assert done.returncode == 0, done.stdout + done.stderr

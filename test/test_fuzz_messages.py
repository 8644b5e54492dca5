"""Damaged messages are taken, or refused in one line: a few of each kind, always the same."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "fuzz.py"


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch):
    """The module of the script."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import fuzz

    return fuzz


@pytest.mark.parametrize(
    "name", ["images", "compressed", "prompt_messages", "clicks", "camera_infos", "depth"]
)
def test_a_few_damaged_messages(fuzz, tmp_path: Path, name: str) -> None:
    target = fuzz.TARGETS[name]
    seeds = target.seeds(tmp_path)
    counts: Counter[str] = Counter()
    for number in range(20):
        suffix, content = fuzz.made(target, seeds, 0, number)
        path = tmp_path / f"input{suffix}"
        path.write_bytes(content)
        verdict, words = fuzz.outcome(target, path)
        assert verdict != "failed", f"input {number}: {words}"
        counts[verdict] += 1
    assert counts["refused"] > 0  # there is damage among it


@pytest.mark.parametrize("target", ["parameters", "node"])
def test_parameters_and_a_node_in_a_process_of_its_own(tmp_path: Path, target: str) -> None:
    command = [sys.executable, str(SCRIPT), target, "--inputs", "20", "--corpus", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    name, inputs, _, _, failed, _ = done.stdout.splitlines()[-1].split()
    assert (name, inputs, failed) == (target, "20", "0")


def test_an_input_follows_from_its_number(fuzz, tmp_path: Path) -> None:
    target = fuzz.TARGETS["prompt_messages"]
    seeds = target.seeds(tmp_path)

    def sizes() -> list[int]:  # between fields CDR has bytes that mean nothing, and are any
        return [len(fuzz.made(target, seeds, 3, number)[1]) for number in range(20)]

    assert sizes() == sizes()
    assert len(set(sizes())) > 1

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
    "name",
    [
        "images", "compressed", "prompt_messages", "clicks", "camera_infos", "depth",
        "image_readers", "prompt_readers", "follower",
    ],
)  # fmt: skip
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


@pytest.mark.parametrize("name", ["prompt_messages", "camera_infos", "parameters", "follower"])
def test_an_input_follows_from_its_number(fuzz, tmp_path: Path, name: str) -> None:
    target = fuzz.TARGETS[name]
    seeds = target.seeds(tmp_path)
    inputs = [fuzz.made(target, seeds, 3, number) for number in range(20)]
    assert inputs == [fuzz.made(target, seeds, 3, number) for number in range(20)]
    assert seeds == target.seeds(tmp_path)
    assert len(set(inputs)) > 10


def test_messages_have_no_remains_between_their_fields_and_are_read_as_before(fuzz) -> None:
    from fuzz_cdr import without_remains
    from fuzz_seeds import calibrations, prompts
    from rcl_interfaces.msg import ParameterValue
    from rclpy.serialization import deserialize_message, serialize_message

    values = ParameterValue(
        byte_array_value=[b"a", b"b"], bool_array_value=[True], string_array_value=["x", "yz"],
        double_array_value=[0.5], integer_array_value=[-1, 2**40],
    )  # fmt: skip
    for message in (*calibrations(), *prompts(), values, ParameterValue()):
        content = without_remains(message)
        assert len(content) == len(serialize_message(message))
        assert deserialize_message(content, type(message)) == message

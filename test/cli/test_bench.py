"""`etam bench` as a user runs it; what it prints, not how fast."""

from __future__ import annotations

import csv
import re
import shutil

import cv2
import pytest

from etam_ros.benchmark.frame_clock import PARTS, STEP

TINY = ("bench", "--model", "tiny_test", "--frames", "2")


def rows(text: str) -> dict[str, list[float]]:
    """Numbers of each row of a printed table, by its first cell."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    return {
        row[0]: [float(cell) for cell in row[1:]]
        for row in cells
        if len(row) > 1 and re.fullmatch(r"[\d.]+", row[1])
    }


def test_stages_and_the_rest_of_a_step_are_listed(etam) -> None:
    finished = etam(*TINY, "--node-frames", "0", "--objects", "2", "--backend", "torch")
    assert finished.returncode == 0, finished.stderr
    assert "tiny_test: 2 objects, 720p, 2 frames" in finished.stdout
    found = {name: values[0] for name, values in rows(finished.stdout).items()}
    parts = [name.replace("_", " ") for name in (*PARTS, STEP)]
    assert list(found) == [*parts, "step, p99 ms", "frames/s", "peak MiB"]
    step, p99, frames_per_s, peak_mib = list(found.values())[-4:]
    assert all(0 < found[name] < step <= p99 for name in parts[:-1])
    assert frames_per_s == pytest.approx(1e3 / step, rel=0.1)
    assert 100 < peak_mib < 4000


def test_backends_take_turns_and_are_held_against_one(
    etam, tiny_export, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("ETAM_ENGINE_DIR", str(shutil.copytree(tiny_export, tmp_path / "engines")))
    table, plot = tmp_path / "bench.csv", tmp_path / "bench.png"
    finished = etam(
        *TINY, "--node-frames", "0", "--objects", "1,2", "--backend", "onnx", "--against", "torch",
        "--no-memory", "--csv", str(table), "--plot", str(plot),
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    found = rows(finished.stdout)
    assert "torch" in finished.stdout
    assert "onnx" in finished.stdout
    assert found["times faster"][0] == 1.0
    assert found["masks' IoU"][0] == 1.0
    assert found["masks' IoU"][1] > 0.99
    with table.open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 2 * 7
    assert {line["objects"] for line in lines} == {"1", "2"}
    picture = cv2.imread(str(plot))
    assert picture is not None
    assert picture.std() > 10


def test_a_way_that_is_named_twice_is_measured_once(etam) -> None:
    finished = etam(
        *TINY, "--node-frames", "0", "--backend", "torch", "--objects", "1", "--no-memory",
        "--against", "torch:fp32",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert len(rows(finished.stdout)["step"]) == 1


def test_the_node_is_measured_at_both_sizes(etam) -> None:
    pytest.importorskip("rclpy")
    finished = etam(
        *TINY, "--node-frames", "3", "--backend", "torch", "--objects", "1", "--no-memory"
    )
    assert finished.returncode == 0, finished.stderr
    table = rows(finished.stdout)
    for size in ("720p", "1080p"):
        overhead, p50, p99 = table[size]
        assert 0 < overhead <= p50 <= p99


def test_wrong_options_are_one_line(etam) -> None:
    finished = etam("bench", "--model", "tiny_test", "--backend", "caffe")
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "expected one of auto, torch" in finished.stderr

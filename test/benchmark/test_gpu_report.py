"""The report of a GPU, made on a CPU with a tiny network: its logic, not its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etam_ros.benchmark import gpu_report
from etam_ros.benchmark.gpu_report import Plan, measure

TINY = Plan(
    models=(("tiny_test", "random:0"), ("no_such_model", "random:0")),
    groups=((("eager", "fp32"), ("torch", "fp32"), ("tensorrt", "fp16")),),
    objects=(1, 3),
    frames=2,
    source_hw=(48, 64),
    device="cpu",
)


def test_what_runs_is_measured_and_what_fails_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_report, "is_installed", lambda backend: False)
    said: list[str] = []
    report = measure(TINY, tmp_path / "report", said.append)
    assert [(turn.objects, turn.way) for turn in report.turns] == [
        (objects, f"{way} fp32") for objects in (1, 3) for way in ("eager", "torch")
    ]
    assert all(turn.ratio > 0 and turn.p50_ms <= turn.p99_ms for turn in report.turns)
    assert [each["way"] for each in report.opened] == ["eager fp32", "torch fp32"]
    assert "tiny_test on tensorrt fp16: not installed" in report.notes
    assert any("no_such_model on eager fp32: ConfigError: " in note for note in report.notes)
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert len(written["turns"]) == 4
    page = (tmp_path / "report" / "report.md").read_text()
    assert "## tiny_test" in page
    assert "| 3 | torch fp32 |" in page
    assert "- tiny_test on tensorrt fp16: not installed" in page


def test_no_part_is_begun_once_the_time_is_up(tmp_path: Path) -> None:
    plan = Plan(models=TINY.models[:1], groups=TINY.groups, device="cpu", seconds=-1.0)
    report = measure(plan, tmp_path, lambda _: None)
    assert report.turns == []
    assert "tiny_test on eager fp32: not opened, no time was left" in report.notes

"""The page of a report: its structure, and how it behaves in a real browser."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from etam_ros.evaluation.config import EvaluationConfig
from etam_ros.evaluation.report import page as page_module
from etam_ros.evaluation.report.charts import chart_of
from etam_ros.evaluation.report.files import write_report
from etam_ros.evaluation.report.summary import report_of
from etam_ros.evaluation.runs.run import find_videos, run_evaluation
from etam_ros.evaluation.runs.store import RunFolder

sys.path.insert(0, str(Path(__file__).resolve().parent))
from checked_page import Checked, needs_chromium, played


def come_and_go(index: int) -> np.ndarray:
    """An object that is hidden on frame 2, and whose mask, copied, is not."""
    labels = np.zeros((64, 96), np.uint8)
    if index != 2:
        labels[10:30, 5 + index : 25 + index] = 1
    return labels


@pytest.fixture
def report(tmp_path: Path, write_sequence: Callable[..., None]) -> Path:
    """A report of two videos, compared with one of another baseline."""
    for name in ("<cup>", "dog"):
        place = tmp_path / "data" / name
        write_sequence(place / "frames", place / "masks", labels=come_and_go)
    for baseline in ("flow", "copy"):
        config = EvaluationConfig(
            sources=(str(tmp_path / "data"),), no_model=True, baseline=baseline, threads=1,
            report=str(tmp_path / baseline),
        )  # fmt: skip
        run = run_evaluation(config, find_videos(config, config.sources))
        assert run.folder is not None
        results = list(run.results)
        before = {"flow": list(results)} if baseline == "copy" else {}
        write_report(run.folder, results, report_of(results), before)
    return tmp_path / "copy"


def test_the_page_is_whole_and_needs_nothing_else(report: Path) -> None:
    text = (report / "index.html").read_text()
    page = Checked(text)
    assert len(page.of("section", "video")) == 2
    assert len(page.of("polyline", "object")) == 2
    assert len(page.of("section", "compared")) == 1
    assert [each["width"] for each in page.of("rect", "missed")], "the hidden frame is a band"
    assert {each["src"][:22] for each in page.of("img")} == {"data:image/jpeg;base64"}
    worst = [each for each in page.of("img") if "truth on frame 2" in str(each["alt"])]
    assert worst, "the hidden frame is among the worst, with the truth beside it"
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert "<cup>" not in text, "names are escaped"
    assert "&lt;cup&gt;" in text


def test_pictures_are_bounded(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from etam_ros.evaluation.runs.store import read_run

    folder = RunFolder(report)
    whole = page_module.render_page(folder, read_run(report), {})
    total = sum(path.stat().st_size for path in report.glob("pictures/*/*.jpg"))
    monkeypatch.setattr(page_module, "MOST_PICTURE_BYTES", total // 3)
    fewer = page_module.render_page(folder, read_run(report), {})
    assert len(fewer) < 0.7 * len(whole)
    assert fewer.count('class="card video"') == 2


@needs_chromium
def test_a_browser_plays_the_frames(report: Path, tmp_path: Path) -> None:
    shown = played(report / "index.html", 3, tmp_path)
    assert "<output>frame 3</output>" in shown
    assert re.search(r'class="cursor"[^>]*visibility="visible"', shown)
    assert '<body data-cut="0">' in shown, "the table next to the player fits"


def test_a_chart_shows_what_was_hidden_and_what_was_lost() -> None:
    series = {
        "frame": [1, 2, 3, 4, 5],
        "j": [1.0, 1.0, 0.0, 0.0, 0.5],
        "f": [1.0, 1.0, 0.0, 0.0, 0.5],
        "expected": [True, False, False, True, True],
        "found": [True, False, True, False, True],
    }
    objects = [{"object_id": 1, "label": "", "interacted": [0, 4], "series": series}]
    (curve,) = chart_of({"objects": objects}, 11).curves
    assert [kind for *_, kind in curve.bands] == ["hidden", "missed", "lost"]
    assert len(curve.points.split()) == 5
    assert curve.marks == (34.0, 376.4)

"""The files of a report: numbers, tables and the page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from etam_ros.evaluation.report.comparison import compare
from etam_ros.evaluation.report.page import render_page
from etam_ros.evaluation.report.summary import frames_table, objects_table
from etam_ros.evaluation.runs.store import Result, RunFolder
from etam_ros.media.files import writing
from etam_ros.runtime.atomic import write_file


def write_report(
    folder: RunFolder,
    results: Sequence[Result],
    report: Mapping[str, Any],
    before: Mapping[str, Sequence[Result]],
) -> None:
    """Write report.json, objects.csv, frames.csv and index.html.

    If a comparison is not possible, the page is written without it, and the error is raised.

    Args:
        folder: of the run.
        results: of its videos, by name.
        report: content of report.json.
        before: results of other runs to compare with, by name.

    Raises:
        SourceError: something cannot be written, or a run cannot be compared.
    """
    files = {
        "report.json": json.dumps(report, indent=1, allow_nan=False) + "\n",
        "objects.csv": objects_table(results),
        "frames.csv": frames_table(results),
        "index.html": render_page(folder, results, {}),
    }
    _write(folder, files)
    if before:
        comparisons = {name: compare(each, results) for name, each in before.items()}
        _write(folder, {"index.html": render_page(folder, results, comparisons)})


def _write(folder: RunFolder, files: Mapping[str, str]) -> None:
    with writing(folder.folder):
        for name, text in files.items():
            write_file(folder.folder / name, text.encode("utf-8", "replace"))

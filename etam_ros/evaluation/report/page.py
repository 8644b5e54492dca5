"""The HTML page of a run, as a single file.

It contains pictures, which are limited: if there are too many, every video shows fewer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from etam_ros.evaluation.report.charts import Chart, chart_of
from etam_ros.evaluation.report.comparison import Comparison
from etam_ros.evaluation.report.summary import judged_results, methods_of, summary_of
from etam_ros.evaluation.report.templates import data_uri, render
from etam_ros.evaluation.runs.store import Result, RunFolder

MOST_PICTURE_BYTES: Final = 16 * 2**20
"""Limit for all pictures of a page together."""
WORST_SHOWN: Final = 6
"""Worst frames shown for each video."""
_WORST: Final = re.compile(r"worst-([0-9]+)-([0-9]+)-found\.jpg")


@dataclass(frozen=True)
class WorstFrame:
    """A frame on which an object was tracked badly, and the truth."""

    object_id: int
    frame: int
    j: float
    f: float | None
    found: str
    truth: str


@dataclass(frozen=True)
class VideoSection:
    """The section of one video on the page.

    Attributes:
        result: results of the video.
        method: results of the first method.
        chart: its curves.
        player: (frame, picture) in order.
        worst: frames, the worst first.
    """

    result: Result
    method: Mapping[str, Any]
    chart: Chart
    player: tuple[tuple[int, str], ...]
    worst: tuple[WorstFrame, ...]


def render_page(
    folder: RunFolder, results: Sequence[Result], comparisons: Mapping[str, Comparison]
) -> str:
    """The page of a run.

    Args:
        folder: of the run, which contains the pictures.
        results: of its videos, by name.
        comparisons: with other runs, by name.
    """
    judged = judged_results(results)
    methods = methods_of(judged)
    share = _share_of_pictures(folder, judged)
    return render(
        "page.html.j2",
        first=judged[0],
        methods={name: summary_of(judged, name) for name in methods},
        summary=summary_of(judged, methods[0]),
        sections=[_section(folder, each, methods[0], share) for each in judged],
        comparisons=comparisons,
        times=folder.times(),
    )


def _section(folder: RunFolder, result: Result, name: str, share: float) -> VideoSection:
    method, pictures = result["methods"][name], folder.pictures(result["video"])
    frames = [each for each in pictures if each.startswith("frame-")]
    count = max(1, int(len(frames) * share))
    picked = frames[:: -(-len(frames) // count)] if frames else []
    return VideoSection(
        result,
        method,
        chart_of(method, result["frames"]),
        tuple((int(each[6:-4]), data_uri(pictures[each].read_bytes())) for each in picked),
        _worst(method, pictures, max(1, int(WORST_SHOWN * share))),
    )


def _worst(
    method: Mapping[str, Any], pictures: Mapping[str, Path], most: int
) -> tuple[WorstFrame, ...]:
    """The worst frames with pictures, over all objects."""
    scores = {
        (each["object_id"], frame): (j, f)
        for each in method["objects"]
        for frame, j, f in zip(
            each["series"]["frame"], each["series"]["j"], each["series"]["f"], strict=True
        )
    }
    found = []
    for name in pictures:
        match = _WORST.fullmatch(name)
        place = (int(match[1]), int(match[2])) if match else None
        if place in scores:
            found.append((scores[place], place, name))
    found.sort(key=lambda each: (sum(value or 0.0 for value in each[0]), each[1]))
    return tuple(
        WorstFrame(
            *place,
            *values,
            data_uri(pictures[name].read_bytes()),
            data_uri(pictures[name.replace("-found", "-truth")].read_bytes()),
        )
        for values, place, name in found[:most]
    )


def _share_of_pictures(folder: RunFolder, results: Sequence[Result]) -> float:
    """The share of the pictures that fits on the page."""
    total = sum(
        path.stat().st_size
        for result in results
        for path in folder.pictures(result["video"]).values()
    )
    return min(1.0, MOST_PICTURE_BYTES / total) if total else 1.0

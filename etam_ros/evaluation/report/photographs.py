"""Report on an evaluation with photographs: numbers, a table, a page, and comparisons.

FOLDER/report.json    every method with its masks, settings and versions
FOLDER/objects.csv    a row for each mask of each method
FOLDER/index.html     the page
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from etam_ros.errors import SourceError
from etam_ros.evaluation.image_scoring import SIZES
from etam_ros.evaluation.metrics.intervals import mean_interval, paired_difference
from etam_ros.evaluation.report.comparison import ComparedVideo, Comparison, changed
from etam_ros.evaluation.report.mask_pictures import MaskPictures
from etam_ros.evaluation.report.templates import data_uri, render
from etam_ros.media.files import read_json, writing
from etam_ros.media.result_kind import ResultKind, holds_results
from etam_ros.runtime.atomic import write_file

KIND: Final = "photographs"
REPORT: Final = "report.json"
_TOLD: Final = ("prompt", "network", "baselines", "machine", "versions")
"""Parts of a report that describe how it was made."""
Report = Mapping[str, Any]


def is_photographs(folder: Path) -> bool:
    """Whether a folder contains a report on photographs."""
    return _read(folder) is not None


def read_photographs(folder: Path) -> Report:
    """Read a report on photographs.

    Raises:
        SourceError: the folder contains none.
    """
    report = _read(folder)
    if report is None:
        raise SourceError(
            f"{folder} holds no evaluated photographs, expected the folder that `etam eval "
            "PHOTOGRAPHS --report FOLDER` has written"
        )
    return report


def _read(folder: Path) -> Report | None:
    try:
        report = read_json(folder / REPORT)
    except (OSError, ValueError):
        return None
    whole = isinstance(report, dict) and report.get("kind") == KIND
    return report if whole and report.keys() >= {"methods", "fingerprints", *_TOLD} else None


PHOTOGRAPHS: Final = ResultKind(
    "eval", (REPORT, "objects.csv", "index.html"), option="--report", is_older=is_photographs
)


def check_folder(folder: Path) -> None:
    """Raise SourceError unless a folder is new, empty, or an earlier report of this kind."""
    if holds_results(folder, PHOTOGRAPHS) and not is_photographs(folder):
        raise SourceError(
            f"--report {folder} holds something other than evaluated photographs, expected a "
            "new or empty folder, or that of an earlier run over photographs: choose another"
        )


def method_report(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means of one method, over all masks and by their size; an interval over photographs.

    Args:
        scores: of each mask: image, object_id, share, iou.
    """
    images = _by_image(scores)
    sizes = {
        name: {"iou": fmean(found), "masks": len(found)}
        for name, (low, high) in SIZES.items()
        if (found := [each["iou"] for each in scores if low < each["share"] <= high])
    }
    return {
        "mean": {"iou": fmean(each["iou"] for each in scores), "masks": len(scores)},
        "interval": asdict(mean_interval([fmean(found) for found in images.values()])),
        "sizes": sizes,
        "masks": list(scores),
    }


def compare_photographs(before: Report, after: Report) -> Comparison:
    """Compare photographs with an earlier run, by the first method of each.

    Raises:
        SourceError: they have no photograph in common, or one has changed.
    """
    old, new = (_by_image(_first(each)["masks"]) for each in (before, after))
    names = sorted(old.keys() & new.keys())
    if not names:
        raise SourceError(
            f"the runs have no photograph in common; one has {', '.join(sorted(old))[:120]}, "
            f"the other {', '.join(sorted(new))[:120]}: compare runs over the same photographs"
        )
    prints = before["fingerprints"], after["fingerprints"]
    if strangers := [name for name in names if prints[0].get(name) != prints[1].get(name)]:
        raise SourceError(
            f"pixels or ground truth of {strangers[0]} have changed between the runs, expected "
            "the same: evaluate both again"
        )
    pairs = tuple(ComparedVideo(name, fmean(old[name]), fmean(new[name])) for name in names)
    gain = paired_difference([each.before for each in pairs], [each.after for each in pairs])
    told = ({name: each[name] for name in _TOLD} for each in (before, after))
    left_out = tuple(sorted(old.keys() ^ new.keys()))
    return Comparison(pairs, gain, changed(*told), left_out, measure="IoU", one="photograph")


def write_photographs(
    folder: Path, report: Report, pictures: MaskPictures, before: Mapping[str, Report]
) -> None:
    """Write report.json, objects.csv and index.html.

    If a comparison is not possible, the page is written without it, and the error is raised.

    Args:
        folder: created if missing; see `check_folder`.
        pictures: of the first method's masks.
        before: earlier reports to compare with, by name.

    Raises:
        SourceError: something cannot be written, or a run cannot be compared.
    """
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    _write(folder, {REPORT: text, "objects.csv": _table(report)})
    _write(folder, {"index.html": _page(report, pictures, {})})
    if before:
        comparisons = {name: compare_photographs(each, report) for name, each in before.items()}
        _write(folder, {"index.html": _page(report, pictures, comparisons)})


def _page(report: Report, pictures: MaskPictures, comparisons: Mapping[str, Comparison]) -> str:
    images = {name: fmean(found) for name, found in _by_image(_first(report)["masks"]).items()}
    return render(
        "photographs.html.j2",
        report=report,
        first=_first(report),
        ious=sorted(each["iou"] for each in _first(report)["masks"]),
        images=images,
        gallery=[(index, data_uri(jpeg)) for index, (_, jpeg) in enumerate(pictures.gallery)],
        names=[name for name, _ in pictures.gallery],
        worst=[
            {"score": each.score, "found": data_uri(each.found), "truth": data_uri(each.truth)}
            for each in pictures.worst
        ],
        comparisons=comparisons,
    )


def _table(report: Report) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "method", "id", "share", "iou"))
    for name, method in report["methods"].items():
        for each in method["masks"]:
            numbers = (round(each[key], 6) for key in ("share", "iou"))
            writer.writerow((each["image"], name, each["object_id"], *numbers))
    return text.getvalue()


def _first(report: Report) -> Mapping[str, Any]:
    first: Mapping[str, Any] = next(iter(report["methods"].values()))
    return first


def _by_image(scores: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for each in scores:
        found.setdefault(each["image"], []).append(each["iou"])
    return found


def _write(folder: Path, files: Mapping[str, str]) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_file(folder / name, text.encode("utf-8", "replace"))

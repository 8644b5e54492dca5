"""Measures of each method over all videos of a run, with intervals, and tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from etam_ros.evaluation.metrics.intervals import mean_interval
from etam_ros.evaluation.runs.store import Result

MEASURES = ("j", "f", "j_and_f")


def methods_of(results: Sequence[Result]) -> list[str]:
    """Methods that were evaluated on every video, in the order of the first."""
    return [
        name
        for name in results[0]["methods"]
        if all(name in result["methods"] for result in results)
    ]


def judged_results(results: Sequence[Result]) -> list[Result]:
    """The results in which every method has an evaluated object."""
    return [
        result
        for result in results
        if all(method["objects"] for method in result["methods"].values())
    ]


def summary_of(results: Sequence[Result], method: str) -> dict[str, Any]:
    """Measures of one method over all evaluated videos.

    Args:
        results: at least one; see `judged_results`.

    Returns:
        plain values, means over videos of means over objects: `mean` with j, f, j_and_f (as in
        DAVIS, 0..1), `interval` of J&F, `recall` and `decay` of J and F over objects, and measures
        over all objects together: occlusion, recovery, identity, centroid.
    """
    videos = [result["methods"][method] for result in results]
    objects = [each for video in videos for each in video["objects"]]
    summaries = [each["summary"] for each in objects]
    return {
        "videos": len(videos),
        "objects": len(objects),
        "mean": {name: _mean(video[name] for video in videos) for name in MEASURES},
        "interval": asdict(mean_interval([video["j_and_f"] for video in videos])),
        "recall": {
            name: _mean(_part(each, name, "recall") for each in summaries) for name in "jf"
        },
        "decay": {name: _mean(_part(each, name, "decay") for each in summaries) for name in "jf"},
        "occlusion": _occlusion(summaries),
        "recovery": _recovery(summaries),
        "identity": {
            "own": _mean(each["identity"]["own"] for each in summaries),
            "switches": sum(each["identity"]["switches"] for each in summaries),
        },
        "centroid_px": _mean(each["centroid_px"] for each in summaries),
        "interacted_frames": _mean(len(each["interacted"]) for each in objects),
        "curve": _curve(videos),
    }


def groups_of(results: Sequence[Result], method: str) -> dict[str, dict[str, float]]:
    """Measures of a method for each group of videos, as means over their objects.

    Returns:
        by group: `objects`, and the IoU on the first (`first`), on the last (`last`), and over all
        evaluated frames (`mean`); empty if videos have no group.
    """
    series: dict[str, list[list[float]]] = {}
    for result in results:
        if group := result.get("group", ""):
            found = result["methods"][method]["objects"]
            series.setdefault(group, []).extend(each["series"]["j"] for each in found)
    return {
        group: {
            "objects": len(found),
            "first": fmean(each[0] for each in found),
            "last": fmean(each[-1] for each in found),
            "mean": fmean(fmean(each) for each in found),
        }
        for group, found in series.items()
    }


def report_of(results: Sequence[Result]) -> dict[str, Any]:
    """All results of a run, for report.json and --out.

    The model's values are at the top level: those of `summary_of`, and `sequences` by name with
    every object. Those of baselines are in `baselines` by name, in the same form.
    """
    judged = judged_results(results)
    settings = results[0]["settings"]
    network = settings["network"]
    report: dict[str, Any] = {"prompt": settings["protocol"]["prompt"]}
    methods = methods_of(judged)
    if network is not None:
        about = {"model": network["model"], "weights": network["weights"]}
        report = about | {"runs_on": results[0]["runs_on"]} | report
        report |= _method_report(judged, methods[0])
        methods = methods[1:]
    if methods:
        report["baselines"] = {name: _method_report(judged, name) for name in methods}
    return report | {
        "settings": settings,
        "machine": results[0]["machine"],
        "versions": results[0]["versions"],
    }


def _method_report(results: Sequence[Result], method: str) -> dict[str, Any]:
    groups = groups_of(results, method)
    return (
        summary_of(results, method)
        | ({"groups": groups} if groups else {})
        | {
            "sequences": {
                result["video"]: _without_series(result["methods"][method]) for result in results
            }
        }
    )


def objects_table(results: Sequence[Result]) -> str:
    """CSV: a row for each object and method."""
    rows = []
    for result, name, each in _objects(results):
        summary = each["summary"]
        rows.append(
            {
                "video": result["video"],
                "method": name,
                "id": each["object_id"],
                "label": each["label"],
                "frames": each["frames"],
                "j": each["j"],
                "f": each["f"],
                "j_and_f": each["j_and_f"],
                "j_recall": summary["j"]["recall"],
                "j_decay": summary["j"]["decay"],
                "f_recall": _part(summary, "f", "recall"),
                "f_decay": _part(summary, "f", "decay"),
                "occlusion_precision": summary["occlusion"]["precision"],
                "occlusion_recall": summary["occlusion"]["recall"],
                "returns": summary["recovery"]["returns"],
                "recovered": summary["recovery"]["recovered"],
                "recovery_frames": summary["recovery"]["frames"],
                "identity_own": summary["identity"]["own"],
                "identity_switches": summary["identity"]["switches"],
                "centroid_px": summary["centroid_px"],
                "interacted_frames": len(each["interacted"]),
            }
        )
    return _as_csv(rows)


def frames_table(results: Sequence[Result]) -> str:
    """CSV: a row for each object, method and evaluated frame."""
    rows = []
    for result, name, each in _objects(results):
        about = {"video": result["video"], "method": name, "id": each["object_id"]}
        columns = each["series"]
        rows += [
            about | dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
    return _as_csv(rows)


def _objects(results: Sequence[Result]) -> Iterable[tuple[Result, str, dict[str, Any]]]:
    for result in results:
        for name, method in result["methods"].items():
            for each in method["objects"]:
                yield result, name, each


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return round(value, 6) if isinstance(value, float) else value


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _part(summary: Mapping[str, Any], measure: str, part: str) -> float | None:
    return summary[measure][part] if summary[measure] else None


def _occlusion(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts over all objects, and the resulting shares."""
    absent, called, both = (
        sum(each["occlusion"][name] for each in summaries)
        for name in ("absent", "called_absent", "both")
    )
    return {
        "absent": absent,
        "called_absent": called,
        "both": both,
        "precision": both / called if called else None,
        "recall": both / absent if absent else None,
    }


def _recovery(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [each["recovery"] for each in summaries]
    recovered = sum(each["recovered"] for each in found)
    frames = sum(each["frames"] * each["recovered"] for each in found if each["recovered"])
    return {
        "returns": sum(each["returns"] for each in found),
        "recovered": recovered,
        "frames": frames / recovered if recovered else None,
    }


def _curve(videos: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over videos by interacted frames; a video with fewer counts with its last value."""
    most = max(len(video["curve"]) for video in videos)
    return [
        {"interacted_frames": max(point["interacted_frames"] for point in points)}
        | {name: _mean(point[name] for point in points) for name in MEASURES}
        for place in range(most)
        if (points := [video["curve"][min(place, len(video["curve"]) - 1)] for video in videos])
    ]


def _without_series(method: Mapping[str, Any]) -> dict[str, Any]:
    objects = [
        {key: value for key, value in each.items() if key != "series"}
        for each in method["objects"]
    ]
    return {**method, "objects": objects}

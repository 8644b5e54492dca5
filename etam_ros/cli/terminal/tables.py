"""Tables: of `etam eval`, one method in full or several beside each other; of the parity gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from etam_ros.evaluation.image_scoring import MaskScore
    from etam_ros.evaluation.metrics.timing import RecordedTiming
    from etam_ros.evaluation.recorded import RecordedAgreement
    from etam_ros.evaluation.report.comparison import Comparison
    from etam_ros.runtime.parity import ParityReport

_MEASURES: Final = {"J": "j", "F": "f", "J&F": "j_and_f"}


def titled_table(title: str, *columns: str) -> Table:
    """A table that its title fits on; all columns but the first hold numbers."""
    width = len(title) + 4
    table = Table(
        title=printable(title), title_justify="left", title_style="bold", min_width=width
    )
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    return table


def sequence_table(title: str, results: Sequence[Mapping[str, Any]], methods: list[str]) -> Table:
    """J, F and J&F per sequence and their means, in percent.

    Args:
        title: above the table.
        results: of videos that were judged.
        methods: names of the columns' methods. With several, a sequence has the J&F of each.
    """
    several = len(methods) > 1
    numbers_of = methods if several else list(_MEASURES)
    table = titled_table(title, "sequence", "objects", "frames", *numbers_of)
    for result in results:
        found = [result["methods"][name] for name in methods]
        objects = found[0]["objects"]
        frames = max(each["frames"] for each in objects)
        numbers = [each["j_and_f"] for each in found]
        if not several:
            numbers = [found[0][key] for key in _MEASURES.values()]
        table.add_row(
            printable(str(result["video"])), str(len(objects)), str(frames), *map(percent, numbers)
        )
    table.add_section()
    means = {
        word: [_mean_of(result["methods"][name][key] for result in results) for name in methods]
        for word, key in _MEASURES.items()
    }
    if several:
        for word, numbers in means.items():
            table.add_row(f"mean {word}", "", "", *map(percent, numbers), style="bold")
    else:
        table.add_row("mean", "", "", *(percent(value) for (value,) in means.values()))
        table.rows[-1].style = "bold"
    return table


def group_table(title: str, groups: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """IoU on the first and last judged frames and on all, in percent, of each group of videos.

    Args:
        title: above the table.
        groups: by method, as `groups_of` gives them.
    """
    parts = ("first", "last", "mean")
    columns = [f"{method} {part}" for method in groups for part in parts]
    table = titled_table(title, "videos", "objects", *columns)
    for group, found in next(iter(groups.values())).items():
        numbers = [each[group][part] for each in groups.values() for part in parts]
        table.add_row(group, str(int(found["objects"])), *map(percent, numbers))
    return table


def _mean_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """Measures other than J and F, one line each, without those that do not apply."""
    interval, lines = summary["interval"], []
    if interval["low"] is not None:
        span = f"{percent(interval['low'])} to {percent(interval['high'])}"
        lines.append(f"J&F {percent(interval['mean'])}, 95 % interval over sequences {span}")
    measures = [
        f"{name.upper()} recall {percent(summary['recall'][name])}, decay "
        f"{percent(summary['decay'][name])}"
        for name in "jf"
        if summary["recall"][name] is not None
    ]
    lines.append("; ".join(measures))
    away = summary["occlusion"]
    if away["absent"]:
        lines.append(
            f"absent on {away['absent']} frames: precision {percent(away['precision'])}, recall "
            f"{percent(away['recall'])}"
        )
    elif away["called_absent"]:
        lines.append(f"reported as absent on {away['called_absent']} frames that show the object")
    back = summary["recovery"]
    if back["returns"]:
        after = "" if back["frames"] is None else f", after {back['frames']:.1f} frames"
        found = f"{back['recovered']} of {back['returns']}"
        lines.append(f"recovered after an absence: {found}{after}")
    if summary["identity"]["own"] is not None:
        own, switches = percent(summary["identity"]["own"]), summary["identity"]["switches"]
        words = "switch" if switches == 1 else "switches"
        lines.append(f"on the right object {own}, {switches} {words} to another")
    if summary["centroid_px"] is not None:
        lines.append(f"centroid off by {summary['centroid_px']:.1f} pixels")
    if summary["interacted_frames"] > 1:
        lines.append(f"interacted frames {summary['interacted_frames']:.1f} an object")
    if len(summary["curve"]) > 1:
        points = ", ".join(
            f"{point['interacted_frames']}: {percent(point['j_and_f'])}"
            for point in summary["curve"]
        )
        lines.append(f"J&F by interacted frames {points}")
    return lines


def agreement_table(title: str, found: RecordedAgreement) -> Group:
    """How alike two recorded runs are, by object; and how fast each was."""
    columns = ("object", "frames", "J", "F", "J&F", "same presence", "centroid px")
    table = titled_table(title, *columns)
    for each in found.objects:
        same = fmean(judged.expected == judged.found for judged in each.judged)
        off = each.summary()["centroid_px"]
        name = f"{each.object_id} {each.label}".strip()
        numbers = map(percent, (each.j, each.f, each.j_and_f, same))
        table.add_row(
            printable(name), str(each.frames), *numbers, "-" if off is None else f"{off:.1f}"
        )
    alone = f"{found.alone[0]} only recorded, {found.alone[1]} only in the other run"
    lines = [f"{found.shared} frames in both, {alone}; {found.prompted} left out, as prompted"]
    if found.strangers:
        lines.append(f"objects in one of them alone: {', '.join(map(str, found.strangers))}")
    lines += [
        f"{name}: {timing_words(each)}"
        for name, each in zip(("recorded", "other run"), found.timing, strict=True)
    ]
    return Group(table, *map(Text, lines))


def timing_words(timing: RecordedTiming) -> str:
    """Rate, latency and drops in a line."""
    words = [f"{timing.results} results"]
    if timing.rate_hz is not None:
        words.append(f"{timing.rate_hz:.1f} a second, longest gap {timing.longest_gap_s:.2f} s")
    if timing.latency_p50_ms is not None:
        words.append(f"latency {timing.latency_p50_ms:.1f} ms, p99 {timing.latency_p99_ms:.1f} ms")
    return ", ".join([*words, f"{timing.dropped} frames dropped"])


def comparison_table(title: str, comparison: Comparison) -> Group:
    """J&F of each video before and after, what was changed, and the verdict."""
    from etam_ros.evaluation.report.comparison import points

    one = "sequence" if comparison.one == "video" else comparison.one
    table = titled_table(title, one, "before", "after", "difference")
    for video in comparison.videos:
        numbers = percent(video.before), percent(video.after), points(video.gain)
        table.add_row(printable(video.name), *numbers)
    lines = [f"changed: {'; '.join(comparison.changes) or 'no setting'}"]
    if comparison.left_out:
        lines.append(f"only in one of them: {', '.join(comparison.left_out)}")
    gain = comparison.gain
    style = ("bold green" if gain.mean > 0 else "bold red") if gain.excludes_zero else "bold"
    return Group(table, *map(Text, lines), Text(comparison.verdict, style))


def image_table(title: str, scores: Mapping[str, Sequence[MaskScore]]) -> Table:
    """Mean IoU per method, of all masks and by the share of the photograph that they cover.

    Args:
        title: above the table.
        scores: per method, of the same masks.
    """
    from etam_ros.evaluation.image_scoring import SIZES

    table = titled_table(title, "masks", "number", *scores)
    for words, (low, high) in SIZES.items():
        rows = [
            [score.iou for score in each if low < score.share <= high] for each in scores.values()
        ]
        if rows[0]:
            numbers = (f"{fmean(values):.3f}" for values in rows)
            table.add_row(words, str(len(rows[0])), *numbers)
    table.add_section()
    every = [[score.iou for score in each] for each in scores.values()]
    means = (f"{fmean(values):.3f}" for values in every)
    table.add_row("mean IoU", str(len(every[0])), *means, style="bold")
    return table


def printable(text: str) -> Text:
    """A name of somebody else's, in which brackets mean nothing and nothing moves the cursor."""
    return Text(
        "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    )


def percent(value: float | None) -> str:
    """A share as it stands in tables; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def parity_table(report: ParityReport) -> Group:
    """A row for each output of each stage, and what became of the masks."""
    title = f"{report.candidate}, against torch fp32"
    table = titled_table(title, "stage", "output", "largest difference", "relative", "limit", "")
    table.columns[1].justify = table.columns[-1].justify = "left"
    for each in report.stages:
        table.add_row(
            each.stage,
            each.output or "feature" if each.stage != "encode_memory" else "memory",
            f"{each.largest:.1e}",
            f"{each.relative:.1e}",
            f"{each.limit:.0e}",
            "ok" if each.passed else "[red]off[/red]",
        )
    masks = (
        f"masks of a short clip: IoU with torch's {report.agreement:.4f} (worst "
        f"{report.worst_agreement:.4f}), same visibility on {report.same_presence:.1%}, object "
        f"scores within {report.largest_score:.2g}"
    )
    if not report.judges_masks:
        masks += "; not checked: the weights are random"
    verdict = Text("passed", "bold green")
    if not report.passed:
        verdict = Text("refused: " + "; ".join(report.failures), "bold red")
    return Group(table, Text(masks), verdict)

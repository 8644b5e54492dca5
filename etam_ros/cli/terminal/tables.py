"""Tables: of `etam eval`, one method in full or several beside each other; of the parity gate."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from etam_ros.evaluation.image_scoring import MaskScore
    from etam_ros.evaluation.scoring import SequenceScore
    from etam_ros.runtime.parity import ParityReport


def titled_table(title: str, *columns: str) -> Table:
    """A table that its title fits on; all columns but the first hold numbers."""
    width = len(title) + 4
    table = Table(title=title, title_justify="left", title_style="bold", min_width=width)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    return table


def sequence_table(title: str, scores: dict[str, list[SequenceScore]]) -> Table:
    """J, F and J&F per sequence and their means, in percent.

    Args:
        title: above the table.
        scores: per method, of the same sequences. With several methods, a sequence has the J&F
            of each.
    """
    first = next(iter(scores.values()))
    several = len(scores) > 1
    numbers_of = scores if several else ("J", "F", "J&F")
    table = titled_table(title, "sequence", "objects", "frames", *numbers_of)
    for row, score in enumerate(first):
        frames = max(item.frames for item in score.objects)
        numbers = [other[row].j_and_f for other in scores.values()]
        if not several:
            numbers = [score.j, score.f, score.j_and_f]
        table.add_row(score.name, str(len(score.objects)), str(frames), *map(_percent, numbers))
    table.add_section()
    means = {
        word: [fmean(getattr(score, key) for score in other) for other in scores.values()]
        for word, key in (("J", "j"), ("F", "f"), ("J&F", "j_and_f"))
    }
    if several:
        for word, numbers in means.items():
            table.add_row(f"mean {word}", "", "", *map(_percent, numbers), style="bold")
    else:
        table.add_row("mean", "", "", *(_percent(value) for (value,) in means.values()))
        table.rows[-1].style = "bold"
    return table


def image_table(title: str, scores: dict[str, list[MaskScore]]) -> Table:
    """Mean IoU per method, of all masks and by the share of the photograph that they cover.

    Args:
        title: above the table.
        scores: per method, of the same masks.
    """
    table = titled_table(title, "masks", "number", *scores)
    for words, low, high in (
        ("of 2 to 5 %", 0.0, 0.05),
        ("of 5 to 20 %", 0.05, 0.2),
        ("of over 20 %", 0.2, 1.1),
    ):
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


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


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
        masks += "; not judged: the weights are untrained"
    verdict = Text("passed", "bold green")
    if not report.passed:
        verdict = Text("refused: " + "; ".join(report.failures), "bold red")
    return Group(table, Text(masks), verdict)

"""Tables of `etam eval`: one method in full, or several beside each other."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from etam_ros.evaluation.image_scoring import MaskScore
    from etam_ros.evaluation.scoring import SequenceScore


def sequence_table(title: str, scores: dict[str, list[SequenceScore]]) -> Table:
    """J, F and J&F per sequence and their means, in percent.

    Args:
        title: above the table.
        scores: per method, of the same sequences. With several methods, a sequence has the J&F
            of each.
    """
    table = _empty(title)
    first = next(iter(scores.values()))
    table.add_column("sequence")
    several = len(scores) > 1
    for name in ("objects", "frames", *(scores if several else ("J", "F", "J&F"))):
        table.add_column(name, justify="right")
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
    table = _empty(title)
    table.add_column("masks")
    table.add_column("number", justify="right")
    for name in scores:
        table.add_column(name, justify="right")
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


def _empty(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 4)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"

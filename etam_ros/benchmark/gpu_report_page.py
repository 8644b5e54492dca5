"""The report of a GPU as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etam_ros.benchmark.gpu_clock import Turn


def page(
    machine: Mapping[str, str],
    opened: Sequence[Mapping[str, Any]],
    turns: Sequence[Turn],
    notes: Sequence[str],
) -> str:
    """The whole page: the machine, a table for each model, what opening took, and notes."""
    parts = ["# What this GPU does", ""]
    parts += [f"- {name}: {value}" for name, value in machine.items()]
    for model in dict.fromkeys(turn.model for turn in turns):
        parts += ["", f"## {model}", "", *_table(_HEADINGS, _rows(turns, model))]
    if opened:
        headings = tuple(opened[0])
        rows = [["" if row[key] is None else str(row[key]) for key in headings] for row in opened]
        parts += ["", "## Opening", "", *_table(headings, rows)]
    if notes:
        parts += ["", "## Left out or failed", "", *(f"- {note}" for note in notes)]
    return "\n".join(parts) + "\n"


_HEADINGS = (
    "objects", "way", "frames/s", "p50 ms", "p99 ms", "p99/p50", "masks p50 ms", "times eager",
    "peak MiB", "allocations", "retries",
)  # fmt: skip


def _rows(turns: Iterable[Turn], model: str) -> list[list[str]]:
    return [
        [
            str(turn.objects),
            turn.way,
            f"{turn.frames_per_s:.1f}",
            f"{turn.p50_ms:.2f}",
            f"{turn.p99_ms:.2f}",
            f"{turn.spread:.2f}",
            f"{turn.masks_p50_ms:.2f}",
            f"{turn.ratio:.2f}",
            f"{turn.peak_mib:.0f}",
            str(turn.allocations),
            str(turn.retries),
        ]
        for turn in turns
        if turn.model == model
    ]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]

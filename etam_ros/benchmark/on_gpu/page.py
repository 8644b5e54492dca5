"""The report as a page of Markdown, of whatever tables the parts have found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from etam_ros.benchmark.on_gpu.findings import Row


def page(machine: Mapping[str, str], parts: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page.

    Args:
        machine: what it ran on.
        parts: by their titles, with `tables` by heading, and `notes`.
    """
    lines = ["# What this machine does", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    for title, part in parts.items():
        lines += ["", f"## {title}"]
        for heading, rows in part["tables"].items():
            lines += ["", f"### {heading}", "", *table(rows)]
        if part["notes"]:
            lines += ["", "### Left out or failed", "", *(f"- {note}" for note in part["notes"])]
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Row]) -> list[str]:
    """Rows as lines of Markdown; the headings are the keys of all of them."""
    headings = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_cell(row.get(key)) for key in headings] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *cells)]


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)

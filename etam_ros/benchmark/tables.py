"""What was measured as rows, a CSV file and a plot."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from etam_ros.benchmark.frame_clock import PARTS, STEP
from etam_ros.benchmark.side_by_side import Measured

COLUMNS: Final = (
    "runs_on", "objects", "part", "p50_ms", "p99_ms", "frames_per_s", "ratio", "agreement",
    "peak_mib",
)  # fmt: skip


def rows(measured: Iterable[Measured]) -> list[dict[str, Any]]:
    """A row for each part of each way; keys are COLUMNS."""
    found = []
    for each in measured:
        of_step = (
            round(each.frames_per_s, 2),
            round(each.ratio, 3),
            round(each.agreement, 4),
            each.peak_mib or "",
        )
        for part, timing in each.timings.items():
            numbers = round(timing.p50_ms, 3), round(timing.p99_ms, 3)
            whole = of_step if part == STEP else ("",) * len(of_step)
            values = (each.name, each.objects, part, *numbers, *whole)
            found.append(dict(zip(COLUMNS, values, strict=True)))
    return found


def write_csv(measured: Iterable[Measured], path: Path) -> None:
    """Write `rows` as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows(measured))


def draw(measured: Sequence[Measured], title: str, path: Path) -> None:
    """Draw the median frame of each way over the number of objects, its parts stacked.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = sorted({each.objects for each in measured})
    names = list(dict.fromkeys(each.name for each in measured))
    figure = Figure(figsize=(3.0 + 0.9 * len(names) * len(counts), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    parts = [part for part in PARTS if part in measured[0].timings]
    width = 0.8 / len(names)
    places, labels = [], []
    for group, count in enumerate(counts):
        for index, name in enumerate(names):
            each = next((m for m in measured if (m.name, m.objects) == (name, count)), None)
            if each is None:
                continue
            place, bottom = group + (index - (len(names) - 1) / 2) * width, 0.0
            for colour, part in enumerate(parts):
                height = each.timings[part].p50_ms
                axes.bar(place, height, 0.92 * width, bottom, color=f"C{colour}")
                bottom += height
            axes.annotate(f"{bottom:.0f}", (place, bottom), ha="center", va="bottom", fontsize=8)
            places.append(place)
            backend, _, precision = name.partition(" ")
            labels.append(f"{backend}\n{precision}\n{count} object{'s' if count > 1 else ''}")
    axes.set_xticks(places, labels, fontsize=8)
    axes.set_ylabel("median ms of a frame")
    axes.set_title(title, loc="left")
    handles = [axes.bar(0, 0, color=f"C{index}") for index in range(len(parts))]
    names = [part.replace("_", " ") for part in parts]
    figure.legend(
        handles=handles[::-1], labels=names[::-1], frameon=False, loc="outside right upper"
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)

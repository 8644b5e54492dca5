"""Several ways to run one model, timed on the same frames, turn by turn, and held to one of them.

Machines change their speed from minute to minute: what is compared runs in the same moments.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from etam_ros.benchmark.benchmark import (
    FILLING_FRAMES,
    FrameClock,
    Timing,
    clicks,
    synthetic_pictures,
)
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.records import FOREGROUND, Frame, FrameResult, Prompt
from etam_ros.runtime import Stages
from etam_ros.runtime.engines import open_eager_stages
from etam_ros.tracking import open_stages

EAGER: Final = "eager"
"""The way that is torch without captures, to be held against."""
COLUMNS: Final = (
    "runs_on", "objects", "part", "p50_ms", "p99_ms", "frames_per_s", "ratio", "agreement",
    "peak_mib",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """One way to run the model, with so many objects.

    Attributes:
        name: of the way.
        objects: followed.
        timings: of each stage, the rest of a step, and the step, by name.
        ratio: median step of the reference over this one's: above 1 it is faster.
        agreement: mean IoU of its masks with the reference's, over frames and objects.
        peak_mib: memory of a process that does nothing else; 0: not measured.
    """

    name: str
    objects: int
    timings: dict[str, Timing]
    ratio: float
    agreement: float
    peak_mib: int = 0

    @property
    def frames_per_s(self) -> float:
        """Of the tracker, by the median."""
        return 1e3 / self.timings["step"].p50_ms


def open_way(
    model: str, weights: str, backend: str, precision: str, device: str,
    *, engine_dir: str = "", on_step: Callable[[str], None] | None = None,
) -> Stages:  # fmt: skip
    """`open_stages` for one of several ways, of which EAGER is one.

    Raises:
        ConfigError, BackendError, WeightsError: as `open_stages`.
    """
    if backend == EAGER:
        return open_eager_stages(model, weights=weights, precision=precision, device=device)
    return open_stages(
        model, weights=weights, backend=backend, precision=precision, device=device,
        engine_dir=engine_dir, on_step=on_step,
    )  # fmt: skip


def measure_side_by_side(
    ways: Mapping[str, Stages],
    reference: str,
    *,
    objects: int,
    frames: int,
    source_hw: tuple[int, int],
    on_frame: Callable[[], None] = lambda: None,
) -> list[Measured]:
    """Follow the same objects in every way, frame by frame in turn.

    Args:
        ways: stages by name.
        reference: name of the way that the others are held against.
        objects: how many to follow.
        frames: measured frames; FILLING_FRAMES come before.
        source_hw: (H, W) of the pictures.
        on_frame: called after each frame of each way.

    Returns:
        what was measured, in the order of `ways`.
    """
    pictures = [Frame(picture) for picture in synthetic_pictures(source_hw, objects)]
    for stages in ways.values():
        stages.warm_up(objects)
    clocks = {name: FrameClock(stages, objects) for name, stages in ways.items()}
    for clock in clocks.values():
        clock.tracker.step(pictures[0])
        for point in clicks(source_hw, objects):
            clock.tracker.add_prompt(Prompt(points=[point], point_labels=[FOREGROUND]))
    agreements: dict[str, list[float]] = {name: [] for name in ways}
    order = list(clocks)
    for index in range(FILLING_FRAMES + frames):
        order = order[1:] + order[:1]  # nobody is always first
        results = {}
        for name in order:
            measured = index >= FILLING_FRAMES
            results[name] = clocks[name].step(pictures[index % len(pictures)], measured)
            on_frame()
        for name, result in results.items():
            agreements[name] += _agreement(result, results[reference])
    timings = {name: clock.timings() for name, clock in clocks.items()}
    base_ms = timings[reference]["step"].p50_ms
    return [
        Measured(
            name,
            objects,
            timings[name],
            ratio=base_ms / timings[name]["step"].p50_ms,
            agreement=fmean(agreements[name]),
        )
        for name in ways
    ]


def _agreement(result: FrameResult, other: FrameResult) -> list[float]:
    return [
        region_similarity(
            result.label_image == state.object_id, other.label_image == state.object_id
        )
        for state in other.objects
    ]


def rows(measured: Iterable[Measured]) -> list[dict[str, Any]]:
    """A row for each part of each way; keys are COLUMNS."""
    found = []
    for each in measured:
        for part, timing in each.timings.items():
            whole = part == "step"
            values = (
                each.name,
                each.objects,
                part,
                round(timing.p50_ms, 3),
                round(timing.p99_ms, 3),
                round(each.frames_per_s, 2) if whole else "",
                round(each.ratio, 3) if whole else "",
                round(each.agreement, 4) if whole else "",
                (each.peak_mib or "") if whole else "",
            )
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
    parts = [part for part in measured[0].timings if part != "step"]
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

"""What is measured of a process while it is soaked, whether it stays flat, and its plot."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

MIB: Final = 2**20
SETTLING: Final = 0.2
"""Of the run, before anything is judged: libraries fill pools, and shared memory its pages."""
BLOCKS: Final = 12
MARGIN: Final = 2.228
"""Standard errors to either side that hold 95 % of a slope through so many blocks."""
_SHARED: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ +/dev/shm/")


@dataclass(frozen=True)
class Sample:
    """One row of the table.

    Attributes:
        time_s: since the beginning.
        rss_mib: memory of the node in RAM, with what it shares.
        anonymous_mib: of that, what is its own alone.
        threads, descriptors: of the node.
        shared_mib: of /dev/shm that the node has mapped, its own and that of those it talks to.
        participants: the node and those it talks to; each brings memory to share.
        dev_shm_mib: taken in /dev/shm by everybody on this machine; not judged.
        results_per_s: heard since the row before.
        actions: done so far.
        unanswered: calls so far that nobody answered.
        silences: times so far that no result came although there were images.
        at_rest: 1 where nothing is followed, and all else is as at other rows at rest.
    """

    time_s: float
    rss_mib: float
    anonymous_mib: float
    threads: int
    descriptors: int
    shared_mib: float
    participants: int
    dev_shm_mib: float
    results_per_s: float
    actions: int
    unanswered: int
    silences: int
    at_rest: int

    @property
    def shared_mib_each(self) -> float:
        """Shared memory by the number of those who share it."""
        return self.shared_mib / self.participants


@dataclass(frozen=True)
class Measure:
    """What has to stay flat.

    Attributes:
        name: of the column.
        allowed: by how much it may have grown over what is judged of a run.
        share: the same as a share of its median; the larger of the two counts.
        at_rest: only rows at rest are judged, where there are enough: it depends on what is done.
    """

    name: str
    allowed: float
    share: float = 0.0
    at_rest: bool = False


MEASURES: Final = (
    Measure("rss_mib", 4.0, 0.02, at_rest=True),
    Measure("anonymous_mib", 4.0, 0.02, at_rest=True),
    Measure("threads", 1.0),
    Measure("descriptors", 3.0),
    Measure("shared_mib_each", 4.0),
)


@dataclass(frozen=True)
class Trend:
    """A line through a column, and what it says.

    Attributes:
        begin, end: where the line begins and ends.
        growth, margin: from one to the other, and its 95 % margin to either side.
        allowed: growth that passes.
    """

    name: str
    begin: float
    end: float
    growth: float
    margin: float
    allowed: float

    @property
    def verdict(self) -> str:
        """`flat`, `grows`, or `unsure` where the margin is too wide to tell."""
        if self.growth + self.margin <= self.allowed:
            return "flat"
        return "grows" if self.growth - self.margin > 0 else "unsure"

    def __str__(self) -> str:
        return (
            f"{self.name:<16}{self.begin:9.1f} -> {self.end:9.1f}, {self.growth:+.2f} "
            f"± {self.margin:.2f}, allowed {self.allowed:.1f}: {self.verdict}"
        )


def measured(process: int) -> tuple[float, float, int, int, float]:
    """RSS, what is anonymous of it, threads, descriptors and shared memory of a process.

    Raises:
        OSError: it has ended.
    """
    folder = Path("/proc", str(process))
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    shared = sum(
        int(found[2], 16) - int(found[1], 16)
        for line in (folder / "maps").read_text().splitlines()
        if (found := _SHARED.match(line))
    )
    kib = [int(status[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")]
    descriptors = len(os.listdir(folder / "fd"))  # noqa: PTH208 -- names alone, of links
    return kib[0], kib[1], int(status["Threads"]), descriptors, shared / MIB


def taken_in_dev_shm() -> float:
    """By everybody, in MiB."""
    found = os.statvfs("/dev/shm")
    return (found.f_blocks - found.f_bfree) * found.f_frsize / MIB


class Table:
    """A CSV that can be read while it grows."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(item.name for item in fields(Sample))
        self._file.flush()
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        self._writer.writerow(
            round(value, 3) if isinstance(value, float) else value for value in astuple(sample)
        )
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_table(path: Path) -> list[Sample]:
    """The rows of a table, also of one that still grows."""
    with path.open(newline="") as file:
        return [
            Sample(**{each.name: (float if each.type == "float" else int)(row[each.name])
                      for each in fields(Sample)})
            for row in csv.DictReader(file)
            if row["at_rest"]
        ]  # fmt: skip


def trend(measure: Measure, times_s: Sequence[float], values: Sequence[float]) -> Trend:
    """A line through a value of each of equal spans of time, which what comes and goes is not.

    Args:
        measure: what the values are of.
        times_s: rising, at least 2 * BLOCKS of them.
        values: as many.
    """
    times, heights = np.asarray(times_s, float), np.asarray(values, float)
    blocks = np.array_split(np.arange(len(times)), BLOCKS)
    x = np.array([times[block].mean() for block in blocks])
    y = np.array([np.median(heights[block]) for block in blocks])
    slope, offset = np.polyfit(x, y, 1)
    spread = np.sqrt(((y - slope * x - offset) ** 2).sum() / (BLOCKS - 2))
    error = spread / np.sqrt(((x - x.mean()) ** 2).sum())
    span = times[-1] - times[0]
    begin, end = (float(slope * at + offset) for at in (times[0], times[-1]))
    allowed = max(measure.allowed, measure.share * float(np.median(y)))
    return Trend(
        measure.name, begin, end, end - begin, float(MARGIN * error * span), allowed
    )  # fmt: skip


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Of all that has to stay flat, once the run has settled; nothing if it was too short."""
    if not samples:
        return []
    settled = [each for each in samples if each.time_s >= SETTLING * samples[-1].time_s]
    if len(settled) < 2 * BLOCKS:
        return []
    at_rest = [each for each in settled if each.at_rest]
    found = []
    for measure in MEASURES:
        rows = at_rest if measure.at_rest and len(at_rest) >= 2 * BLOCKS else settled
        values = [getattr(each, measure.name) for each in rows]
        found.append(trend(measure, [each.time_s for each in rows], values))
    return found


def plot(path: Path, samples: Sequence[Sample], title: str) -> None:
    """Write memory, threads, descriptors, shared memory and rate over time as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 7.0), dpi=80, layout="constrained")
    axes = figure.subplots(5, 1, sharex=True)
    minutes = [each.time_s / 60 for each in samples]
    lines = (
        (("rss_mib", "tab:blue"), ("anonymous_mib", "tab:cyan")),
        (("threads", "tab:green"),),
        (("descriptors", "tab:purple"),),
        (("shared_mib", "tab:orange"),),
        (("results_per_s", "0.4"),),
    )
    for axis, columns in zip(axes, lines, strict=True):
        for name, colour in columns:
            values = [getattr(each, name) for each in samples]
            axis.plot(minutes, values, color=colour, linewidth=0.8, label=name)
        axis.grid(alpha=0.25)
        axis.legend(loc="lower right", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.axvspan(0, SETTLING * minutes[-1], color="0.93")
    at_rest = [each for each in samples if each.at_rest]
    axes[0].plot(
        [each.time_s / 60 for each in at_rest], [each.anonymous_mib for each in at_rest],
        ".", color="black", markersize=4, label="anonymous_mib at rest",
    )  # fmt: skip
    axes[0].legend(loc="lower right", fontsize=8)
    axes[0].set_title(title, fontsize=10)
    axes[-1].set_xlabel("minutes; grey: not judged yet")
    axes[-1].set_xlim(0, minutes[-1])
    figure.savefig(path)


def judge(samples: Sequence[Sample], out: Path, title: str) -> list[str]:
    """Print a line for each column, draw the plot; what is not flat."""
    found = trends(samples)
    if not found:
        return [f"{len(samples)} rows are too few to judge"]
    for each in found:
        print(each)
    rates = [each.results_per_s for each in samples]
    print(f"results heard per second, median: {np.median(rates):.1f}; not judged")
    plot(out / "soak.png", samples, title)
    return [f"{each.name}: {each.verdict}" for each in found if each.verdict != "flat"]

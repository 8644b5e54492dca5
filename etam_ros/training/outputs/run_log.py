"""`log.csv` of a run, with a line for each report, and its plot, `loss.png`."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from etam_ros.errors import TrainingError
from etam_ros.media.files import writing, writing_whole

if TYPE_CHECKING:
    from etam_ros.training.outputs.progress_report import TrainingReport
    from etam_ros.training.pretraining.log import PretrainingRow

Row = TypeVar("Row", bound="TrainingReport | PretrainingRow")


class RunLog(Generic[Row]):
    """The log of a run; when a run is resumed, lines after its state are removed.

    Args:
        folder: of the run; created if missing.
        kind: type of a line: a dataclass of `step` and numbers.
        step: steps already done.

    Raises:
        SourceError: the folder cannot be written.
        TrainingError: the existing log is of another kind.
    """

    def __init__(self, folder: Path, kind: type[Row], step: int) -> None:
        self.path = folder / "log.csv"
        earlier = read_log(self.path, kind) if step else []
        self.rows: list[Row] = [row for row in earlier if row.step <= step]
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with writing_whole(self.path) as part, part.open("w", newline="") as file:
            csv.writer(file).writerow([item.name for item in fields(kind)])
            csv.writer(file).writerows(map(_cells, self.rows))

    def add(self, row: Row) -> None:
        """Append a line."""
        self.rows.append(row)
        with writing(self.path), self.path.open("a", newline="") as file:
            csv.writer(file).writerow(_cells(row))

    def plot(self, panels: Mapping[str, Mapping[str, str]]) -> None:
        """Draw the plot, if matplotlib is installed.

        Args:
            panels: from top to bottom, by the label of their y axis: columns and their labels.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return
        figure = Figure(figsize=(8, 1 + 3 * len(panels)), layout="constrained")
        FigureCanvasAgg(figure)
        every = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for axes, (title, columns) in zip(every, panels.items(), strict=True):
            for name, label in columns.items():
                points = [(row.step, getattr(row, name)) for row in self.rows]
                shown = [point for point in points if math.isfinite(point[1])]
                axes.plot(*zip(*shown, strict=True), label=label, linewidth=1) if shown else None
            axes.set(xlabel="step", ylabel=title, ylim=(0, None))
            axes.legend()
            axes.grid(alpha=0.3)
        figure.savefig(self.path.with_name("loss.png"), dpi=100)


def _cells(row: TrainingReport | PretrainingRow) -> list[str]:
    step, *values = astuple(row)
    return [str(step), *(f"{value:.6g}" for value in values)]


def read_log(path: Path, kind: type[Row]) -> list[Row]:
    """The lines of a log.csv, without an incomplete last one; none if there is no such file.

    Raises:
        TrainingError: it is a log of another kind.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="") as file:
            rows: list[Row] = []
            for line in csv.DictReader(file):
                if None not in line.values():  # an incomplete line lacks some
                    values: dict[str, Any] = {k: float(v or "nan") for k, v in line.items()}
                    rows.append(kind(**values | {"step": int(line["step"])}))
            return rows
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{path} cannot be read as the log of a run ({error}): remove it to continue without"
        ) from error

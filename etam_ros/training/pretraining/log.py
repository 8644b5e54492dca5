"""What a pretraining run leaves to look at: a table of errors, and a plot of it."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from pathlib import Path

from etam_ros.errors import TrainingError


@dataclass(frozen=True)
class PretrainingRow:
    """One line of `log.csv`.

    Errors are mean squares over the teacher's standardised features: 1 is a student that always
    answers the mean, 0 a copy of the teacher.

    Attributes:
        step: steps done.
        error: on the batches since the line before; NaN on the first.
        learning_rate: of the last step.
        unseen: on unseen pictures, hidden and visible tokens together.
        unseen_hidden: the same, of the hidden tokens alone.
        unseen_whole: on unseen pictures of which the encoder saw everything.
    """

    step: int
    error: float = math.nan
    learning_rate: float = math.nan
    unseen: float = math.nan
    unseen_hidden: float = math.nan
    unseen_whole: float = math.nan

    @property
    def measured(self) -> bool:
        """Whether the line says anything of unseen pictures."""
        return math.isfinite(self.unseen)


class PretrainingLog:
    """The file `log.csv` of a run, and `loss.png` beside it.

    Args:
        folder: of the run; made where it is missing.
        step: steps done already; later lines, of a run that was cut off, are forgotten.

    Raises:
        TrainingError: the file there cannot be read or written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / "log.csv"
        self.plot_path = folder / "loss.png"
        self.rows = [row for row in _read(self.path) if row.step <= step] if step else []
        self._write()

    def add(self, row: PretrainingRow) -> None:
        """Append a line."""
        self.rows.append(row)
        self._write()

    def plot(self) -> None:
        """Draw `loss.png`, where matplotlib is installed."""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return
        figure = Figure(figsize=(7, 4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for key, label in {
            "error": "training, masked",
            "unseen": "unseen pictures, masked",
            "unseen_whole": "unseen pictures, whole",
        }.items():
            points = [(row.step, getattr(row, key)) for row in self.rows]
            shown = [(step, value) for step, value in points if math.isfinite(value)]
            axes.plot(*zip(*shown, strict=True), label=label) if shown else None
        axes.set(xlabel="step", ylabel="feature error (1: the mean)", ylim=(0, None))
        axes.legend()
        figure.savefig(self.plot_path, dpi=100)

    def _write(self) -> None:
        names = [field.name for field in fields(PretrainingRow)]
        unfinished = self.path.with_suffix(".unfinished")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(names)
                writer.writerows([_cell(getattr(row, n)) for n in names] for row in self.rows)
            unfinished.replace(self.path)  # a run may be killed at any moment
        except OSError as error:
            raise TrainingError(
                f"{self.path} cannot be written ({error.strerror}): make room or name another "
                "folder with --out"
            ) from error


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.6g}" if math.isfinite(value) else ""


def _read(path: Path) -> list[PretrainingRow]:
    if not path.is_file():
        return []
    rows = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                numbers = {k: float(v) if v else math.nan for k, v in line.items() if k != "step"}
                rows.append(PretrainingRow(int(line["step"]), **numbers))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{path} cannot be read as a pretraining log ({error}): remove it to go on without"
        ) from error
    return rows

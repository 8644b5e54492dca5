"""What a run tells while it goes on: numbers of the last steps, log.csv, a plot."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from etam_ros.errors import TrainingError
from etam_ros.training.losses import RowLosses, mask_iou
from etam_ros.training.rollout_output import DecoderOutput


@dataclass(frozen=True)
class TrainingReport:
    """Means over the steps since the report before.

    Attributes:
        step: steps done.
        loss, pixel, dice, iou_error, presence: the loss and its parts.
        iou_prompted: of the masks that clicks and boxes gave at first, on the first frame.
        iou_tracked: of the masks on later frames, where the object is visible.
        presence_right: share of decodes that are right about the object's presence.
        lr: learning rate.
        gradient_norm: before clipping.
        clips_per_s: over all processes.
    """

    step: int
    loss: float
    pixel: float
    dice: float
    iou_error: float
    presence: float
    iou_prompted: float
    iou_tracked: float
    presence_right: float
    lr: float
    gradient_norm: float
    clips_per_s: float


PARTS: Final = ("loss", "pixel", "dice", "iou_error", "presence")
SHARES: Final = ("iou_prompted", "iou_tracked", "presence_right")


class Meter:
    """Sums over steps, on the device, so that no step waits for numbers."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._sums = torch.zeros(12, device=self._device, dtype=torch.float64)
        self._gradient_norm, self._steps, self._clips = 0.0, 0, 0
        self._began = time.monotonic()

    @torch.no_grad()
    def add_decode(
        self,
        decode: DecoderOutput,
        losses: RowLosses,
        share: float,
        truth: Tensor,
        visible: Tensor,
    ) -> None:
        """Take in one decode; `share` is what a row counts for in the loss of its step."""
        best = decode.iou_scores.argmax(dim=1, keepdim=True)[..., None, None]
        mask = torch.take_along_dim(decode.mask_logits, best, dim=1)[:, 0] > 0
        iou = mask_iou(mask, truth >= 0.5) * visible
        right = (decode.object_score_logits > 0) == visible
        slot = 7 if decode.kind == "tracked" else 5
        update = torch.zeros_like(self._sums)
        values = (losses.total, losses.pixel, losses.dice, losses.iou, losses.presence)
        for index, value in enumerate(values):
            update[index] = value.sum() * share
        if decode.kind != "correction":
            update[slot], update[slot + 1] = iou.sum(), visible.sum()
        update[9], update[10] = right.sum(), len(right)
        self._sums += update

    def add_step(self, gradient_norm: float, clips: int) -> None:
        """Count a step, and the clips that all processes took for it."""
        self._steps += 1
        self._clips += clips
        self._gradient_norm += gradient_norm

    def report(self, step: int, lr: float, sums: Tensor | None = None) -> TrainingReport:
        """The means; `sums` are those of all processes."""
        values = (self._sums if sums is None else sums).tolist()
        steps = max(1, self._steps)
        seconds = max(1e-9, time.monotonic() - self._began)
        return TrainingReport(
            step,
            **{name: value / steps for name, value in zip(PARTS, values[:5], strict=True)},
            iou_prompted=_ratio(values[5], values[6]),
            iou_tracked=_ratio(values[7], values[8]),
            presence_right=_ratio(values[9], values[10]),
            lr=lr,
            gradient_norm=self._gradient_norm / steps,
            clips_per_s=self._clips / seconds,
        )

    @property
    def sums(self) -> Tensor:
        """To be averaged over processes."""
        return self._sums.clone()


def _ratio(value: float, count: float) -> float:
    return value / count if count else float("nan")


class TrainingLog:
    """log.csv of a run, one line for each report; a run that goes on drops what came after.

    Raises:
        TrainingError: the folder cannot be written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / "log.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.reports = [report for report in read_log(self.path) if report.step <= step]
            with self.path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow([item.name for item in fields(TrainingReport)])
                csv.writer(file).writerows(map(_cells, self.reports))
        except OSError as error:
            raise TrainingError(
                f"{folder} cannot be written ({error.strerror}): name another with --out"
            ) from error

    def add(self, report: TrainingReport) -> None:
        """Append a line."""
        self.reports.append(report)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(_cells(report))

    def plot(self) -> None:
        """Draw loss.png, where matplotlib is installed."""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return
        figure = Figure(figsize=(8, 6), layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, sharex=True)
        steps = [report.step for report in self.reports]
        for axes, names in ((above, PARTS), (below, SHARES)):
            for name in names:
                values = [getattr(report, name) for report in self.reports]
                axes.plot(steps, values, label=name.replace("_", " "), linewidth=1)
            axes.legend(loc="upper right" if axes is above else "lower right")
            axes.grid(alpha=0.3)
        above.set(ylabel="loss", ylim=(0, None))
        below.set(xlabel="step", ylim=(0, 1))
        figure.savefig(self.path.with_name("loss.png"), dpi=100)


def _cells(report: TrainingReport) -> Iterable[str]:
    return [f"{value:.6g}" for value in asdict(report).values()]


def read_log(path: Path) -> list[TrainingReport]:
    """The reports of a log.csv; none where there is no such file."""
    if not path.is_file():
        return []
    names = [item.name for item in fields(TrainingReport)]
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row.get(name) for name in names)]
    return [TrainingReport(int(float(r["step"])), *(float(r[n]) for n in names[1:])) for r in rows]

"""`etam train`: clips and photographs become weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.training.config import TrainingConfig

if TYPE_CHECKING:
    from etam_ros.training.outputs.progress_report import TrainingReport


@options_of(TrainingConfig)
def train(config: TrainingConfig) -> None:
    """Train a model on clips and photographs, or fine-tune one on your own.

    Writes log.csv, loss.png, sample pictures, states to resume from, and weights.safetensors for
    every other command. Ctrl-C saves and ends the run; the same command resumes it.
    For several GPUs: torchrun --nproc-per-node 4 -m etam_ros.training.run with the same options.
    """
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import step_progress
    from etam_ros.media.files import check_can_fill
    from etam_ros.training.named_paths import check_data, initial_path

    check_can_fill(Path(config.out), "--out")
    if config.init:
        initial_path(config.init)
    for each in config.data:
        check_data(each)
    with (
        stop_on_interrupt() as stop,
        step_progress("training", config.steps, lines=1) as reached,
    ):
        from etam_ros.training.loop import train as run_training  # said first: this takes seconds

        weights = run_training(
            config,
            on_report=lambda report: reached(report.step, _numbers(report)),
            on_note=lambda note: typer.echo(f"note: {note}", err=True),
            stop=stop,
        )
    _tell(weights, config.steps)


def _numbers(report: TrainingReport) -> str:
    return (
        f"loss {report.loss:.3f}  IoU prompted {report.iou_prompted:.3f} "
        f"tracked {report.iou_tracked:.3f}  {report.clips_per_s:.1f} clips/s"
    )


def _tell(weights: Path, steps: int) -> None:
    from rich.console import Console

    from etam_ros.training.outputs.progress_report import TrainingReport
    from etam_ros.training.outputs.run_log import read_log

    console = Console(soft_wrap=True, highlight=False)
    reports = read_log(weights.with_name("log.csv"), TrainingReport)
    if reports:
        console.print(f"step {reports[-1].step} of {steps}: {_numbers(reports[-1])}")
    console.print(f"weights: {weights}, for --weights of every other command")

"""`etam pretrain`: a light encoder learns the features of a better one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from etam_ros.cli.terminal.options import options_of
from etam_ros.training.pretraining.config import PretrainingConfig

if TYPE_CHECKING:
    from etam_ros.training.pretraining.loop import Pretraining


@options_of(PretrainingConfig)
def pretrain(config: PretrainingConfig) -> None:
    """Train a light image encoder to reproduce the features of a better one.

    Three of four patches of every picture are hidden from the student, which predicts the
    teacher's features of all patches (SAMI, EfficientSAM paper). Writes encoder.safetensors for
    `etam train --init`. The feature error is 1 for a student that always predicts the mean.
    Ctrl-C saves and ends the run; the same command resumes it.
    """
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import step_progress
    from etam_ros.media.files import check_can_fill
    from etam_ros.training.named_paths import check_data, check_weights

    check_can_fill(Path(config.out), "--out")
    check_weights("--teacher-weights", config.teacher_weights)
    for each in config.data:
        check_data(each)
    with (
        stop_on_interrupt() as stop,
        step_progress("pretraining", config.steps, lines=config.log_every) as reached,
    ):
        from etam_ros.training.pretraining.loop import pretrain as run_pretraining  # takes seconds

        run = run_pretraining(
            config,
            on_step=lambda step, error: reached(step, f"feature error {error:.3f}"),
            should_stop=stop,
        )
    _report(run)


def _report(run: Pretraining) -> None:
    from rich.console import Console

    from etam_ros.training.outputs.weights_file import ENCODER_FILE

    config = run.config
    left = config.steps - run.step
    state = f"{left} steps are left, the same command goes on" if left else "all steps are done"
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{config.student} learned from {config.teacher}: step {run.step}, {state}")
    measured = [row for row in run.log.rows if row.measured]
    first, last = measured[0], measured[-1]
    console.print(f"feature error on unseen pictures, from step {first.step} to {last.step}:")
    console.print(f"  masked: {first.unseen:.3f} -> {last.unseen:.3f}")
    console.print(f"  whole:  {first.unseen_whole:.3f} -> {last.unseen_whole:.3f}")
    console.print(f"encoder: {Path(config.out) / ENCODER_FILE}, for `etam train --init`")

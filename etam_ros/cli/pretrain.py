"""`etam pretrain`: a light encoder learns the features of a better one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from etam_ros.training.pretraining.loop import Pretraining

_RUN = "The run"
_MACHINE = "This machine"


def pretrain(
    teacher: Annotated[str, typer.Option(help="Model whose features are learned.")],
    teacher_weights: Annotated[
        str, typer.Option(help="Its weights file.", show_default="the model's own")
    ] = "",
    teacher_size: Annotated[
        int, typer.Option(help="Side of its input in pixels.", show_default="its own")
    ] = 0,
    student: Annotated[str, typer.Option(help="Model whose image encoder learns.")] = "etam_nano",
    size: Annotated[
        int, typer.Option(help="Side of the student's input in pixels.", show_default="its own")
    ] = 0,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Photographs: a folder, a video or a packed .npz; may be given several times.",
            show_default="made-up pictures",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the run; a run that is there goes on.")
    ] = Path("pretraining"),
    steps: Annotated[
        int, typer.Option(help="Steps of the whole run.", rich_help_panel=_RUN)
    ] = 20_000,
    batch: Annotated[int, typer.Option(help="Pictures of a step.", rich_help_panel=_RUN)] = 32,
    masks_per_picture: Annotated[
        int,
        typer.Option(
            help="Ways in which each is hidden; they share the teacher's work.",
            rich_help_panel=_RUN,
        ),
    ] = 1,
    hidden_share: Annotated[
        float, typer.Option(help="Share of tokens that are hidden.", rich_help_panel=_RUN)
    ] = 0.75,
    decoder_depth: Annotated[
        int, typer.Option(help="Blocks of the decoder.", rich_help_panel=_RUN)
    ] = 2,
    lr: Annotated[
        float, typer.Option(help="Learning rate after warm-up.", rich_help_panel=_RUN)
    ] = 1e-3,
    warmup: Annotated[int, typer.Option(help="Steps of warm-up.", rich_help_panel=_RUN)] = 500,
    unseen: Annotated[
        int, typer.Option(help="Unseen pictures to measure on.", rich_help_panel=_RUN)
    ] = 64,
    measure_every: Annotated[
        int, typer.Option(help="Steps between measurements.", rich_help_panel=_RUN)
    ] = 500,
    save_every: Annotated[
        int, typer.Option(help="Steps between saved states.", rich_help_panel=_RUN)
    ] = 500,
    seed: Annotated[
        int, typer.Option(help="Of weights, crops and masks.", rich_help_panel=_RUN)
    ] = 0,
    minutes: Annotated[
        float,
        typer.Option(
            help="Stop after so long, ready to go on; 0 runs to the end.",
            rich_help_panel=_MACHINE,
        ),
    ] = 0.0,
    workers: Annotated[
        int, typer.Option(help="Processes that read pictures.", rich_help_panel=_MACHINE)
    ] = 0,
    precision: Annotated[
        str, typer.Option(help="auto, fp32 or bf16.", rich_help_panel=_MACHINE)
    ] = "auto",
    device: Annotated[
        str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=_MACHINE)
    ] = "auto",
) -> None:
    """Teach a light image encoder the features of a better one.

    Three of four patches of every picture are hidden from the student, which guesses the
    teacher's features of all of them (SAMI, of the EfficientSAM paper). Leaves encoder.safetensors
    for `etam train --init`. The feature error is 1 for a student that always answers the mean.
    Ctrl-C saves and ends; the same command goes on.
    """
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import step_progress
    from etam_ros.training.pretraining.config import PretrainingConfig
    from etam_ros.training.pretraining.loop import pretrain as run_pretraining

    config = PretrainingConfig(
        teacher=teacher,
        teacher_weights=teacher_weights,
        teacher_size=teacher_size,
        student=student,
        size=size,
        data=tuple(str(path) for path in data or ()),
        out=str(out),
        steps=steps,
        batch=batch,
        masks_per_picture=masks_per_picture,
        hidden_share=hidden_share,
        decoder_depth=decoder_depth,
        lr=lr,
        warmup=warmup,
        unseen=unseen,
        measure_every=measure_every,
        save_every=save_every,
        seed=seed,
        minutes=minutes,
        workers=workers,
        precision=precision,
        device=device,
    )
    with stop_on_interrupt() as stop, step_progress("pretraining", config.steps) as reached:
        run = run_pretraining(
            config,
            on_step=lambda step, error: reached(step, f"feature error {error:.3f}"),
            should_stop=stop,
        )
    _report(run)


def _report(run: Pretraining) -> None:
    from rich.console import Console

    from etam_ros.training.pretraining.encoder_file import ENCODER_FILE

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

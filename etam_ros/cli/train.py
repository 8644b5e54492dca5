"""`etam train`: clips and photographs become weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from etam_ros.training.progress_report import Report

_CLIPS = "Clips"
_LEARNING = "Learning"
_PROMPTS = "Prompts"
_MACHINE = "This machine"


def train(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Sequences in DAVIS layout, images/ with masks/, a labelled bag, videos, "
            "photographs or a packed .npz; may be given several times.",
            show_default="made-up clips",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the run; a run that is there goes on.")
    ] = Path("training"),
    init: Annotated[
        str,
        typer.Option(
            help="Begin from a model's weights (its name), a weights file, an encoder of `etam "
            "pretrain`, or another run's folder.",
            show_default="from scratch",
        ),
    ] = "",
    model: Annotated[
        str, typer.Option(help="Name of the model.", show_default="that of --init, or etam_nano")
    ] = "",
    steps: Annotated[int, typer.Option(help="Steps of the whole run.")] = 10_000,
    minutes: Annotated[
        float, typer.Option(help="Stop after so long, ready to go on; 0 runs to the end.")
    ] = 0.0,
    size: Annotated[
        int, typer.Option(help="Side of the pictures in pixels.", rich_help_panel=_CLIPS)
    ] = 112,
    largest: Annotated[
        int,
        typer.Option(
            help="Each step has a side from --size up to this.",
            show_default="--size",
            rich_help_panel=_CLIPS,
        ),
    ] = 0,
    frames: Annotated[
        int,
        typer.Option(help="Frames of a clip; 1: stills.", rich_help_panel=_CLIPS),
    ] = 4,
    stills: Annotated[
        float,
        typer.Option(help="Share of steps on single frames.", rich_help_panel=_CLIPS),
    ] = 0.0,
    stretch: Annotated[
        int,
        typer.Option(help="Cut from clips so many times as long.", rich_help_panel=_CLIPS),
    ] = 1,
    batch: Annotated[
        int, typer.Option(help="Clips of a step and process.", rich_help_panel=_CLIPS)
    ] = 8,
    objects: Annotated[int, typer.Option(help="Objects of a clip.", rich_help_panel=_CLIPS)] = 2,
    smallest: Annotated[
        float,
        typer.Option(help="Share of the picture they cover, at least.", rich_help_panel=_CLIPS),
    ] = 0.002,
    optimizer: Annotated[
        str, typer.Option(help="adamw, or muon for the matrices.", rich_help_panel=_LEARNING)
    ] = "adamw",
    lr: Annotated[
        float, typer.Option(help="Learning rate after warm-up.", rich_help_panel=_LEARNING)
    ] = 5e-4,
    layer_decay: Annotated[
        float,
        typer.Option(
            help="Learning rate of each block over the next one's.",
            show_default="0.8 with --init, else 1",
            rich_help_panel=_LEARNING,
        ),
    ] = 0.0,
    weight_decay: Annotated[
        float, typer.Option(help="Of matrices.", rich_help_panel=_LEARNING)
    ] = 0.05,
    warmup: Annotated[int, typer.Option(help="Steps of it.", rich_help_panel=_LEARNING)] = 200,
    ema: Annotated[
        float,
        typer.Option(help="Share of the past in averaged weights.", rich_help_panel=_LEARNING),
    ] = 0.999,
    clip: Annotated[
        float, typer.Option(help="Largest gradient norm.", rich_help_panel=_LEARNING)
    ] = 1.0,
    bce_share: Annotated[
        float,
        typer.Option(
            help="First share of the run with cross-entropy in place of focal loss; 0 suits "
            "fine-tuning.",
            rich_help_panel=_LEARNING,
        ),
    ] = 0.33,
    taught_presence: Annotated[
        float,
        typer.Option(
            help="First share in which memories go by true presence; 0 suits fine-tuning.",
            rich_help_panel=_LEARNING,
        ),
    ] = 0.33,
    mask_prompts: Annotated[
        float, typer.Option(help="Share of first prompts.", rich_help_panel=_PROMPTS)
    ] = 0.5,
    click_prompts: Annotated[
        float,
        typer.Option(help="Share of them; boxes are the rest.", rich_help_panel=_PROMPTS),
    ] = 0.25,
    corrections: Annotated[
        float,
        typer.Option(help="Share of steps that correct the first.", rich_help_panel=_PROMPTS),
    ] = 0.3,
    second_prompts: Annotated[
        float,
        typer.Option(help="Share that correct a later frame.", rich_help_panel=_PROMPTS),
    ] = 0.3,
    max_clicks: Annotated[
        int, typer.Option(help="Most corrections of a frame.", rich_help_panel=_PROMPTS)
    ] = 3,
    mask_corruption: Annotated[
        float,
        typer.Option(help="Share of carried masks that are disturbed.", rich_help_panel=_PROMPTS),
    ] = 0.25,
    seed: Annotated[
        int, typer.Option(help="Of weights, clips and prompts.", rich_help_panel=_MACHINE)
    ] = 0,
    workers: Annotated[
        int, typer.Option(help="Processes that make clips.", rich_help_panel=_MACHINE)
    ] = 1,
    precision: Annotated[
        str, typer.Option(help="auto, fp32 or bf16.", rich_help_panel=_MACHINE)
    ] = "auto",
    device: Annotated[
        str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=_MACHINE)
    ] = "auto",
    log_every: Annotated[
        int, typer.Option(help="Steps of a line in log.csv.", rich_help_panel=_MACHINE)
    ] = 50,
    picture_every: Annotated[
        int, typer.Option(help="Steps between sample pictures.", rich_help_panel=_MACHINE)
    ] = 1000,
    save_every_s: Annotated[
        float, typer.Option(help="Seconds between states.", rich_help_panel=_MACHINE)
    ] = 300.0,
) -> None:
    """Train a model on clips and photographs, or fine-tune one on your own.

    The folder gets log.csv, loss.png, sample pictures, states to go on from, and
    weights.safetensors for every other command. Ctrl-C saves and ends; the same command goes on.
    For several GPUs: torchrun --nproc-per-node 4 -m etam_ros.training.run with the same options.
    """
    options = {name: value for name, value in locals().items() if name != "data"}
    options["out"] = str(out)
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import step_progress
    from etam_ros.training.config import TrainingConfig
    from etam_ros.training.data.sources import training_source
    from etam_ros.training.loop import train as run_training

    config = TrainingConfig(**options)
    source = training_source(data or [])
    with (
        stop_on_interrupt() as stop,
        step_progress("training", config.steps, lines=True) as reached,
    ):
        weights = run_training(
            config,
            source,
            on_report=lambda report: reached(report.step, _numbers(report)),
            stop=stop,
        )
    _tell(weights, config.steps)


def _numbers(report: Report) -> str:
    return (
        f"loss {report.loss:.3f}  IoU prompted {report.iou_prompted:.3f} "
        f"tracked {report.iou_tracked:.3f}  {report.clips_per_s:.1f} clips/s"
    )


def _tell(weights: Path, steps: int) -> None:
    from rich.console import Console

    from etam_ros.training.progress_report import read_log

    console = Console(soft_wrap=True, highlight=False)
    reports = read_log(weights.with_name("log.csv"))
    if reports:
        console.print(f"step {reports[-1].step} of {steps}: {_numbers(reports[-1])}")
    console.print(f"weights: {weights}, for --weights of every other command")

"""`etam eval`: how well objects are followed, on videos with ground truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etam_ros.config import DEFAULT_MODEL
from etam_ros.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from rich.table import Table

    from etam_ros.evaluation.scoring import SequenceScore


def eval(  # noqa: A001 (the verb's name)
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of sequences, in DAVIS layout.")
    ],
    prompt: Annotated[
        str, typer.Option(help="mask, box, 1-click or 3-clicks on an object's first frame.")
    ] = "mask",
    sequences: Annotated[
        str, typer.Option(help="Names, comma-separated.", show_default="all of them")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="JSON file for all numbers.", show_default="none")
    ] = None,
    model: Annotated[str, typer.Option(help="Name of the model.")] = DEFAULT_MODEL,
    weights: Annotated[
        str, typer.Option(help="Weights file.", show_default="the model's own")
    ] = "",
    backend: Annotated[str, typer.Option(help="auto or torch.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Judge the masks on videos with ground truth.

    Each object is prompted once, on the first frame that shows it, and followed. J is the
    overlap of masks, F that of their outlines within 0.8 % of the diagonal; both in percent,
    over the annotated frames without the first and the last.
    """
    from rich.console import Console

    from etam_ros.cli.progress import frame_progress
    from etam_ros.evaluation.scoring import as_json, score_sequence
    from etam_ros.evaluation.sequences import find_sequences
    from etam_ros.evaluation.truth_prompts import PROMPT_KINDS
    from etam_ros.runtime import open_stages

    if prompt not in PROMPT_KINDS:
        raise ConfigError(f"prompt is {prompt!r}, expected one of {', '.join(PROMPT_KINDS)}")
    found = find_sequences(folder)
    if wanted := {name for name in sequences.split(",") if name}:
        if strangers := wanted - {sequence.name for sequence in found}:
            raise SourceError(
                f"{folder} holds no sequence {', '.join(sorted(strangers))}, it holds "
                f"{', '.join(sequence.name for sequence in found)}"
            )
        found = [sequence for sequence in found if sequence.name in wanted]
    scores = []
    with open_stages(
        model, weights=weights, backend=backend, precision=precision, device=device
    ) as stages:
        name = stages.name
        with frame_progress("evaluating", sum(map(len, found))) as advance:
            for sequence in found:
                score = score_sequence(sequence, stages, prompt, on_frame=advance)
                if score is not None:
                    scores.append(score)
    if not scores:
        raise SourceError(f"{folder} has no annotated frame after the first to judge")
    Console().print(_table(f"{name}: {prompt} on the first frame", scores))
    if out is not None:
        report = as_json(scores, model=model, weights=weights, prompt=prompt, runs_on=name)
        try:
            out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise SourceError(f"{out} cannot be written: {error.strerror}") from error


def _table(title: str, scores: list[SequenceScore]) -> Table:
    from statistics import fmean

    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 4)
    table.add_column("sequence")
    for name in ("objects", "frames", "J", "F", "J&F"):
        table.add_column(name, justify="right")
    for score in scores:
        frames = max(item.frames for item in score.objects)
        numbers = (score.j, score.f, score.j_and_f)
        cells = (f"{100 * value:.1f}" for value in numbers)
        table.add_row(score.name, str(len(score.objects)), str(frames), *cells)
    means = (fmean(getattr(score, key) for score in scores) for key in ("j", "f", "j_and_f"))
    table.add_section()
    table.add_row("mean", "", "", *(f"{100 * value:.1f}" for value in means), style="bold")
    return table

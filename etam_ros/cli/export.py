"""`etam export`: a model becomes ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etam_ros.config import DEFAULT_MODEL, PRECISIONS


def export(
    model: Annotated[str, typer.Argument(help="Name of the model.")] = DEFAULT_MODEL,
    out: Annotated[
        str,
        typer.Option(
            "--engine-dir",
            help="Folder of the engines; a folder for the model is made in it.",
            show_default="engines/ of a source checkout, else the user's cache",
        ),
    ] = "",
    weights: Annotated[
        str,
        typer.Option(help="Weights file, or random:SEED.", show_default="the model's own"),
    ] = "",
    precision: Annotated[str, typer.Option(help="Of the graphs: fp32, bf16 or fp16.")] = "fp32",
) -> None:
    """Write a model as ONNX files, one for each part that runs by itself, and a manifest.

    In fp16 and bf16 norms and softmax stay in fp32, and so does the mask decoder. Inputs and
    outputs are float32 in every precision. What is there already is not made again. Prints the
    folder.
    """
    from etam_ros.cli.terminal.progress import working
    from etam_ros.errors import ConfigError
    from etam_ros.runtime.backends.torch.weights import NetworkSource
    from etam_ros.runtime.export import export_model
    from etam_ros.runtime.exported import engine_folder

    choices = PRECISIONS[1:]
    if precision not in choices:
        raise ConfigError(f"precision is {precision!r}, expected one of {', '.join(choices)}")
    source = NetworkSource(model, weights)
    with working(f"exporting {model}") as on_step:
        exported = export_model(source, precision, engine_folder(out), on_step=on_step)
    assert exported is not None  # it was to be made
    typer.echo(str(Path(exported.folder)))

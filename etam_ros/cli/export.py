"""`etam export`: a model becomes ONNX files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import PRECISIONS, NetworkConfig
from etam_ros.options import option


@dataclass(frozen=True)
class ExportConfig(NetworkConfig):
    """What is exported: a model with its weights, in one precision."""

    precision: str = option("fp32", "Arithmetic of the graphs.", choices=PRECISIONS[1:])


@options_of(ExportConfig, "model", "weights", "precision", "engine_dir", positional="model")
def export(config: ExportConfig) -> None:
    """Write a model as ONNX files, one for each graph, and a manifest.

    In fp16 and bf16 norms and softmax stay in fp32, and so does the mask decoder. Inputs and
    outputs are float32 in every precision. Existing files are not written again. Prints the
    model's folder, which is created in the folder of the engines.
    """
    from etam_ros.cli.terminal.progress import working
    from etam_ros.runtime.backends.torch.weights import NetworkSource
    from etam_ros.runtime.export import export_model
    from etam_ros.runtime.exported import engine_folder

    source = NetworkSource(config.model, config.weights)
    folder = engine_folder(config.engine_dir)
    with working(f"exporting {config.model}") as on_step:
        exported = export_model(source, config.precision, folder, on_step=on_step)
    assert exported is not None  # it was to be made
    typer.echo(str(Path(exported.folder)))

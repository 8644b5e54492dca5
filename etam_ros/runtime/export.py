"""Export: a network becomes one ONNX file per graph, with the precision in the graph."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from etam_ros.errors import BackendError
from etam_ros.model import EfficientTAM
from etam_ros.runtime.backends.torch.stages import constants_of, sizes_of
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.export_parts import Graph, graphs, is_same_graph
from etam_ros.runtime.exported import (
    BY_LENGTH,
    ExportedModel,
    ExportKey,
    OnStep,
    copy_graph,
    find_export,
    write_export,
)

OPSET: Final = 18


def export_model(
    source: NetworkSource,
    precision: str,
    engine_dir: Path,
    *,
    layout: str = BY_LENGTH,
    build: bool = True,
    on_step: OnStep | None = None,
) -> ExportedModel | None:
    """The export of a model, made where there is none.

    Graphs that another export of the model here has, in another precision or layout, are copied.

    Args:
        source: of the model's network.
        precision: of the graphs.
        engine_dir: of all engines; exists.
        layout: of banks: BY_LENGTH or PADDED.
        build: False only looks whether it is there.
        on_step: is told what is being done.

    Returns:
        the export; None where there is none and none is to be made.

    Raises:
        ConfigError, WeightsError: as `open_stages`.
        BackendError: the exporter is not installed, or the disk is full.
    """
    key = ExportKey(source.model, source.weights_hash, precision, OPSET, layout)
    found = find_export(engine_dir, key)
    if found is not None or not build:
        return found
    network = source.copy()

    def copy(name: str, path: Path) -> bool:
        return copy_graph(engine_dir, path, partial(is_same_graph, name, key))

    def export(folder: Path) -> list[str]:
        return export_graphs(network, precision, layout, folder, copy, on_step)

    return write_export(engine_dir, key, sizes_of(network), constants_of(network), export)


def export_graphs(
    network: EfficientTAM,
    precision: str,
    layout: str,
    folder: Path,
    copy: Callable[[str, Path], bool],
    on_step: OnStep | None = None,
) -> list[str]:
    """Write the ONNX files of a network, which cannot be used otherwise afterwards.

    Args:
        network: in float32, as `load_network` gives it.
        precision: fp32, bf16 or fp16.
        layout: BY_LENGTH or PADDED.
        folder: where to; exists.
        copy: puts a graph that is ready into the file; says whether there is one.
        on_step: is told what is being done.

    Returns:
        names of the graphs; each lies in NAME.onnx.

    Raises:
        BackendError: the packages that export are not installed.
    """
    try:
        import onnxscript  # noqa: F401 (PyTorch's exporter writes with it)
    except ImportError as error:
        raise BackendError(
            "exporting to ONNX needs the packages onnx and onnxscript: install etam_ros[export]"
        ) from error
    names = []
    for graph in graphs(network, precision, layout):
        names.append(graph.name)
        path = folder / f"{graph.name}.onnx"
        if copy(graph.name, path):
            continue
        if on_step is not None:
            on_step(f"exporting {graph.name}")
        _export(graph, path)
    return names


@torch.no_grad()
def _export(graph: Graph, path: Path) -> None:
    """Write one graph, without what the exporter has to say about it."""
    shapes: dict[str, Any] = {
        name: {dim: torch.export.Dim(label, min=1, max=4096) for dim, label in dims.items()}
        for name, dims in graph.free.items()
    }
    dynamic = {name: shapes.get(name) for name in graph.inputs}
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph.module.eval(),
                kwargs=graph.inputs,
                f=str(path),
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=dynamic,
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                optimize=True,
                verbose=False,
            )
    finally:
        exporter.setLevel(level)

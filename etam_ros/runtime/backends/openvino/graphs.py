"""Exported graphs on OpenVINO, on a CPU, in float32 or bf16."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from etam_ros.errors import BackendError
from etam_ros.runtime.backends.graph_stages import GraphRunner
from etam_ros.runtime.backends.openvino.cache import keep_cache, usable_cache
from etam_ros.runtime.exported import ExportedModel
from etam_ros.runtime.stages import IN_FLOAT32


class OpenVinoRunner(GraphRunner):
    """Compiled models of OpenVINO, one a graph.

    Args:
        openvino: the module.
        exported: whose graphs, in fp32.
        threads: of each.
        precision: fp32 or bf16, in which OpenVINO computes.

    Raises:
        BackendError: a graph cannot be loaded.
    """

    def __init__(
        self, openvino: Any, exported: ExportedModel, threads: int, precision: str
    ) -> None:
        self._openvino = openvino
        core = openvino.Core()
        self._requests: dict[str, Any] = {}
        cache = usable_cache(exported.folder)
        for graph in exported.graphs:
            reduced = precision == "bf16" and graph not in IN_FLOAT32
            options = {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "bf16" if reduced else "f32",
                "NUM_STREAMS": 1,
                **({"CACHE_DIR": str(cache)} if cache is not None else {}),
            }
            compiled = self._compile(core, exported, graph, options)
            self._requests[graph] = compiled.create_infer_request()
        if cache is not None:
            keep_cache(exported.folder)

    def _compile(
        self, core: Any, exported: ExportedModel, graph: str, options: dict[str, Any]
    ) -> Any:
        path = str(exported.file(graph))
        try:
            return core.compile_model(path, "CPU", options)
        except Exception as error:  # RuntimeError and its own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:160]
            raise BackendError(
                f"OpenVINO {self._openvino.__version__} cannot load {path} ({reason}): "
                f"delete {exported.folder} to export again"
            ) from error

    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run a model on the inputs' own memory; outputs are copied out of its own."""
        request = self._requests[graph]
        for index, value in enumerate(inputs):
            array = value.numpy()
            request.set_input_tensor(index, self._openvino.Tensor(array, shared_memory=True))
        request.infer()
        return tuple(torch.from_numpy(np.array(output.data)) for output in request.output_tensors)

    def close(self) -> None:
        self._requests.clear()

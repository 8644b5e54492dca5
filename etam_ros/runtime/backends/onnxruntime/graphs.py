"""Exported graphs on ONNX Runtime, on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from etam_ros.errors import BackendError
from etam_ros.runtime.backends.graph_stages import GraphRunner
from etam_ros.runtime.exported import ExportedModel


class OnnxRunner(GraphRunner):
    """Sessions of ONNX Runtime, one a graph.

    Args:
        runtime: the module onnxruntime.
        exported: whose graphs.
        threads: of each session.

    Raises:
        BackendError: a graph cannot be loaded.
    """

    def __init__(self, runtime: Any, exported: ExportedModel, threads: int) -> None:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that spin between stages take the cores from the rest of the robot.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._sessions = {
            graph: _open_session(runtime, exported, graph, options) for graph in exported.graphs
        }
        self._names = {
            graph: [value.name for value in session.get_inputs()]
            for graph, session in self._sessions.items()
        }

    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run a session on the inputs' own memory."""
        feed = {
            name: value.numpy() for name, value in zip(self._names[graph], inputs, strict=True)
        }
        return tuple(torch.from_numpy(out) for out in self._sessions[graph].run(None, feed))

    def close(self) -> None:
        self._sessions.clear()


def _open_session(runtime: Any, exported: ExportedModel, graph: str, options: Any) -> Any:
    path = str(exported.file(graph))
    try:
        return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own types, which are no Python classes to name
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise BackendError(
            f"ONNX Runtime {runtime.__version__} cannot load {path} ({reason}): "
            f"delete {exported.folder} to export again"
        ) from error

"""ONNX Runtime as a backend: on a CPU, in fp32."""

from __future__ import annotations

from typing import Any

import torch

from etam_ros.runtime.backends.cpu_backend import CpuBackend
from etam_ros.runtime.backends.graph_stages import GraphStages
from etam_ros.runtime.backends.onnxruntime.graphs import OnnxRunner
from etam_ros.runtime.stages import Stages


class OnnxBackend(CpuBackend):
    """A model on ONNX Runtime."""

    name = "onnx"
    package, title = "onnxruntime", "ONNX Runtime"
    remedy = "install etam_ros[onnx], or use another backend (`etam doctor` shows which run here)"

    @classmethod
    def import_library(cls) -> Any:
        import onnxruntime

        return onnxruntime

    @classmethod
    def precisions(cls, device: str) -> tuple[str, ...]:
        """Graphs are in fp32, and so are they computed."""
        return ("fp32",)

    def open(self) -> Stages:
        """A session for each graph."""
        runner = OnnxRunner(self._library, self.exported, torch.get_num_threads())
        return GraphStages(self.exported, runner, f"{self.request.model} on onnx, cpu, fp32")

"""OpenVINO as a backend: on a CPU, in fp32, or in bf16 where the CPU multiplies it."""

from __future__ import annotations

import os
from typing import Any, Final

import torch

from etam_ros.runtime.backends.cpu_backend import CpuBackend, has_bf16
from etam_ros.runtime.backends.graph_stages import GraphStages
from etam_ros.runtime.backends.openvino.graphs import OpenVinoRunner
from etam_ros.runtime.stages import Stages

INSTRUCTION_SETS: Final = "ONEDNN_MAX_CPU_ISA"
WITHOUT_AMX: Final = "AVX512_CORE_BF16"
"""OpenVINO's AMX kernels read past the end of buffers, which ends the process where nothing lies
behind them (2026.4 with one thread; openvino#37577 is of the same kind). AVX-512 has bf16 too."""


class OpenVinoBackend(CpuBackend):
    """A model on OpenVINO."""

    name = "openvino"
    package, title = "openvino", "OpenVINO"
    remedy = (
        "install etam_ros[openvino], or use another backend (`etam doctor` shows which run here)"
    )

    @classmethod
    def import_library(cls) -> Any:
        os.environ.setdefault(INSTRUCTION_SETS, WITHOUT_AMX)
        import openvino

        return openvino

    @classmethod
    def precisions(cls, device: str) -> tuple[str, ...]:
        """In bf16 only where it is faster."""
        return ("bf16", "fp32") if has_bf16() else ("fp32",)

    def open(self) -> Stages:
        """A compiled model for each graph."""
        threads = torch.get_num_threads()
        runner = OpenVinoRunner(self._library, self.exported, threads, self.precision)
        name = f"{self.request.model} on openvino, cpu, {self.precision}"
        return GraphStages(self.exported, runner, name)

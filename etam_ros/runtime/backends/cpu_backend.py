"""What the runtimes of a CPU share: graphs in fp32, and verdicts that hold for one CPU."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import ClassVar

import torch

from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.backends.exported_backend import ExportedBackend
from etam_ros.runtime.backends.torch.weights import NetworkSource


class CpuBackend(ExportedBackend):
    """A runtime of a CPU, which reduces the precision by itself.

    Attributes:
        package: that brings its library.
    """

    devices = ("cpu",)
    package: ClassVar[str]

    def __init__(self, request: EngineRequest, source: NetworkSource) -> None:
        super().__init__(request, source)
        self._library = self.load_library()

    @property
    def graph_precision(self) -> str:
        """The runtime takes fp32."""
        return "fp32"

    def verdict_key(self) -> str:
        """Verdicts do not travel to another CPU."""
        runs_on = f"{self.package} {self.version()}, {_cpu()}"
        return f"{self.name} {self.precision}, {runs_on}, files {self.exported.content}"


def has_bf16() -> bool:
    """Whether the CPU multiplies bf16."""
    return any(
        getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in ("avx512_bf16", "amx_tile")
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""Which engine somebody wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CPU_LIBRARIES: Final = {"onnx": "onnxruntime", "openvino": "openvino"}
"""Backends whose engines run on a CPU, and the packages they need."""
GPU_BACKENDS: Final = ("tensorrt", "tensorrt_rtx")
"""Backends whose engines run on CUDA."""
ENGINE_BACKENDS: Final = (*CPU_LIBRARIES, *GPU_BACKENDS)


@dataclass(frozen=True)
class EngineRequest:
    """An engine that somebody wants.

    Attributes:
        model, weights: as in `open_stages`.
        backend: one of ENGINE_BACKENDS.
        precision: in which it computes.
        engine_dir: folder of all engines; empty for the default one.
        threads: of the CPU; 0: as many as torch uses.
        target: compute capability to build plans for, as sm89; empty: that of the GPU here.
        workspace_mib: most memory that a layer of a plan may use; 0: no limit; None: whatever
            plans there are.
    """

    model: str
    weights: str
    backend: str
    precision: str
    engine_dir: str = ""
    threads: int = 0
    target: str = ""
    workspace_mib: int | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether it runs on CUDA."""
        return self.backend in GPU_BACKENDS

    @property
    def command(self) -> str:
        """What builds it."""
        options = {
            "weights": self.weights,
            "engine-dir": self.engine_dir,
            "target": self.target,
            "workspace-mib": self.workspace_mib or "",
        }
        given = "".join(f" --{name} {value}" for name, value in options.items() if value)
        return (
            f"etam build {self.model} --backend {self.backend} --precision {self.precision}{given}"
        )

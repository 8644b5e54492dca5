"""PyTorch as a backend: the reference, on a CPU or captured into graphs on CUDA."""

from __future__ import annotations

import torch

from etam_ros.runtime.backend import Backend, EngineRequest
from etam_ros.runtime.backends.torch.graphs import torch_graphs_stages
from etam_ros.runtime.backends.torch.stages import TorchStages, choose_device
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.stages import Stages


class TorchBackend(Backend):
    """A model on PyTorch, which needs nothing built."""

    name = "torch"
    devices = ("cpu", "cuda")

    def __init__(self, request: EngineRequest, source: NetworkSource) -> None:
        self._device = choose_device(request.device)
        super().__init__(request, source)

    @classmethod
    def version(cls) -> str:
        """Always there."""
        return str(torch.__version__)

    @classmethod
    def precisions(cls, device: str) -> tuple[str, ...]:
        """On CUDA bf16 first, where the GPU has it."""
        if choose_device(device).type == "cpu":
            return ("fp32", "bf16")
        return ("bf16", "fp16", "fp32") if torch.cuda.is_bf16_supported() else ("fp32", "fp16")

    @classmethod
    def worthwhile(cls, device: str) -> tuple[str, ...]:
        """On a CPU bf16 is slower than fp32."""
        found = cls.precisions(device)
        return found[:1] if choose_device(device).type == "cpu" else found

    def open(self) -> Stages:
        """Operation by operation on a CPU, captured on CUDA."""
        return self.open_eager() if self._device.type == "cpu" else self.open_graphs()

    def open_graphs(self) -> Stages:
        """In fixed shapes on any device, captured on CUDA."""
        return torch_graphs_stages(self.source.take(), self.precision, self._device)

    def open_eager(self) -> Stages:
        """Operation by operation on any device."""
        return TorchStages(self.source.take(), device=self._device, precision=self.precision)

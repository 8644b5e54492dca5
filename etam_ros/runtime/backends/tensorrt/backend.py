"""TensorRT and TensorRT for RTX as backends: plans for one kind of GPU.

Plans fit one version of the library and one kind of GPU; TensorRT for RTX builds them for GPUs
that are elsewhere, too.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any, Final

import torch

from etam_ros.errors import BackendError
from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.backends.exported_backend import ExportedBackend
from etam_ros.runtime.backends.tensorrt.graphs import TensorRTGraphs
from etam_ros.runtime.backends.tensorrt.plans import (
    DEFAULT_TARGETS,
    KEY_FILE,
    PlanKey,
    Plans,
    build_plans,
    find_plans,
    limits_built,
)
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.exported import PADDED, OnStep
from etam_ros.runtime.fixed_stages import FixedStages
from etam_ros.runtime.stages import Stages

OLDEST: Final = 10
"""Major version of TensorRT from which on networks are strongly typed."""


class PlanBackend(ExportedBackend):
    """A model's plans, and the library that builds and runs them."""

    devices = ("cuda",)
    layout = PADDED

    def __init__(self, request: EngineRequest, source: NetworkSource) -> None:
        super().__init__(request, source)
        if not request.target and not torch.cuda.is_available():
            another = f"; `etam build --backend {self.name} --target sm89` builds for another"
            raise BackendError(
                f"backend is {self.name}, which needs an NVIDIA GPU, but PyTorch finds no CUDA "
                "device here: use torch, onnx or openvino (`etam doctor` shows what is "
                "installed)" + (another if self.aims else "")
            )
        self._library = self.load_library()

    @classmethod
    def precisions(cls, device: str) -> tuple[str, ...]:
        """All that graphs come in; every GPU that TensorRT builds for has fp16."""
        return ("fp16", "bf16", "fp32")

    @classmethod
    def worthwhile(cls, device: str) -> tuple[str, ...]:
        """The fastest."""
        return cls.precisions(device)[:1]

    @property
    def runs_here(self) -> bool:
        """Whether the target is the GPU here."""
        target = self.request.target
        return torch.cuda.is_available() and target in ("", self._target_here)

    def lacks(self) -> str:
        """The export, or its plans, with those that there are of another key."""
        lacking = super().lacks()
        if lacking or self._plans() is not None:
            return lacking
        key = self._key()
        limit = f" within {key.workspace_mib} MiB" if key.workspace_mib else ""
        there = sorted(
            file.parent.name for file in self.exported.folder.glob(f"tensorrt*/{KEY_FILE}")
        )
        having = f" (there are plans of another key: {', '.join(there)})" if there else ""
        return (
            f"{self.request.model} has no plans of {key.flavour} {key.version} for "
            f"{key.target}{limit}{having}"
        )

    def build(self, on_step: OnStep | None) -> None:
        """Export the model, and build its plans."""
        super().build(on_step)
        build_plans(self.exported, self._key(), self._library, on_step)

    def open(self) -> Stages:
        """The plans in fixed shapes."""
        plans, exported = self._plans(), self.exported
        assert plans is not None  # it lacks nothing
        device = torch.device("cuda", torch.cuda.current_device())
        graphs = TensorRTGraphs(self._library, plans, device)
        name = f"{self.request.model} on {self.name}, cuda, {self.precision}"
        constants = exported.constants(device)
        return FixedStages(graphs, exported.sizes, exported.traits, constants, name)

    def verdict_key(self) -> str:
        """Verdicts do not travel to another GPU or driver."""
        plans = self._plans()
        state = "none" if plans is None else plans.state
        library = f"{self._library.__name__} {self._library.__version__}"
        gpu = f"{torch.cuda.get_device_name()}, driver {driver_version()}"
        return f"{self.name} {self.precision}, {library}, {gpu}, plans {state}"

    @property
    def _target_here(self) -> str:
        """The capability of the GPU here, if the library can be told to build for it alone."""
        major, minor = torch.cuda.get_device_capability()
        name = f"sm{major}{minor}"
        known = getattr(self._library, "ComputeCapability", None)
        return DEFAULT_TARGETS if known and not hasattr(known, name.upper()) else name

    def _key(self) -> PlanKey:
        request, exported = self.request, self.exported
        target = request.target or self._target_here
        key = PlanKey(self.name, str(self._library.__version__), target, exported.content)
        limit = request.workspace_mib
        if limit is None:
            limit = next(iter(limits_built(exported, key)), 0)
        return replace(key, workspace_mib=limit)

    def _plans(self) -> Plans | None:
        return find_plans(self.exported, self._key())


class TensorRTBackend(PlanBackend):
    """A model on TensorRT, which builds for the GPU it runs on alone."""

    name, title = "tensorrt", "TensorRT"
    remedy = "it comes with JetPack 6 and later, or from NVIDIA (docs/engines.md)"

    @classmethod
    def import_library(cls) -> Any:
        """TensorRT, if it is not too old."""
        import tensorrt

        version = str(tensorrt.__version__)
        if int(version.partition(".")[0]) < OLDEST:
            raise BackendError(
                f"TensorRT is {version}, expected {OLDEST} or later, which supports strongly "
                "typed networks: update it, on a Jetson with JetPack 6.1"
            )
        return tensorrt


class TensorRTRtxBackend(PlanBackend):
    """A model on TensorRT for RTX, which builds for GPUs that are not here, too."""

    name, title = "tensorrt_rtx", "TensorRT for RTX"
    remedy = "install etam_ros[tensorrt-rtx]"
    aims = True

    @classmethod
    def import_library(cls) -> Any:
        import tensorrt_rtx

        return tensorrt_rtx


def driver_version() -> str:
    """The CUDA version that the driver has, empty where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ""
    found = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(found))
    return f"{found.value // 1000}.{found.value % 1000 // 10}"

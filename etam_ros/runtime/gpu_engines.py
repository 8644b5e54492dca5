"""Engines of a GPU: plans of TensorRT and TensorRT for RTX.

Plans fit one version of the library and one kind of GPU; TensorRT for RTX builds them for GPUs
that are elsewhere, too.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import Any, Final

import torch

from etam_ros.errors import BackendError
from etam_ros.runtime.backends.tensorrt.plans import (
    DEFAULT_TARGETS,
    PlanKey,
    Plans,
    build_plans,
    find_plans,
    limits_built,
)
from etam_ros.runtime.engine_request import EngineRequest
from etam_ros.runtime.exported import PADDED, ExportedModel, OnStep, engine_folder
from etam_ros.runtime.stages import Stages

GPU_PRECISIONS: Final = ("fp16", "bf16", "fp32")
"""What plans compute in; auto is the first."""


class GpuEngine:
    """The plans of an export, and the library that builds and runs them.

    Raises:
        BackendError: the library is not installed, or there is no GPU to run or build for.
    """

    def __init__(self, request: EngineRequest) -> None:
        if request.target and request.backend == "tensorrt":
            raise BackendError(
                f"target is {request.target}, but tensorrt builds for the GPU it runs on alone: "
                "leave --target out there, or use tensorrt_rtx"
            )
        if not request.target:
            check_gpu(request.backend)
        self.request = request
        self._library = import_library(request.backend)

    @property
    def runs_here(self) -> bool:
        """Whether plans for the target are for the GPU here."""
        return torch.cuda.is_available() and self._target in ("", self._target_here)

    def export(self, build: bool, on_step: OnStep | None) -> ExportedModel | None:
        """The export with padded banks, made where that is wanted."""
        from etam_ros.runtime.export import export_model

        request = self.request
        return export_model(
            request.model, request.weights, request.precision, engine_folder(request.engine_dir),
            layout=PADDED, build=build, on_step=on_step,
        )  # fmt: skip

    def build(self, exported: ExportedModel, build: bool, on_step: OnStep | None) -> bool:
        """See to the plans: whether they are there, or were built as wanted.

        Raises:
            BackendError: the builder refuses, or the disk is full.
        """
        if self._plans(exported) is None and build:
            build_plans(exported, self._key(exported), self._library, on_step)
        return self._plans(exported) is not None

    def open(self, exported: ExportedModel) -> Stages:
        """The stages, on plans that are there."""
        from etam_ros.runtime.backends.tensorrt.graphs import TensorRTGraphs
        from etam_ros.runtime.fixed_stages import FixedStages

        plans = self._plans(exported)
        assert plans is not None  # `build` saw to them
        device = torch.device("cuda", torch.cuda.current_device())
        graphs = TensorRTGraphs(self._library, plans, device)
        request = self.request
        name = f"{request.model} on {request.backend}, cuda, {request.precision}"
        constants = exported.constants(device)
        return FixedStages(graphs, exported.sizes, exported.traits, constants, name)

    def verdict_key(self, exported: ExportedModel) -> str:
        """What a verdict of the gate holds for; it does not travel to another GPU."""
        plans = self._plans(exported)
        state = "none" if plans is None else plans.state
        library = f"{self._library.__name__} {self._library.__version__}"
        gpu = f"{torch.cuda.get_device_name()}, driver {driver_version()}"
        backend, precision = self.request.backend, self.request.precision
        return f"{backend} {precision}, {library}, {gpu}, plans {state}"

    def others(self, exported: ExportedModel) -> str:
        """Which plans are wanted, and which there are, in words."""
        key = self._key(exported)
        limit = f" within {key.workspace_mib} MiB" if key.workspace_mib else ""
        there = sorted(
            folder.parent.name for folder in exported.folder.glob("tensorrt*/plans.json")
        )
        having = f" (there are plans of another key: {', '.join(there)})" if there else ""
        return f"plans of {key.flavour} {key.version} for {key.target}{limit}{having}"

    @property
    def _target(self) -> str:
        return self.request.target

    @property
    def _target_here(self) -> str:
        """The capability of the GPU here, if the library can be told to build for it alone."""
        major, minor = torch.cuda.get_device_capability()
        name = f"sm{major}{minor}"
        known = getattr(self._library, "ComputeCapability", None)
        return DEFAULT_TARGETS if known and not hasattr(known, name.upper()) else name

    def _key(self, exported: ExportedModel) -> PlanKey:
        version = str(self._library.__version__)
        target = self._target or self._target_here
        key = PlanKey(self.request.backend, version, target, exported.content)
        if self.request.workspace_mib is not None:
            return replace(key, workspace_mib=self.request.workspace_mib)
        return replace(key, workspace_mib=next(iter(limits_built(exported, key)), 0))

    def _plans(self, exported: ExportedModel) -> Plans | None:
        return find_plans(exported, self._key(exported))


def check_gpu(backend: str) -> None:
    """Raise BackendError unless there is a GPU."""
    if not torch.cuda.is_available():
        elsewhere = ""
        if backend == "tensorrt_rtx":
            elsewhere = "; `etam build --backend tensorrt_rtx --target sm89` builds for another"
        raise BackendError(
            f"backend is {backend}, which needs an NVIDIA GPU, but PyTorch finds no CUDA device "
            f"here: use torch, onnx or openvino (`etam doctor` shows what is there){elsewhere}"
        )


def import_library(backend: str) -> Any:
    """The module of a backend.

    Raises:
        BackendError: it is not installed, or too old.
    """
    if backend == "tensorrt":
        from etam_ros.runtime.backends.tensorrt.library import import_tensorrt

        return import_tensorrt()
    from etam_ros.runtime.backends.tensorrt.rtx_library import import_tensorrt_rtx

    return import_tensorrt_rtx()


def is_importable(backend: str) -> bool:
    """Whether a backend's library is there and new enough."""
    try:
        import_library(backend)
    except BackendError:
        return False
    return True


def choose_gpu_precision(precision: str) -> str:
    """The precision of plans; auto is fp16, which every GPU has that TensorRT builds for."""
    return GPU_PRECISIONS[0] if precision == "auto" else precision


def driver_version() -> str:
    """The CUDA version that the driver has, empty where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ""
    found = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(found))
    return f"{found.value // 1000}.{found.value % 1000 // 10}"

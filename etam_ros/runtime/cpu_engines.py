"""Engines of a CPU: exports on ONNX Runtime and OpenVINO."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import torch

from etam_ros.errors import BackendError
from etam_ros.runtime.engine_request import CPU_LIBRARIES, EngineRequest
from etam_ros.runtime.exported import ExportedModel, OnStep, engine_folder
from etam_ros.runtime.stages import Stages


class CpuEngine:
    """An export, and the runtime that opens it.

    Raises:
        BackendError: the runtime is not installed.
    """

    def __init__(self, request: EngineRequest) -> None:
        self.request = request
        if request.backend == "onnx":
            from etam_ros.runtime.backends.onnxruntime.stages import import_onnxruntime

            import_onnxruntime()
        else:
            from etam_ros.runtime.backends.openvino.stages import import_openvino

            import_openvino()

    def export(self, build: bool, on_step: OnStep | None) -> ExportedModel | None:
        """The export, made where that is wanted; OpenVINO reduces the precision by itself."""
        from etam_ros.runtime.export import export_model

        request = self.request
        folder = engine_folder(request.engine_dir)
        return export_model(
            request.model, request.weights, "fp32", folder, build=build, on_step=on_step
        )

    def build(self, exported: ExportedModel, build: bool, on_step: OnStep | None) -> bool:
        """Nothing is built beside the export."""
        return True

    def open(self, exported: ExportedModel) -> Stages:
        """The stages."""
        threads = self.request.threads or torch.get_num_threads()
        if self.request.backend == "onnx":
            from etam_ros.runtime.backends.onnxruntime.stages import open_onnx_stages

            return open_onnx_stages(exported, threads)
        from etam_ros.runtime.backends.openvino.stages import open_openvino_stages

        return open_openvino_stages(exported, threads, self.request.precision)

    def verdict_key(self, exported: ExportedModel) -> str:
        """What a verdict of the gate holds for; it does not travel to another CPU."""
        backend, library = self.request.backend, CPU_LIBRARIES[self.request.backend]
        runs_on = f"{library} {installed_version(library)}, {_cpu()}"
        return f"{backend} {self.request.precision}, {runs_on}, files {exported.state}"


def choose_cpu_precision(backend: str, precision: str) -> str:
    """The precision in which a backend computes here; auto is bf16 where the CPU is made for it.

    Raises:
        BackendError: it cannot.
    """
    fast_bf16 = backend == "openvino" and has_bf16()
    if precision == "auto":
        return "bf16" if fast_bf16 else "fp32"
    if precision == "fp32" or (precision == "bf16" and fast_bf16):
        return precision
    choices = "fp32 or bf16" if fast_bf16 else "fp32"
    raise BackendError(
        f"precision is {precision}, which {backend} does not compute on this CPU: use {choices}"
    )


def has_bf16() -> bool:
    """Whether the CPU multiplies bf16."""
    return any(
        getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in ("avx512_bf16", "amx_tile")
    )


def installed_version(library: str) -> str:
    """Version of a package, empty where it is not installed."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

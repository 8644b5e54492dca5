"""Engines: exported models on a runtime, built, judged by the parity gate, and opened.

What the gate said lies beside the export, for each backend, precision, library version, CPU or
GPU, as long as no file changes; an engine without a verdict is judged before it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import torch

from etam_ros.errors import BackendError
from etam_ros.runtime.cpu_engines import (
    CpuEngine,
    choose_cpu_precision,
    has_bf16,
    installed_version,
)
from etam_ros.runtime.engine_request import CPU_LIBRARIES, GPU_BACKENDS, EngineRequest
from etam_ros.runtime.exported import ExportedModel, OnStep
from etam_ros.runtime.gpu_engines import GpuEngine, choose_gpu_precision, is_importable
from etam_ros.runtime.parity import ParityReport, check_parity
from etam_ros.runtime.stages import Stages
from etam_ros.runtime.verdicts import read_verdict, write_verdict

FASTEST_ON_CPU: Final = (("openvino", "bf16"), ("openvino", "fp32"), ("onnx", "fp32"))
"""What `auto` tries on a CPU, before torch."""
FASTEST_ON_GPU: Final = tuple((backend, "fp16") for backend in GPU_BACKENDS)
"""What `auto` tries on CUDA, before torch."""
Engine = CpuEngine | GpuEngine


def choose_precision(backend: str, precision: str) -> str:
    """The precision in which a backend computes; auto is what is fast there.

    Raises:
        BackendError: it cannot.
    """
    if backend in GPU_BACKENDS:
        return choose_gpu_precision(precision)
    return choose_cpu_precision(backend, precision)


def open_engine(
    request: EngineRequest, *, build: bool, on_step: OnStep | None = None, judge: bool = True
) -> Stages:
    """Open an engine; export, build and judge it first where that was not done yet.

    Args:
        request: which.
        build: False refuses what was not built yet.
        on_step: is told what is being done, if anything takes time.
        judge: False opens it whatever the gate says, to look at it.

    Raises:
        BackendError: the library is missing, there is no engine, or the gate refuses it.
        ConfigError, WeightsError: as `open_stages`.
    """
    engine = _engine(request)
    exported = _built(engine, build, on_step)
    stages = engine.open(exported)
    try:
        failures = read_verdict(exported, engine.verdict_key(exported))
        if judge and failures is None:
            failures = _judge(engine, exported, stages, on_step).failures
    except BaseException:
        stages.close()
        raise
    if judge and failures:
        stages.close()
        raise BackendError(
            f"{stages.name} is refused, it is off: {'; '.join(failures[:3])}: use another "
            f"precision or backend (`etam verify` with the same options shows all numbers)"
        )
    return stages


def verify_engine(
    request: EngineRequest, *, build: bool, on_step: OnStep | None = None
) -> ParityReport:
    """Judge an engine again, and keep the verdict.

    Raises:
        BackendError, ConfigError, WeightsError: as `open_engine`.
    """
    engine = _engine(request)
    exported = _built(engine, build, on_step)
    with engine.open(exported) as stages:
        return _judge(engine, exported, stages, on_step)


def build_elsewhere(request: EngineRequest, *, on_step: OnStep | None = None) -> bool:
    """Build plans for a GPU that is not here; nothing judges them until they are there.

    Returns:
        False, and nothing is done, where the request is for this machine.

    Raises:
        BackendError, ConfigError, WeightsError: as `open_engine`.
    """
    engine = _engine(request)
    if not isinstance(engine, GpuEngine) or engine.runs_here:
        return False
    _built(engine, build=True, on_step=on_step)
    return True


def fastest_ready(
    model: str, weights: str, engine_dir: str, precision: str, *, device: str
) -> Callable[[], Stages] | None:
    """The fastest engine that is installed, built and passed; None: torch it is.

    Args:
        model, weights, engine_dir: as in `EngineRequest`.
        precision: asked for, or auto.
        device: cpu or cuda.
    """
    for backend, computed in _candidates(device, precision):
        request = EngineRequest(model, weights, backend, computed, engine_dir)
        if not why_not(request):
            return partial(open_engine, request, build=False)
    return None


def why_not(request: EngineRequest) -> str:
    """Why `auto` does not take an engine; empty: it does."""
    if not is_installed(request.backend):
        return "not installed"
    if not request.on_gpu and request.precision == "bf16" and not has_bf16():
        return "this CPU has no bf16"
    engine = _engine(request)
    exported = engine.export(build=False, on_step=None)
    failures = None
    if exported is not None and engine.build(exported, build=False, on_step=None):
        failures = read_verdict(exported, engine.verdict_key(exported))
    if failures is None:
        return f"not built, `{request.command}` does"
    return "refused by the parity gate" if failures else ""


def explain_auto(model: str) -> str:
    """What backend `auto` is on this machine, and why nothing faster."""
    reasons: list[str] = []
    for backend, precision in _candidates("cuda" if torch.cuda.is_available() else "cpu", "auto"):
        request = EngineRequest(model, "", backend, precision)
        reason = why_not(request)
        if not reason:
            return f"{backend} {precision}" + (f" ({'; '.join(reasons)})" if reasons else "")
        reasons.append(f"{backend} {precision}: {reason}")
    return f"torch ({'; '.join(reasons)})"


def ways_here(device: str) -> list[tuple[str, str]]:
    """Backends and precisions that can run on this machine, the reference first."""
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        torch_ways = [("torch", precision) for precision in ("fp32", "bf16", "fp16")]
        plans = [way for way in reversed(FASTEST_ON_GPU) if is_installed(way[0])]
        return [("eager", "fp32"), ("eager", "fp16"), *torch_ways, *plans]
    found = [("torch", "fp32")]
    for backend, precision in reversed(FASTEST_ON_CPU):
        usable = precision == "fp32" or has_bf16()
        if usable and is_installed(backend):
            found.append((backend, precision))
    return found


def is_installed(backend: str) -> bool:
    """Whether the library of a backend is there."""
    if backend in GPU_BACKENDS:
        return is_importable(backend)
    return installed_version(CPU_LIBRARIES[backend]) != ""


def _candidates(device: str, precision: str) -> list[tuple[str, str]]:
    """Backends and precisions for `auto`, the fastest first."""
    if device == "cuda":
        return [
            (backend, usual if precision == "auto" else precision)
            for backend, usual in FASTEST_ON_GPU
        ]
    return [way for way in FASTEST_ON_CPU if precision in ("auto", way[1])]


def _engine(request: EngineRequest) -> Engine:
    return GpuEngine(request) if request.on_gpu else CpuEngine(request)


def _built(engine: Engine, build: bool, on_step: OnStep | None) -> ExportedModel:
    """The export of an engine, with what is built from it beside it."""
    request = engine.request
    exported = engine.export(build, on_step)
    if exported is None:
        raise BackendError(
            f"{request.model} is not exported for {request.backend} yet: run `{request.command}`"
        )
    if not engine.build(exported, build, on_step):
        assert isinstance(engine, GpuEngine)  # nothing else builds
        raise BackendError(
            f"{request.model} has no {engine.others(exported)}: run `{request.command}`"
        )
    return exported


def _judge(
    engine: Engine, exported: ExportedModel, stages: Stages, on_step: OnStep | None
) -> ParityReport:
    """Run the gate against torch on the same device, and keep what it says."""
    from etam_ros.runtime.backends.torch.stages import open_torch_stages

    request = engine.request
    if on_step is not None:
        on_step(f"comparing {stages.name} with torch")
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with (
        exact,
        open_torch_stages(
            request.model,
            weights=request.weights,
            precision="fp32",
            device=stages.device.type,
        ) as reference,
    ):
        report = check_parity(
            stages,
            reference,
            request.precision,
            judges_masks=not request.weights.startswith("random:"),
        )
    write_verdict(exported, engine.verdict_key(exported), report)
    return report

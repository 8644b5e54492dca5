"""Engines: a model on a backend, built, judged by the parity gate, and opened.

What the gate said lies beside what was built, for each backend, precision, library version, CPU or
GPU, as long as no file changes; an engine without a verdict is judged before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from etam_ros.errors import BackendError
from etam_ros.runtime.backend import Backend, EngineRequest
from etam_ros.runtime.backends.exported_backend import ExportedBackend
from etam_ros.runtime.backends.onnxruntime.backend import OnnxBackend
from etam_ros.runtime.backends.openvino.backend import OpenVinoBackend
from etam_ros.runtime.backends.tensorrt.backend import TensorRTBackend, TensorRTRtxBackend
from etam_ros.runtime.backends.torch.backend import TorchBackend
from etam_ros.runtime.backends.torch.stages import TorchStages, choose_device
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.exported import OnStep
from etam_ros.runtime.parity import Follow, ParityReport, check_parity
from etam_ros.runtime.stages import Stages

ENGINES: Final[tuple[type[ExportedBackend], ...]] = (
    TensorRTBackend, TensorRTRtxBackend, OpenVinoBackend, OnnxBackend,
)  # fmt: skip
"""What `auto` tries before torch, the fastest of each device first."""
BACKENDS: Final[tuple[type[Backend], ...]] = (TorchBackend, *reversed(ENGINES))
BY_NAME: Final = {each.name: each for each in BACKENDS}


def open_engine(
    request: EngineRequest,
    follow: Follow,
    *,
    build: bool,
    on_step: OnStep | None = None,
) -> Stages:
    """Open a model; build and judge it first where that was not done yet.

    Args:
        request: what; backend auto takes the fastest that is built and passed, and builds nothing.
        follow: follows the gate's clip.
        build: False refuses what was not built yet.
        on_step: is told what is being done, if anything takes time.

    Raises:
        BackendError: the library is missing, there is no engine, or the gate refuses it.
        ConfigError, WeightsError: as `open_stages`.
    """
    backend = _backend_of(request)
    _see_to(backend, build, on_step)
    stages = backend.open()
    try:
        failures = backend.failures()
        if failures is None:
            failures = _judge(backend, stages, follow, on_step).failures
    except BaseException:
        stages.close()
        raise
    if failures:
        stages.close()
        raise BackendError(
            f"{stages.name} is refused, its results deviate from PyTorch: "
            f"{'; '.join(failures[:3])}: use another precision or backend (`etam verify` with "
            "the same options shows all numbers)"
        )
    return stages


def open_torch_stages(
    model: str, weights: str = "", precision: str = "auto", device: str = "auto", *, fixed: bool
) -> Stages:
    """Load a model onto PyTorch in the way that is named, not in that of the device.

    Args:
        model, weights, precision, device: as of `open_stages`.
        fixed: in fixed shapes, captured on CUDA; else operation by operation.

    Raises:
        BackendError, ConfigError, WeightsError: as `open_stages`.
    """
    request = EngineRequest(model, weights, "torch", precision, device=device)
    backend = TorchBackend(request, NetworkSource(model, weights))
    return backend.open_graphs() if fixed else backend.open_eager()


def verify_engine(
    request: EngineRequest, follow: Follow, *, build: bool, on_step: OnStep | None = None
) -> ParityReport:
    """Judge an engine again, and keep the verdict.

    Args:
        request, follow, build, on_step: as of `open_engine`.

    Raises:
        BackendError, ConfigError, WeightsError: as `open_engine`.
    """
    backend = _backend_of(request)
    _see_to(backend, build, on_step)
    with backend.open() as stages:
        return _judge(backend, stages, follow, on_step)


def build_elsewhere(request: EngineRequest, *, on_step: OnStep | None = None) -> bool:
    """Build plans for a GPU that is not here; nothing judges them until they are there.

    Returns:
        False, and nothing is done, where the request is for this machine.

    Raises:
        BackendError, ConfigError, WeightsError: as `open_engine`.
    """
    backend = _backend_of(request)
    if backend.runs_here:
        return False
    _see_to(backend, build=True, on_step=on_step)
    return True


def why_not(backend: Backend) -> str:
    """Why `auto` does not take an engine; empty: it does."""
    failures = None if backend.lacks() else backend.failures()
    if failures is None:
        return f"not built, `{backend.request.command}` does"
    return "refused by the parity gate" if failures else ""


def explain_auto(model: str) -> str:
    """What backend `auto` is on this machine, and why nothing faster."""
    reasons: list[str] = []
    for way, backend in _candidates(EngineRequest(model)):
        reason = why_not(backend) if backend else "not installed, or broken"
        if not reason:
            return f"{way} ({'; '.join(reasons)})" if reasons else way
        reasons.append(f"{way}: {reason}")
    return ""  # never: torch is always ready


def ways_here(device: str) -> list[tuple[str, str]]:
    """Backends and precisions that are worth measuring on this machine, the reference first."""
    place = choose_device(device).type
    eager = [("eager", "fp32"), ("eager", "fp16")] if place == "cuda" else []
    return eager + [
        (backend.name, precision)
        for backend in BACKENDS
        if place in backend.devices and backend.version()
        for precision in reversed(backend.worthwhile(place))
    ]


def is_installed(backend: str) -> bool:
    """Whether the library of a backend is there."""
    return BY_NAME[backend].version() != ""


def _backend_of(request: EngineRequest) -> Backend:
    """The backend that is asked for, or the fastest that is ready."""
    if request.backend != "auto":
        return BY_NAME[request.backend](request, NetworkSource(request.model, request.weights))
    return next(each for _, each in _candidates(request) if each and not why_not(each))


def _candidates(request: EngineRequest) -> Iterator[tuple[str, Backend | None]]:
    """Ways that `auto` tries, the fastest first, in words; None where it is not installed.

    All of them share one source: the weights are read once.
    """
    source = NetworkSource(request.model, request.weights)
    place, asked = choose_device(request.device).type, request.precision
    for kind in ENGINES:
        computed = kind.precisions(place) if place in kind.devices else ()
        tried = kind.worthwhile(place) if asked == "auto" else (asked,)
        for precision in (each for each in tried if each in computed):
            way = replace(request, backend=kind.name, precision=precision)
            yield f"{kind.name} {precision}", kind(way, source) if kind.version() else None
    yield "torch", TorchBackend(replace(request, backend="torch"), source)


def _see_to(backend: Backend, build: bool, on_step: OnStep | None) -> None:
    """Build what a backend lacks, or refuse."""
    if build and backend.lacks():
        backend.build(on_step)
    lacking = backend.lacks()
    if lacking:
        raise BackendError(f"{lacking}: run `{backend.request.command}`")


def _judge(
    backend: Backend, stages: Stages, follow: Follow, on_step: OnStep | None
) -> ParityReport:
    """Run the gate against torch on the same device, and keep what it says."""
    if on_step is not None:
        on_step(f"comparing {stages.name} with torch")
    with TorchStages(backend.source.take(), device=stages.device) as reference:
        report = check_parity(
            stages, reference, backend.precision, follow, judges_masks=backend.source.trained
        )
    backend.keep(report)
    return report

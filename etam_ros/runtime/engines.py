"""Engines: exported models on a runtime, built, judged by the parity gate, and opened.

What the gate said lies beside the export, for each backend, precision, library version and CPU,
as long as no file changes; an engine without a verdict is judged before it is used.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch

from etam_ros.errors import BackendError
from etam_ros.runtime.exported import ExportedModel, OnStep, engine_folder, locked
from etam_ros.runtime.parity import ParityReport, check_parity
from etam_ros.runtime.stages import Stages

VERDICTS: Final = "parity.json"
LIBRARIES: Final = {"onnx": "onnxruntime", "openvino": "openvino"}
FASTEST_FIRST: Final = (("openvino", "bf16"), ("openvino", "fp32"), ("onnx", "fp32"))
"""What `auto` tries on a CPU, before torch."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineRequest:
    """An engine that somebody wants.

    Attributes:
        model, weights: as in `open_stages`.
        backend: onnx or openvino.
        precision: in which it computes: fp32 or bf16.
        engine_dir: folder of all engines; empty for the default one.
        threads: of the CPU; 0: as many as torch uses.
    """

    model: str
    weights: str
    backend: str
    precision: str
    engine_dir: str = ""
    threads: int = 0

    @property
    def command(self) -> str:
        """What builds it."""
        weights = f" --weights {self.weights}" if self.weights else ""
        folder = f" --engine-dir {self.engine_dir}" if self.engine_dir else ""
        return (
            f"etam build {self.model} --backend {self.backend} --precision {self.precision}"
            f"{weights}{folder}"
        )

    def verdict_key(self, exported: ExportedModel) -> str:
        """What a verdict of the gate holds for."""
        library = LIBRARIES[self.backend]
        runs_on = f"{library} {_version(library)}, {_cpu()}"
        return f"{self.backend} {self.precision}, {runs_on}, files {exported.state}"


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


def open_engine(
    request: EngineRequest, *, build: bool, on_step: OnStep | None = None, judge: bool = True
) -> Stages:
    """Open an engine; export and judge it first where that was not done yet.

    Args:
        request: which.
        build: False refuses what was not exported yet.
        on_step: is told what is being done, if anything takes time.
        judge: False opens it whatever the gate says, to look at it.

    Raises:
        BackendError: the library is missing, there is no engine, or the gate refuses it.
        ConfigError, WeightsError: as `open_stages`.
    """
    opener = _opener(request)
    exported = _export(request, build, on_step)
    if exported is None:
        raise BackendError(
            f"{request.model} is not exported for {request.backend} yet: run `{request.command}`"
        )
    stages = opener(exported)
    try:
        failures = _verdict(exported, request)
        if judge and failures is None:
            failures = judge_engine(exported, request, stages, on_step).failures
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
    with open_engine(request, build=build, on_step=on_step, judge=False) as stages:
        exported = _export(request, build=False, on_step=None)
        assert exported is not None  # it is open
        return judge_engine(exported, request, stages, on_step)


def fastest_ready(
    model: str, weights: str, engine_dir: str, precision: str
) -> Callable[[], Stages] | None:
    """The first of `FASTEST_FIRST` that is installed, built and passed; None: torch it is.

    Args:
        model, weights, engine_dir: as in `EngineRequest`.
        precision: asked for, or auto.
    """
    for backend, computed in FASTEST_FIRST:
        request = EngineRequest(model, weights, backend, computed, engine_dir)
        if precision in ("auto", computed) and not why_not(request):
            return partial(open_engine, request, build=False)
    return None


def why_not(request: EngineRequest) -> str:
    """Why `auto` does not take an engine; empty: it does."""
    if not _is_installed(LIBRARIES[request.backend]):
        return "not installed"
    if request.precision == "bf16" and not has_bf16():
        return "this CPU has no bf16"
    exported = _export(request, build=False, on_step=None)
    failures = None if exported is None else _verdict(exported, request)
    if failures is None:
        return f"not built, `{request.command}` does"
    return "refused by the parity gate" if failures else ""


def explain_auto(model: str) -> str:
    """What backend `auto` is on this machine's CPU, and why nothing faster."""
    reasons: list[str] = []
    for backend, precision in FASTEST_FIRST:
        request = EngineRequest(model, "", backend, precision)
        reason = why_not(request)
        if not reason:
            return f"{backend} {precision}" + (f" ({'; '.join(reasons)})" if reasons else "")
        reasons.append(f"{backend} {precision}: {reason}")
    return f"torch ({'; '.join(reasons)})"


def ways_here(device: str) -> list[tuple[str, str]]:
    """Backends and precisions that can run on this machine, the reference first."""
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return [("torch", precision) for precision in ("fp32", "bf16", "fp16")]
    found = [("torch", "fp32")]
    for backend, precision in reversed(FASTEST_FIRST):
        usable = precision == "fp32" or has_bf16()
        if usable and _is_installed(LIBRARIES[backend]):
            found.append((backend, precision))
    return found


def judge_engine(
    exported: ExportedModel, request: EngineRequest, stages: Stages, on_step: OnStep | None
) -> ParityReport:
    """Run the gate, and keep what it says beside the export."""
    from etam_ros.runtime.torch_stages import open_torch_stages

    if on_step is not None:
        on_step(f"comparing {stages.name} with torch")
    with open_torch_stages(
        request.model, weights=request.weights, precision="fp32", device="cpu"
    ) as reference:
        report = check_parity(
            stages,
            reference,
            request.precision,
            judges_masks=not request.weights.startswith("random:"),
        )
    verdict = {"failures": report.failures, "report": asdict(report)}
    with locked(exported.folder):
        verdicts = _verdicts(exported)
        verdicts[request.verdict_key(exported)] = verdict
        path = exported.folder / VERDICTS
        making = path.with_suffix(f".{os.getpid()}")
        making.write_text(json.dumps(verdicts, indent=1) + "\n")
        making.replace(path)
    return report


def _opener(request: EngineRequest) -> Callable[[ExportedModel], Stages]:
    """What opens an export; a missing library is said before anything is exported."""
    threads = request.threads or torch.get_num_threads()
    if request.backend == "onnx":
        from etam_ros.runtime.onnx_stages import import_onnxruntime, open_onnx_stages

        import_onnxruntime()
        return lambda exported: open_onnx_stages(exported, threads)
    from etam_ros.runtime.openvino_stages import import_openvino, open_openvino_stages

    import_openvino()
    return lambda exported: open_openvino_stages(exported, threads, request.precision)


def _export(request: EngineRequest, build: bool, on_step: OnStep | None) -> ExportedModel | None:
    from etam_ros.runtime.export import export_model

    return export_model(  # OpenVINO reduces the precision by itself
        request.model,
        request.weights,
        "fp32",
        engine_folder(request.engine_dir),
        build=build,
        on_step=on_step,
    )


def _verdict(exported: ExportedModel, request: EngineRequest) -> list[str] | None:
    """What the gate found off, or None where it has not looked yet."""
    try:
        return list(_verdicts(exported)[request.verdict_key(exported)]["failures"])
    except (KeyError, TypeError):
        return None


def _verdicts(exported: ExportedModel) -> dict[str, Any]:
    try:
        found = json.loads((exported.folder / VERDICTS).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_installed(library: str) -> bool:
    return _version(library) != ""


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _cpu() -> str:
    """The CPU's name; verdicts do not travel with a folder to another one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

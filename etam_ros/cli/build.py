"""`etam build`: an engine for this machine, judged by the parity gate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import ENGINE_BACKENDS, NetworkConfig
from etam_ros.options import option

if TYPE_CHECKING:
    from etam_ros.runtime.backend import EngineRequest


@dataclass(frozen=True)
class EngineConfig(NetworkConfig):
    """Which engine: as for the network that runs on it, but what runs it is named."""

    backend: str = option("openvino", "Library that computes the engine.", choices=ENGINE_BACKENDS)


engine_options = options_of(
    EngineConfig, "model", "weights", "backend", "precision", "engine_dir", positional="model"
)

WorkspaceMib = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Largest amount of GPU memory that a layer may use, for small GPUs; 0: no limit.",
        show_default="as the engine was built, otherwise no limit",
    ),
]
Target = Annotated[
    str,
    typer.Option(
        help=(
            "Build with tensorrt_rtx for the GPU of another machine, as sm89; run `etam "
            "verify` there."
        ),
        show_default="the GPU of this machine",
    ),
]


@engine_options
def build(
    engine: EngineConfig,
    workspace_mib: WorkspaceMib = None,
    target: Target = "",
) -> None:
    """Build an engine, and compare it with PyTorch in fp32.

    If it passes, backend auto uses it from then on. An existing engine is only checked again. For
    the GPU of another machine, copy the folder that is printed to the same place there.

    Example: etam build etam_nano --backend tensorrt_rtx --target sm89
    """
    from etam_ros.cli.terminal.progress import working
    from etam_ros.runtime.engines import build_elsewhere
    from etam_ros.runtime.exported import engine_folder

    request = engine_request(engine, workspace_mib=workspace_mib, target=target)
    if not target:
        judge(request, build=True)
        return
    with working(f"{engine.model} on {engine.backend} for {target}") as on_step:
        elsewhere = build_elsewhere(request, on_step=on_step)
    if not elsewhere:
        judge(request, build=True)
        return
    typer.echo(
        f"{engine.model} is built for {target} in {engine_folder(engine.engine_dir)}. That GPU "
        "is not here, so nothing was checked: copy the folder there, and run `etam verify "
        f"{engine.model} --backend {engine.backend} --precision {request.precision}`"
    )


def engine_request(
    engine: EngineConfig, *, workspace_mib: int | None = None, target: str = ""
) -> EngineRequest:
    """What is asked for; precision auto is settled.

    Raises:
        BackendError: there is no such engine.
    """
    from etam_ros.runtime.backend import EngineRequest
    from etam_ros.runtime.engines import BY_NAME

    request = EngineRequest(
        engine.model, engine.weights, engine.backend, engine.precision, engine.engine_dir,
        target=target, workspace_mib=workspace_mib,
    )  # fmt: skip
    chosen = BY_NAME[engine.backend].choose_precision(engine.precision, "auto")
    return replace(request, precision=chosen)


def judge(request: EngineRequest, *, build: bool) -> None:
    """Run the gate, show what it found, and exit with 1 if it refuses."""
    from rich.console import Console

    from etam_ros.cli.terminal.progress import working
    from etam_ros.cli.terminal.tables import parity_table
    from etam_ros.runtime.engines import verify_engine
    from etam_ros.tracking.parity_clip import follow_clip

    with working(f"{request.model} on {request.backend}") as on_step:
        report = verify_engine(request, follow_clip, build=build, on_step=on_step)
    console = Console()
    console.print(parity_table(report))
    if not report.passed:
        raise typer.Exit(1)

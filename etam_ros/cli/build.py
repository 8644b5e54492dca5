"""`etam build`: an engine for this machine, judged by the parity gate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from etam_ros.config import DEFAULT_MODEL

if TYPE_CHECKING:
    from etam_ros.runtime.backend import EngineRequest

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Backend = Annotated[str, typer.Option(help="openvino, onnx, tensorrt or tensorrt_rtx.")]
Precision = Annotated[
    str,
    typer.Option(
        help="auto, fp32, bf16 or fp16; auto is bf16 with OpenVINO where the CPU has it, and fp16 "
        "with TensorRT."
    ),
]
Weights = Annotated[
    str, typer.Option(help="Weights file, or random:SEED.", show_default="the model's own")
]
EngineDir = Annotated[
    str,
    typer.Option(
        help="Folder of the engines.",
        show_default="engines/ of a source checkout, else the user's cache",
    ),
]
WorkspaceMib = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Most memory that a layer may use on the GPU, for small ones; 0: no limit.",
        show_default="as it was built, else no limit",
    ),
]
Target = Annotated[
    str,
    typer.Option(
        help="Build with tensorrt_rtx for a GPU elsewhere, as sm89; it is judged there.",
        show_default="the GPU here",
    ),
]


def build(
    model: Model = DEFAULT_MODEL,
    backend: Backend = "openvino",
    precision: Precision = "auto",
    weights: Weights = "",
    engine_dir: EngineDir = "",
    workspace_mib: WorkspaceMib = None,
    target: Target = "",
) -> None:
    """Build an engine, and hold it against PyTorch in fp32.

    From then on backend auto uses it, if it passed. What is built already is only judged again.
    For a GPU elsewhere, copy the folder that is named to the same place there.

    Example: etam build etam_nano --backend tensorrt_rtx --target sm89
    """
    from etam_ros.cli.terminal.progress import working
    from etam_ros.runtime.engines import build_elsewhere
    from etam_ros.runtime.exported import engine_folder

    request = engine_request(
        model, backend, precision, weights, engine_dir, workspace_mib=workspace_mib, target=target
    )
    if not target:
        judge(request, build=True)
        return
    with working(f"{model} on {backend} for {target}") as on_step:
        elsewhere = build_elsewhere(request, on_step=on_step)
    if not elsewhere:
        judge(request, build=True)
        return
    typer.echo(
        f"{model} is built for {target} in {engine_folder(engine_dir)}. That GPU is not here, so "
        f"nothing was judged: copy the folder there, and run `etam verify {model} --backend "
        f"{backend} --precision {request.precision}`"
    )


def engine_request(
    model: str, backend: str, precision: str, weights: str, engine_dir: str,
    *, workspace_mib: int | None = None, target: str = "",
) -> EngineRequest:  # fmt: skip
    """What is asked for; precision auto is settled.

    Raises:
        ConfigError, BackendError: there is no such engine.
    """
    from etam_ros.errors import ConfigError
    from etam_ros.runtime.backend import EngineRequest
    from etam_ros.runtime.engines import BY_NAME, ENGINES

    names = [each.name for each in reversed(ENGINES)]
    if backend not in names:
        raise ConfigError(f"backend is {backend!r}, expected one of {', '.join(names)}")
    request = EngineRequest(
        model, weights, backend, precision, engine_dir,
        target=target, workspace_mib=workspace_mib,
    )  # fmt: skip
    return replace(request, precision=BY_NAME[backend].choose_precision(precision, "auto"))


def judge(request: EngineRequest, *, build: bool) -> None:
    """Run the gate, show what it found, and exit with 1 if it refuses."""
    from rich.console import Console

    from etam_ros.cli.terminal.parity_table import parity_table
    from etam_ros.cli.terminal.progress import working
    from etam_ros.runtime.engines import verify_engine
    from etam_ros.tracking.parity_clip import follow_clip

    with working(f"{request.model} on {request.backend}") as on_step:
        report = verify_engine(request, follow_clip, build=build, on_step=on_step)
    console = Console()
    console.print(parity_table(report))
    if not report.passed:
        raise typer.Exit(1)

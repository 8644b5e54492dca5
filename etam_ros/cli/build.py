"""`etam build`: an engine for this machine, judged by the parity gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etam_ros.config import DEFAULT_MODEL

if TYPE_CHECKING:
    from etam_ros.runtime.engines import EngineRequest

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Backend = Annotated[str, typer.Option(help="openvino or onnx.")]
Precision = Annotated[
    str, typer.Option(help="auto, fp32 or bf16; auto is bf16 with OpenVINO where the CPU has it.")
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


def build(
    model: Model = DEFAULT_MODEL,
    backend: Backend = "openvino",
    precision: Precision = "auto",
    weights: Weights = "",
    engine_dir: EngineDir = "",
) -> None:
    """Build an engine, and hold it against PyTorch in fp32.

    From then on backend auto uses it, if it passed. What is built already is only judged again.
    """
    judge(engine_request(model, backend, precision, weights, engine_dir), build=True)


def engine_request(
    model: str, backend: str, precision: str, weights: str, engine_dir: str
) -> EngineRequest:
    """What is asked for; precision auto is settled.

    Raises:
        ConfigError, BackendError: there is no such engine.
    """
    from etam_ros.errors import ConfigError
    from etam_ros.runtime.engines import LIBRARIES, EngineRequest, choose_cpu_precision

    if backend not in LIBRARIES:
        raise ConfigError(f"backend is {backend!r}, expected one of {', '.join(LIBRARIES)}")
    computed = choose_cpu_precision(backend, precision)
    return EngineRequest(model, weights, backend, computed, engine_dir)


def judge(request: EngineRequest, *, build: bool) -> None:
    """Run the gate, show what it found, and exit with 1 if it refuses."""
    from rich.console import Console

    from etam_ros.cli.parity_table import parity_table
    from etam_ros.cli.progress import working
    from etam_ros.runtime.engines import verify_engine

    with working(f"{request.model} on {request.backend}") as on_step:
        report = verify_engine(request, build=build, on_step=on_step)
    console = Console()
    console.print(parity_table(report))
    if not report.passed:
        raise typer.Exit(1)

"""`etam bench`: what the stages, the tracker and the node take on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etam_ros.config import DEFAULT_MODEL

if TYPE_CHECKING:
    from rich.table import Table

    from etam_ros.evaluation.benchmark import Timing

SIZES = {"720p": (720, 1280), "1080p": (1080, 1920)}
UNTRAINED = "random:0"


def bench(
    model: Annotated[str, typer.Option(help="Name of the model.")] = DEFAULT_MODEL,
    weights: Annotated[
        str,
        typer.Option(
            help="Weights file, or random:SEED; speed does not depend on them.",
            show_default="the model's own, untrained ones if they are not here",
        ),
    ] = "",
    backend: Annotated[str, typer.Option(help="auto, torch, onnx or openvino.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    objects: Annotated[int, typer.Option(min=1, help="Objects followed by the tracker.")] = 1,
    frames: Annotated[int, typer.Option(min=1, help="Measured frames of the tracker.")] = 30,
    node_frames: Annotated[
        int,
        typer.Option(min=0, help="Measured frames of the node, at each size; 0 leaves it out."),
    ] = 200,
) -> None:
    """Measure the stages, the tracker and the node on this machine.

    Banks are full: one conditioning frame, six recent memories, sixteen pointers. The node's
    overhead is what lies between an image received and its results published, less the four
    stages, with objects and label image subscribed and one object.
    """
    from rich.console import Console

    from etam_ros.errors import WeightsError
    from etam_ros.runtime.torch_weights import resolve_weights

    try:
        weights = resolve_weights(model, weights)
    except WeightsError:
        if weights:
            raise
        weights = UNTRAINED
    console = Console()
    console.print(_bench_tracker(model, weights, backend, precision, device, objects, frames))
    if node_frames:
        console.print(_bench_node(model, weights, backend, precision, device, node_frames))


def _bench_tracker(
    model: str,
    weights: str,
    backend: str,
    precision: str,
    device: str,
    objects: int,
    frames: int,
) -> Table:
    from etam_ros.cli.progress import frame_progress
    from etam_ros.evaluation.benchmark import FILLING_FRAMES, time_tracker
    from etam_ros.runtime import open_stages

    with open_stages(
        model, weights=weights, backend=backend, precision=precision, device=device
    ) as stages:
        with frame_progress("tracker", FILLING_FRAMES + frames) as advance:
            timings = time_tracker(
                stages, objects=objects, frames=frames, source_hw=SIZES["720p"], on_frame=advance
            )
        what = "1 object" if objects == 1 else f"{objects} objects"
        table = _table(f"{stages.name}: {what}, 720p, {frames} frames")
    for name in ("part of a frame", "p50 ms", "p99 ms"):
        table.add_column(name, justify="left" if name.startswith("part") else "right")
    for timing in timings:
        table.add_row(*_cells(timing), style="bold" if timing.name == "step" else "")
    return table


def _table(title: str) -> Table:
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 4)


def _cells(timing: Timing) -> tuple[str, str, str]:
    return timing.name.replace("_", " "), f"{timing.p50_ms:.2f}", f"{timing.p99_ms:.2f}"


def _bench_node(
    model: str, weights: str, backend: str, precision: str, device: str, frames: int
) -> Table | str:
    from etam_ros.cli.progress import frame_progress
    from etam_ros.evaluation.benchmark import FILLING_FRAMES

    try:
        from etam_ros.ros.overhead_probe import ProbePlan, measure_overhead
    except ImportError as error:
        return f"node: not measured, {error}: `etam doctor` says how to get ROS"
    table = _table(f"node: 1 object, {frames} frames each")
    for name in ("images", "overhead p50 ms", "latency p50 ms", "latency p99 ms"):
        table.add_column(name, justify="left" if name == "images" else "right")
    for name, (height, width) in SIZES.items():
        plan = ProbePlan(model, weights, backend, precision, device, width, height, frames)
        with frame_progress(f"node, {name}", FILLING_FRAMES + frames) as advance:
            numbers = measure_overhead(plan, advance)
        cells = ("overhead_p50_ms", "latency_p50_ms", "latency_p99_ms")
        table.add_row(name, *(f"{numbers[cell]:.2f}" for cell in cells))
    return table

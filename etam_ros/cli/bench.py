"""`etam bench`: what the stages, the tracker and the node take on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from etam_ros.benchmark.config import BenchConfig
from etam_ros.cli.terminal.options import options_of
from etam_ros.options import counts

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from etam_ros.benchmark.side_by_side import Measured
    from etam_ros.runtime import Stages

SIZES = {"720p": (720, 1280), "1080p": (1080, 1920)}
UNTRAINED = "random:0"


@options_of(BenchConfig, without=("engine_dir",))
def bench(config: BenchConfig) -> None:
    """Measure the stages, the tracker and the node on this machine.

    Several backends run alternately on the same frames, so that their ratio does not depend on
    other load. Banks are full: one conditioning frame, six recent memories, sixteen pointers.
    The node's overhead is the time from receiving an image to publishing its results, minus the
    four stages, with one object, and with objects and label image subscribed.
    """
    _check_paths(config)
    from rich.console import Console

    from etam_ros.errors import WeightsError
    from etam_ros.runtime.backends.torch.weights import resolve_weights

    try:
        config = replace(config, weights=resolve_weights(config.model, config.weights))
    except WeightsError:
        if config.weights:
            raise
        config = replace(config, weights=UNTRAINED)
    ways = _ways(config.backend, config.precision, config.device)
    if config.against:
        first = _ways(config.against, "auto", config.device)[0]
        ways = [first, *(way for way in ways if way != first)]
    console = Console()
    measured = _bench_tracker(config, ways, console)
    _write(config, measured)
    if config.node_frames:
        console.print(_bench_node(config, ways[-1]))


def _write(config: BenchConfig, measured: list[Measured]) -> None:
    """Write the files that were asked for."""
    from etam_ros.benchmark.tables import draw, write_csv
    from etam_ros.media.files import writing

    if config.table:
        with writing(Path(config.table)):
            write_csv(measured, Path(config.table))
    if config.plot:
        with writing(Path(config.plot)):
            draw(measured, f"{config.model}, 720p, {config.frames} frames", Path(config.plot))


def _check_paths(config: BenchConfig) -> None:
    """Raise SourceError before anything is measured that could not be written."""
    from etam_ros.media.files import check_can_write

    for file, name in ((config.table, "--csv"), (config.plot, "--plot")):
        if file:
            check_can_write(Path(file), name)


Way = tuple[str, str]
"""A backend and a precision."""


def _ways(backend: str, precision: str, device: str) -> list[Way]:
    """What to measure, in the order that was asked for."""
    from etam_ros.runtime.engines import ways_here

    if backend == "all":
        return ways_here(device)
    pairs = [each.strip().partition(":") for each in backend.split(",")]
    return [(name, own or precision) for name, _, own in pairs]


def _bench_tracker(config: BenchConfig, ways: list[Way], console: Console) -> list[Measured]:
    """Measure and print, a table for each number of objects."""
    from etam_ros.benchmark.side_by_side import measure_side_by_side, open_way
    from etam_ros.benchmark.workload import FILLING_FRAMES, Workload
    from etam_ros.cli.terminal.progress import frame_progress, working

    found: list[Measured] = []
    with ExitStack() as stack:
        opened: dict[str, Stages] = {}
        ways_of: dict[str, Way] = {}  # auto may turn out to be a precision that is named too
        for way in ways:
            with working(f"opening {way[0]}") as on_step:
                stages = open_way(
                    config.model, config.weights, *way, config.device, on_step=on_step
                )
                stack.enter_context(stages)
            opened.setdefault(_short(stages.name), stages)
            ways_of.setdefault(_short(stages.name), way)
        first = next(iter(opened))
        for objects in counts("objects", config.objects):
            with frame_progress(
                "tracker", (FILLING_FRAMES + config.frames) * len(opened)
            ) as advance:
                measured = measure_side_by_side(
                    opened, dict.fromkeys(opened, first), Workload(objects, config.frames),
                    on_frame=advance,
                )  # fmt: skip
            if config.memory:
                measured = [
                    _with_memory(each, config, way)
                    for each, way in zip(measured, ways_of.values(), strict=True)
                ]
            found += measured
            what = "1 object" if objects == 1 else f"{objects} objects"
            console.print(
                _tracker_table(f"{config.model}: {what}, 720p, {config.frames} frames", measured)
            )
    return found


def _with_memory(measured: Measured, config: BenchConfig, way: Way) -> Measured:
    """The same with the peak memory of a process that runs it alone."""
    from etam_ros.benchmark.peak_memory import Load, peak_memory_mib
    from etam_ros.cli.terminal.progress import working

    load = Load(config.model, config.weights, *way, config.device, measured.objects, SIZES["720p"])
    with working(f"memory of {measured.name}"):
        return replace(measured, peak_mib=peak_memory_mib(load))


def _short(name: str) -> str:
    """Backend and precision of stages, of their name."""
    backend, _, precision = name.partition(" on ")[2].split(", ")
    return f"{backend} {precision}"


def _tracker_table(title: str, measured: list[Measured]) -> Table:
    """A column for each way; medians of the parts of a frame, and what the frame comes to."""
    from etam_ros.benchmark.frame_clock import PARTS, STEP
    from etam_ros.cli.terminal.tables import titled_table

    names = (each.name.replace(" ", "\n") for each in measured)
    table = titled_table(title, "p50 ms of", *names)
    table.columns[0].no_wrap = True
    for part in (*PARTS, STEP):
        style = "bold" if part == STEP else ""
        medians = [f"{each.timings[part].p50_ms:.1f}" for each in measured]
        table.add_row(part.replace("_", " "), *medians, style=style)
    table.add_section()
    table.add_row("step, p99 ms", *(f"{each.step.p99_ms:.1f}" for each in measured))
    table.add_row("frames/s", *(f"{each.frames_per_s:.1f}" for each in measured))
    if len(measured) > 1:
        table.add_row("times faster", *(f"{each.ratio:.2f}" for each in measured))
        table.add_row("masks' IoU", *(f"{each.agreement:.3f}" for each in measured))
    if any(each.peak_mib for each in measured):
        table.add_row("peak MiB", *(str(each.peak_mib) for each in measured))
    return table


def _bench_node(config: BenchConfig, way: Way) -> Table | str:
    from etam_ros.benchmark.workload import FILLING_FRAMES
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.cli.terminal.tables import titled_table

    try:
        from etam_ros.ros.harness.overhead_probe import ProbePlan, measure_overhead
    except ImportError as error:
        return f"node: not measured, {error}: `etam doctor` says how to get ROS"
    columns = ("images", "overhead p50 ms", "latency p50 ms", "latency p99 ms")
    table = titled_table(f"node: 1 object, {config.node_frames} frames each", *columns)
    for name, (height, width) in SIZES.items():
        plan = ProbePlan(
            config.model,
            config.weights,
            *way,
            config.device,
            width,
            height,
            config.node_frames,
        )
        with frame_progress(f"node, {name}", FILLING_FRAMES + config.node_frames) as advance:
            numbers = measure_overhead(plan, advance)
        cells = ("overhead_p50_ms", "latency_p50_ms", "latency_p99_ms")
        table.add_row(name, *(f"{numbers[cell]:.2f}" for cell in cells))
    return table

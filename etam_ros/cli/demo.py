"""`etam demo`: the real node and player on a made-up clip, or on yours."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from etam_ros.cli.terminal.errors import EXIT_INTERRUPTED
from etam_ros.config import DEFAULT_MODEL
from etam_ros.errors import PromptError, SourceError, WeightsError

if TYPE_CHECKING:
    from etam_ros.demo.listener import ClipTruth, DemoListener
    from etam_ros.demo.processes import DemoCounts
    from etam_ros.demo.report import DemoReport
    from etam_ros.records import Prompt

_UNTRAINED: Final = "random:0"
_FRAMES: Final = 90
_SEED: Final = 33
_FOLLOWED: Final = 2
"""Objects of the made-up clip that are clicked on: the first hides, the second crosses it."""
_SLOW_HZ: Final = 5.0
"""Images per second without a GPU: about what the default model keeps up with on a CPU."""
_GPU_MARKS: Final = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvgpu")


@dataclass(frozen=True)
class Material:
    """What is played.

    Attributes:
        path: for the player.
        name: in words.
        fps: its own frames per second.
        truth: of a made-up clip, or None.
    """

    path: str
    name: str
    fps: float
    truth: ClipTruth | None = None


@dataclass(frozen=True)
class Plan:
    """What the demo shall do: the options, with their defaults settled."""

    out: Path
    model: str
    weights: str
    rate_hz: float
    frames: int
    prompts: tuple[Prompt, ...]

    @property
    def trained(self) -> bool:
        """Whether the weights have learned anything."""
        return not self.weights.startswith("random:")


def demo(
    source: Annotated[
        str,
        typer.Argument(help="Video file or folder of images.", show_default="a made-up clip"),
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for what it leaves.")] = Path("demo"),
    model: Annotated[str, typer.Option(help="Name of the model.")] = DEFAULT_MODEL,
    weights: Annotated[
        str,
        typer.Option(
            help="Weights file, or random:SEED.",
            show_default="the model's own; without them random:0",
        ),
    ] = "",
    rate: Annotated[
        float,
        typer.Option(
            help="Images per second.", show_default="the source's own; 5 without a GPU", min=0.0
        ),
    ] = 0.0,
    frames: Annotated[int, typer.Option(help="Images after which it ends.", min=2)] = _FRAMES,
    click: Annotated[
        list[str] | None,
        typer.Option(help="Click on an object of SOURCE; repeat for more.", metavar="X,Y"),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help="Box around one; repeat for more.", metavar="X0,Y0,X1,Y1"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the made-up clip.", min=0)] = _SEED,
) -> None:
    """See it work: the real node and player as processes, clicks through the real service.

    Leaves overlay.mp4, overlay.jpg and report.md, drawn and counted from the messages that the
    node published. The made-up clip has ground truth: the report says how well each object was
    followed. In a SOURCE, say where to click; otherwise it clicks in the middle.
    """
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.ros.process import require_rclpy

    require_rclpy()
    prompts = _prompts(click or [], box or [])
    if prompts and not source:
        raise PromptError("--click and --box need a SOURCE: the made-up clip is clicked for you")
    slow = not rate and not any(Path(mark).exists() for mark in _GPU_MARKS)
    plan = Plan(
        out, model, _weights(model, weights), _SLOW_HZ if slow else rate, frames, tuple(prompts)
    )
    if not plan.trained:
        typer.echo(f"The weights are untrained ({plan.weights}): masks and IoU mean nothing yet.")
    with stop_on_interrupt() as stop:
        _start_folder(out)
        material = _given(source) if source else _made_up(seed, frames, out)
        report = _run(plan, material, stop)
        if report.results:
            _leave(report, out)
        if stop():
            typer.echo(f"stopped after {report.results} results", err=True)
            raise typer.Exit(EXIT_INTERRUPTED)


def _run(plan: Plan, material: Material, stop: Callable[[], bool]) -> DemoReport:
    """Play, click and listen, with a line that says what is being done."""
    from etam_ros.demo.listener import DemoListener
    from etam_ros.demo.processes import DemoSettings, Listener, run_demo

    parameters = (("model", plan.model), ("weights", plan.weights))
    settings = DemoSettings(
        material.path, plan.rate_hz, plan.frames, parameters, plan.out / "logs"
    )
    with (
        _status() as say,
        DemoListener(
            plan.out, material.fps, prompts=plan.prompts, truth=material.truth
        ) as listener,
    ):
        counts = run_demo(
            settings,
            Listener(
                prompts_for=listener.prompts_for,
                on_sighting=lambda seen: listener.take(
                    seen.index, seen.image, seen.result, seen.latency_ms
                ),
                on_status=say,
                stop=stop,
            ),
        )
    return _report(plan, material, listener, counts)


def _report(
    plan: Plan, material: Material, listener: DemoListener, counts: DemoCounts
) -> DemoReport:
    from etam_ros.demo.report import DemoReport

    return DemoReport(
        source=material.name,
        model=plan.model,
        weights=plan.weights,
        trained=plan.trained,
        rate_hz=plan.rate_hz,
        images=counts.images,
        results=counts.results,
        seconds=counts.seconds,
        latencies_ms=listener.latencies_ms,
        scores=[listener.scores[key] for key in sorted(listener.scores)],
    )


def _leave(report: DemoReport, out: Path) -> None:
    """Write report.md and show it."""
    from etam_ros.demo.report import SCORE_COLUMNS

    try:
        (out / "report.md").write_text(report.markdown(), encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {out / 'report.md'}: {error.strerror}") from None
    console = Console()
    table = Table(show_header=False)
    for name, value in report.rows().items():
        table.add_row(name, value)
    console.print(table)
    if report.scores:
        scores = Table(*SCORE_COLUMNS)
        for row in report.score_rows():
            scores.add_row(*row)
        console.print(scores)
    typer.echo(f"Look at {out / 'overlay.mp4'} and {out / 'overlay.jpg'}; table: {out}/report.md")


def _weights(model: str, weights: str) -> str:
    """The weights asked for, else the model's own if they are here, else random ones."""
    if weights:
        return weights
    from etam_ros.runtime.backends.torch.weights import weights_file

    try:
        return str(weights_file(model))
    except WeightsError:
        return _UNTRAINED


def _prompts(clicks: list[str], boxes: list[str]) -> list[Prompt]:
    """One new object for each click and each box."""
    from etam_ros.records import FOREGROUND, Prompt

    prompts: list[Prompt] = []
    for text in clicks:
        x, y = _numbers("--click", text, 2, "X,Y")
        prompts.append(Prompt(len(prompts) + 1, points=[(x, y)], point_labels=[FOREGROUND]))
    for text in boxes:
        x0, y0, x1, y1 = _numbers("--box", text, 4, "X0,Y0,X1,Y1")
        prompts.append(Prompt(len(prompts) + 1, box=(x0, y0, x1, y1)))
    return prompts


def _numbers(option: str, text: str, count: int, expected: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise PromptError(f"{option} is {text!r}, expected {expected} in pixels, without spaces")
    return numbers


def _start_folder(out: Path) -> None:
    """Make the folder; take away what an earlier demo left."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in ("overlay.mp4", "overlay.mp4.part", "overlay.jpg", "report.md"):
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise SourceError(
            f"--out {out} cannot be written: {error.strerror}: choose another folder"
        ) from None


def _given(source: str) -> Material:
    """A source of the user's, looked at once so that mistakes show at once."""
    from etam_ros.media.sources import open_source

    with open_source(source) as frames:
        return Material(source, source, frames.fps)


def _made_up(seed: int, frames: int, out: Path) -> Material:
    """Make up a clip, write it as a folder of JPEGs, and learn its truth as it will be read."""
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.demo.listener import ClipTruth
    from etam_ros.drawing.contact_sheet import write_jpeg
    from etam_ros.media.label_png import encode_label_png
    from etam_ros.media.sources import open_source
    from etam_ros.synthetic.scene.clips import generate_clip

    clip = generate_clip(seed, frames=frames)
    pictures, masks = out / "clip" / "frames", out / "clip" / "masks"
    followed = clip.object_ids[:_FOLLOWED]
    truth = ClipTruth({object_id: clip.labels[object_id] for object_id in followed})
    label_images = []
    try:
        shutil.rmtree(out / "clip", ignore_errors=True)
        pictures.mkdir(parents=True)
        masks.mkdir()
        with frame_progress("making up a clip", frames) as advance:
            for frame in clip:
                write_jpeg(str(pictures / f"{frame.index:05d}.jpg"), frame.image, quality=95)
                label_png = encode_label_png(frame.label_image)
                (masks / f"{frame.index:05d}.png").write_bytes(label_png)
                label_images.append(frame.label_image)
                advance()
    except OSError as error:
        raise SourceError(f"cannot write {pictures}: {error.strerror or error}") from None
    with open_source(pictures, fps=clip.fps) as played:
        for index, picture in enumerate(played):
            truth.add(index, picture.image, label_images[index])
    return Material(str(pictures), f"made-up clip, seed {seed}, {frames} frames", clip.fps, truth)


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """A line that says what is being done: on a terminal it turns, elsewhere it is printed."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what: typer.echo(f"{what} ...", err=True)
        return
    with console.status("") as line:
        yield lambda what: line.update(f"{what} ...")

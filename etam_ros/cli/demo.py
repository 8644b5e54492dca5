"""`etam demo`: the real node and player on a made-up clip, or on yours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from etam_ros.cli.terminal.errors import EXIT_INTERRUPTED
from etam_ros.config import DEFAULT_MODEL
from etam_ros.errors import PromptError

if TYPE_CHECKING:
    from etam_ros.demo.options import DemoOptions
    from etam_ros.demo.report import DemoReport


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
    frames: Annotated[int, typer.Option(help="Images after which it ends.", min=2)] = 90,
    click: Annotated[
        list[str] | None,
        typer.Option(help="Click on an object of SOURCE; repeat for more.", metavar="X,Y"),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help="Box around one; repeat for more.", metavar="X0,Y0,X1,Y1"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the made-up clip, or room.", min=0)] = 33,
    follow: Annotated[
        bool, typer.Option("--follow", help="A robot follows a figure in a simulated room.")
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(
            help="With --follow: simulated seconds.", show_default="the whole walk", min=0.0
        ),
    ] = 0.0,
) -> None:
    """See it work: the real node and player as processes, clicks through the real service.

    Leaves overlay.mp4, overlay.jpg and report.md, drawn and counted from the messages that the
    node published. The made-up clip has ground truth: the report says how well each object was
    followed. In a SOURCE, say where to click; otherwise it clicks in the middle.

    With --follow, the node /follower drives a simulated robot after what the tracker sees. Leaves
    follow.mp4, follow.png and follow.md, which says whether it kept up. Exit code 1 if it did not.
    """
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import frame_progress, working
    from etam_ros.demo.clip import make_clip, open_clip
    from etam_ros.demo.options import DemoOptions, prompts_from_text, with_defaults
    from etam_ros.demo.run import run_demo, start_folder
    from etam_ros.ros.process import require_rclpy

    require_rclpy()
    prompts = prompts_from_text(click or [], box or [])
    if follow:
        if source or prompts or rate:
            raise PromptError(
                "--follow has its own room: leave out SOURCE, --click, --box and --rate"
            )
        _follow(with_defaults(DemoOptions(out, model, weights, rate, frames)), seed, seconds)
        return
    if prompts and not source:
        raise PromptError("--click and --box need a SOURCE: the made-up clip is clicked for you")
    options = with_defaults(DemoOptions(out, model, weights, rate, frames, prompts))
    if not options.trained:
        typer.echo(f"Weights are untrained ({options.weights}): masks and IoU mean nothing yet.")
    with stop_on_interrupt() as stop:
        start_folder(out)
        if source:
            clip = open_clip(source)
        else:
            with frame_progress("making up a clip", frames) as advance:
                clip = make_clip(seed, frames, out / "clip", advance)
        with working("demo") as status:
            report = run_demo(options, clip, on_status=status, stop=stop)
        if report.counts.results:
            _show(report, out)
        if stop():
            typer.echo(f"stopped after {report.counts.results} results", err=True)
            raise typer.Exit(EXIT_INTERRUPTED)


def _follow(options: DemoOptions, seed: int, seconds: float) -> None:
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import working
    from etam_ros.demo.follow.plot import require_matplotlib
    from etam_ros.demo.follow.report import COLUMNS
    from etam_ros.demo.follow.run import FollowOptions, run_follow_demo

    require_matplotlib()
    wanted = FollowOptions(options.out, options.model, options.weights, seed, seconds)
    with stop_on_interrupt() as stop, working("demo") as status:
        report = run_follow_demo(wanted, on_status=status, stop=stop)
    if report.rows:
        numbers, table = Table(show_header=False), Table(*COLUMNS)
        for pair in report.numbers().items():
            numbers.add_row(*pair)
        for row in report.table():
            table.add_row(*row)
        Console().print(numbers, table)
        typer.echo(f"Look at {options.out / 'follow.mp4'} and {options.out / 'follow.png'}")
    if stop():
        typer.echo(f"stopped after {len(report.rows)} pictures", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    if not report.passed:
        raise typer.Exit(1)


def _show(report: DemoReport, out: Path) -> None:
    from etam_ros.demo.report import SCORE_COLUMNS

    numbers, scores = Table(show_header=False), Table(*SCORE_COLUMNS)
    for row in report.rows().items():
        numbers.add_row(*row)
    for score in report.score_rows():
        scores.add_row(*score)
    Console().print(numbers, *([scores] if report.scores else []))
    typer.echo(f"Look at {out / 'overlay.mp4'} and {out / 'overlay.jpg'}; table: {out}/report.md")

"""`etam demo`: the real node and player on a made-up clip, or on yours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from etam_ros.cli.terminal.errors import EXIT_INTERRUPTED
from etam_ros.cli.terminal.options import options_of
from etam_ros.demo.config import DemoConfig

if TYPE_CHECKING:
    from etam_ros.demo.options import DemoOptions
    from etam_ros.demo.report import DemoReport


@options_of(
    DemoConfig, positional="source", without=("backend", "precision", "device", "engine_dir")
)
def demo(config: DemoConfig) -> None:
    """See it work: the real node and player as processes, clicks through the real service.

    Leaves overlay.mp4, overlay.jpg and report.md, drawn and counted from the messages that the
    node published. The made-up clip has ground truth: the report says how well each object was
    followed. In a SOURCE, say where to click; otherwise it clicks in the middle.

    With --follow, the node /follower drives a simulated robot after what the tracker sees. Leaves
    follow.mp4, follow.jpg, follow.png and follow.md, which says whether it kept up; exit code 1 if
    it did not.
    """
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import frame_progress, working
    from etam_ros.demo.clip import make_clip, open_clip
    from etam_ros.demo.options import settled
    from etam_ros.demo.run import run_demo, start_folder
    from etam_ros.ros.startup import require_rclpy

    require_rclpy()
    options = settled(config)
    if config.follow:
        _follow(options, config.seed, config.seconds)
        return
    if not options.trained:
        typer.echo(f"Weights are untrained ({options.weights}): masks and IoU mean nothing yet.")
    with stop_on_interrupt() as stop:
        start_folder(options.out)
        if config.source:
            clip = open_clip(config.source)
        else:
            with frame_progress("making up a clip", config.frames) as advance:
                clip = make_clip(config.seed, config.frames, options.out / "clip", advance)
        with working("demo") as status:
            report = run_demo(options, clip, on_status=status, stop=stop)
        if report.counts.results:
            _show(report, options.out)
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

"""`etam demo`: the real node and player on a generated clip, or on yours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.result_kind import ResultKind


@options_of(
    DemoConfig, positional="source", without=("backend", "precision", "device", "engine_dir")
)
def demo(config: DemoConfig) -> None:
    """See it work: the real node and player as processes, clicks through the real service.

    Writes overlay.mp4, overlay.jpg and report.md, made from the messages that the node published.
    The generated clip has ground truth, so the report says how well each object was tracked. With
    a SOURCE, give --click or --box; otherwise the demo clicks in the middle.

    With --follow, the node /follower drives a simulated robot after a figure. Writes follow.mp4,
    follow.jpg, follow.png and follow.md, which says whether the robot kept up; the exit code is 1
    if it did not.

    With --web, the clip plays in a loop, and you click on the web page. It writes no files.
    """
    from etam_ros.demo.options import settled
    from etam_ros.ros.startup import require_rclpy

    require_rclpy()
    options = settled(config)
    if config.web:
        _web(options, config)
    elif config.follow:
        _follow(options, config.seed, config.seconds)
    else:
        _play(options, config)


def _play(options: DemoOptions, config: DemoConfig) -> None:
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import frame_progress, working
    from etam_ros.demo.clip import make_clip, open_clip
    from etam_ros.demo.run import LEFT, run_demo
    from etam_ros.media.result_kind import check_result_folder

    check_result_folder(options.out, LEFT, config.source)
    clip = open_clip(config.source) if config.source else None
    if not options.trained:
        typer.echo(f"Weights are untrained ({options.weights}): masks and IoU mean nothing yet.")
    names = LEFT.files if clip is None else [name for name in LEFT.files if name != "clip"]
    with (
        stop_on_interrupt() as stop,
        _results(options, LEFT, config.source or "a generated clip", names) as folder,
    ):
        placed = replace(options, out=folder.place)
        if clip is None:
            with frame_progress("generating a clip", config.frames) as advance:
                clip = make_clip(config.seed, config.frames, folder.place / "clip", advance)
        with working("demo") as status:
            report = run_demo(placed, clip, on_status=status, stop=stop)
        stopped = _end(folder, report.counts.results, stop=stop())
    if report.counts.results:
        _show(report, folder.place)
    if stopped:
        typer.echo(f"stopped after {report.counts.results} results", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)


def _web(options: DemoOptions, config: DemoConfig) -> None:
    import tempfile

    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.console.server import require_libraries
    from etam_ros.demo.clip import make_clip, open_clip
    from etam_ros.demo.web import open_in_browser, run_web_demo

    require_libraries()

    def on_link(link: str) -> None:
        opened = open_in_browser(link)
        typer.echo(f"{'Opened' if opened else 'Open'} {link}, click on objects; Ctrl-C ends it.")

    with stop_on_interrupt(words=b"\n") as stop, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if config.source:
            clip = open_clip(config.source)
        else:
            with frame_progress("generating a clip", config.frames) as advance:
                clip = make_clip(config.seed, config.frames, folder / "clip", advance)
        run_web_demo(options, clip, folder / "logs", on_link=on_link, stop=stop)


def _follow(options: DemoOptions, seed: int, seconds: float) -> None:
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import working
    from etam_ros.demo.follow.plot import require_matplotlib
    from etam_ros.demo.follow.report import COLUMNS
    from etam_ros.demo.follow.run import LEFT, FollowOptions, run_follow_demo

    require_matplotlib()
    source = f"the simulated room, seed {seed}"
    with (
        stop_on_interrupt() as stop,
        _results(options, LEFT, source, LEFT.files) as folder,
        working("demo") as status,
    ):
        wanted = FollowOptions(folder.place, options.model, options.weights, seed, seconds)
        report = run_follow_demo(wanted, on_status=status, stop=stop)
        stopped = _end(folder, len(report.rows), stop=stop())
    if report.rows:
        numbers, table = Table(show_header=False), Table(*COLUMNS)
        for pair in report.numbers().items():
            numbers.add_row(*pair)
        for row in report.table():
            table.add_row(*row)
        Console().print(numbers, table)
        typer.echo(f"Look at {folder.place / 'follow.mp4'} and {folder.place / 'follow.png'}")
    if stopped:
        typer.echo(f"stopped after {len(report.rows)} pictures", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    if not report.passed:
        raise typer.Exit(1)


def _results(
    options: DemoOptions, kind: ResultKind, source: str, names: Sequence[str]
) -> ResultFolder:
    """Where a demo leaves what it leaves."""
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.run_record import RunRecord

    runs_on = f"{options.model}, weights {options.weights}"
    return ResultFolder(options.out, kind, RunRecord("demo", source, runs_on, files=tuple(names)))


def _end(folder: ResultFolder, results: int, *, stop: bool) -> bool:
    """Say how a demo has ended; whether it was stopped."""
    from etam_ros.media.run_record import FAILED, INTERRUPTED

    folder.frames = results
    if stop:
        folder.end(INTERRUPTED)
    elif not results:
        folder.end(FAILED, "there was no result")
    return stop


def _show(report: DemoReport, out: Path) -> None:
    from etam_ros.demo.report import SCORE_COLUMNS

    numbers, scores = Table(show_header=False), Table(*SCORE_COLUMNS)
    for row in report.rows().items():
        numbers.add_row(*row)
    for score in report.score_rows():
        scores.add_row(*score)
    Console().print(numbers, *([scores] if report.scores else []))
    typer.echo(f"Look at {out / 'overlay.mp4'} and {out / 'overlay.jpg'}; table: {out}/report.md")
    typer.echo("Click on objects yourself, in a browser: etam demo --web (make demo ARGS=--web)")

"""`etam play`: a video, a folder of images or a camera, published in ROS 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import PlayerConfig


@options_of(PlayerConfig, positional="source")
def play(
    ctx: typer.Context,
    config: PlayerConfig,
    transport_profile: Annotated[
        bool,
        typer.Option(
            " /--no-transport-profile",
            help="Use Fast DDS as it comes, without the profile for large images.",
            show_default=False,
        ),
    ] = True,
) -> None:
    """Publish a video, a folder of images or a camera as ROS 2 images.

    Topics: image (rgb8), image/compressed (JPEG), and camera_info if a file is given. Everything
    from --ros-args on goes to ROS: remappings, namespace, parameters.
    """
    from etam_ros.ros.player.executable import play as play_source

    with _progress() as on_frame:
        play_source(config, ctx.args, transport_profile=transport_profile, on_frame=on_frame)


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None] | None]:
    """A line that counts frames, on a terminal alone."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as line:
        task = line.add_task("frame", total=None)
        yield lambda count, total: line.update(task, completed=count, total=total)

"""`etam node`: the tracker node in this process."""

from __future__ import annotations

from typing import Annotated

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.console.config import WebConfig


@options_of(WebConfig, "host", "port", "token", "allow_host")
def node(
    ctx: typer.Context,
    config: WebConfig,
    web: Annotated[
        bool, typer.Option("--web", help="Also serve the web page of `etam web`.")
    ] = False,
) -> int:
    """Run the ROS 2 tracker node; everything from --ros-args on is passed to ROS.

    Its parameters, topics and services are described in docs/ros.md. With --web it serves the page
    of `etam web` from its own process; --host, --port, --token and --allow-host only apply to it.
    """
    from etam_ros.ros.tracker.executable import run

    return run(ctx.args, config if web else None)

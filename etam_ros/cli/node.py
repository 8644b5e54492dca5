"""`etam node`: the tracker node in this process."""

from __future__ import annotations

import typer


def node(ctx: typer.Context) -> int:
    """Run the ROS 2 tracker node; everything from --ros-args on goes to ROS.

    Its parameters, topics and services are told in docs/ros.md.
    """
    from etam_ros.ros.tracker.executable import run

    return run(ctx.args)

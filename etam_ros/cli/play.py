"""`etam play`: a video, a folder of images, a bag or a camera, published in ROS 2."""

from __future__ import annotations

from typing import Annotated

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import PlayerConfig


@options_of(PlayerConfig, positional="source")
def play(
    ctx: typer.Context,
    config: PlayerConfig,
    no_transport_profile: Annotated[
        bool,
        typer.Option(
            "--no-transport-profile",
            help="Use the default settings of Fast DDS, without the profile for large images.",
        ),
    ] = False,
) -> None:
    """Publish a video, a folder of images, a bag or a camera as ROS 2 images.

    Topics: image (rgb8), image/compressed (JPEG), and camera_info if a file is given or a bag
    contains it. Everything from --ros-args on is passed to ROS: remappings, namespace, parameters.
    """
    from etam_ros.cli.terminal.progress import count_progress
    from etam_ros.ros.player.executable import play as play_source

    with count_progress("frame") as on_frame:
        profile = not no_transport_profile
        play_source(config, ctx.args, transport_profile=profile, on_frame=on_frame)

"""`etam play`: a video, a folder of images or a camera, published in ROS 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from etam_ros.config import PlayerConfig

_DEFAULTS: Final = PlayerConfig()


def play(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(help="Video file, folder of images, index of a camera, /dev/videoN.")
    ],
    rate: Annotated[
        float,
        typer.Option(help="Frames per second.", show_default="the source's own, 30 for a folder"),
    ] = _DEFAULTS.rate_hz,
    loop: Annotated[
        bool, typer.Option("--loop", help="Start over at the end, until Ctrl-C.")
    ] = _DEFAULTS.loop,
    transport: Annotated[
        str, typer.Option(help="raw (image), compressed (image/compressed), or both.")
    ] = _DEFAULTS.transport,
    jpeg_quality: Annotated[
        int, typer.Option(help="Quality of the JPEGs, 1..100.")
    ] = _DEFAULTS.jpeg_quality,
    frame_id: Annotated[
        str, typer.Option(help="Coordinate frame of the camera.")
    ] = _DEFAULTS.frame_id,
    camera_info: Annotated[
        str,
        typer.Option(
            help="YAML file of camera_calibration, published on camera_info.", show_default="none"
        ),
    ] = _DEFAULTS.camera_info,
    reliability: Annotated[
        str, typer.Option(help="QoS of the images: reliable or best_effort.")
    ] = _DEFAULTS.reliability,
    wait_for_subscribers: Annotated[
        int, typer.Option(help="Wait for so many subscribers before the first frame.")
    ] = _DEFAULTS.wait_for_subscribers,
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
    config = PlayerConfig(
        source=source,
        rate_hz=rate,
        loop=loop,
        transport=transport,
        jpeg_quality=jpeg_quality,
        frame_id=frame_id,
        camera_info=camera_info,
        reliability=reliability,
        wait_for_subscribers=wait_for_subscribers,
    )
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

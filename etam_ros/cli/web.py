"""`etam web`: one page in the browser, for the trackers of a robot or for a recording."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import BagConfig, NetworkConfig
from etam_ros.console.config import AnnotateConfig, WebConfig
from etam_ros.errors import ConfigError

STOP_CHECK_S: Final = 0.1


@options_of(AnnotateConfig, positional="source")
@options_of(WebConfig)
@options_of(NetworkConfig)
@options_of(BagConfig)
def web(
    ctx: typer.Context,
    annotate: AnnotateConfig,
    config: WebConfig,
    network: NetworkConfig,
    bag: BagConfig,
) -> int:
    """Watch, prompt and correct trackers in a browser, on any laptop or phone.

    Without a SOURCE the page shows every tracker that runs in this ROS domain; everything from
    --ros-args on is passed to ROS. With a SOURCE no ROS is needed: click on objects on any frame
    of the recording, correct them on later ones, and save masks and prompts as `etam track` does.

    Only this machine can open the page, unless --host says otherwise; the printed link then
    contains a token.
    """
    if not annotate.source:
        from etam_ros.ros.console.executable import run

        return run(config, ctx.args)
    if ctx.args:
        raise ConfigError(
            f"a recording needs no ROS, got {' '.join(ctx.args)!r:.100}: omit SOURCE or the ROS "
            "arguments"
        )
    return _annotate(annotate, config, network, bag)


def _annotate(
    annotate: AnnotateConfig, config: WebConfig, network: NetworkConfig, bag: BagConfig
) -> int:
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.console.hub import Hub
    from etam_ros.console.invitation import invite
    from etam_ros.console.server import PATIENCE_S, Server, require_libraries
    from etam_ros.media.sources import open_source
    from etam_ros.offline.annotating.desk import RecordedDesk
    from etam_ros.offline.annotating.saving import Recording
    from etam_ros.offline.annotating.session import AnnotationSession
    from etam_ros.offline.prompts_file import read_prompts
    from etam_ros.tracking import Tracker, open_stages

    require_libraries()
    recording = Recording(annotate.source, Path(annotate.out), bag.topic, bag.recover)
    given = read_prompts(Path(annotate.prompts)) if annotate.prompts else []
    with open_source(annotate.source, topic=bag.topic, recover=bag.recover) as source:
        recording.check()
        with open_stages(**vars(network)) as stages, stop_on_interrupt(words=b"\n") as stop:
            session = AnnotationSession(source, Tracker(stages), given)
            session.check_recorded()
            hub = Hub()
            desk = RecordedDesk(
                hub, session, recording, stages, config, frames=source.frame_count, fps=source.fps
            )
            with Server(config, hub, desk) as server:
                invite(server.access, sys.stdout, "sees the recording and changes what is saved")
                while not stop():
                    time.sleep(STOP_CHECK_S)
            desk.end(PATIENCE_S)
    return 0

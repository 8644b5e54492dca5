"""The demo in the browser: the clip plays on and on, and whoever looks clicks."""

from __future__ import annotations

import os
import re
import sys
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Final

from etam_ros.demo.clip import DemoClip
from etam_ros.demo.options import DemoOptions
from etam_ros.demo.processes import PLAYER, TRACKER
from etam_ros.errors import EtamError
from etam_ros.ros.harness.isolation import isolated_domain
from etam_ros.ros.harness.process_group import ProcessGroup

CONSOLE: Final = "console"
START_S: Final = 120.0
POLL_S: Final = 0.1
ANSWER_S: Final = 60.0
"""A slow machine computes a frame before it can answer."""
HISTORY_S: Final = 20.0
"""On a slow machine a click is for a frame that was long ago."""
_LINK: Final = re.compile(r"http://\S+")


def run_web_demo(
    options: DemoOptions,
    clip: DemoClip,
    logs: Path,
    *,
    port: int = 0,
    on_link: Callable[[str], None],
    stop: Callable[[], bool],
) -> None:
    """Play the clip to a tracker, and serve the page, until it is to stop.

    Args:
        options: model, weights and rate.
        clip: played again and again.
        logs: folder of what the processes say.
        port: of the page; 0 takes a free one.
        on_link: called with the address of the page, once it can be opened.
        stop: asked again and again.

    Raises:
        EtamError: a process failed.
    """
    with isolated_domain() as environment, ProcessGroup(environment, logs) as processes:
        parameters = {
            "model": options.model,
            "weights": options.weights,
            "prompt_timeout_s": ANSWER_S,
            "history.seconds": HISTORY_S,
        }
        given = [part for pair in parameters.items() for part in ("-p", "{}:={}".format(*pair))]
        processes.start(TRACKER, "etam_ros.ros.tracker.executable", ["--ros-args", *given])
        player = [clip.path, "--loop"]
        if options.rate_hz > 0:
            player += ["--rate", str(options.rate_hz)]
        processes.start(PLAYER, "etam_ros.cli.main", ["play", *player])
        served = ["--ros-args", "-p", f"port:={port}"]
        processes.start(CONSOLE, "etam_ros.ros.console.executable", served)
        link, until_s = "", time.monotonic() + START_S
        while not stop():
            for name in (TRACKER, PLAYER, CONSOLE):
                processes.check(name)
            if not link and (link := _link_in(processes.log(CONSOLE))):
                on_link(link)
            if not link and time.monotonic() > until_s:
                raise EtamError(f"the page did not start: see {processes.log(CONSOLE)}")
            time.sleep(POLL_S)


def open_in_browser(link: str) -> bool:
    """Open a page where there is a screen; whether that was tried."""
    has_screen = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_screen and webbrowser.open(link)


def _link_in(log: Path) -> str:
    found = _LINK.search(log.read_text(errors="replace"))
    return found[0] if found else ""

"""The demo's processes: the real node and the real player, and a recorder that clicks."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import EtamError, PromptError
from etam_ros.ros.harness.isolation import isolated_domain
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.process import require_rclpy

if TYPE_CHECKING:
    from etam_ros.records import Prompt
    from etam_ros.ros.harness.recorder import Recorder, Sighting

TRACKER: Final = "tracker_node"
PLAYER: Final = "player"
_SERVICE_TIMEOUT_S: Final = 60.0  # a slow machine computes a frame before it can answer
_START_S: Final = 1800.0
"""How long the node may take to get ready: it may have to build engines."""
_SILENCE_S: Final = 120.0
"""How long there may be no result once there were some."""
_QUIET_S: Final = 1.0
"""After so long without an image, none is under way any more."""
_OVER_S: Final = 5.0
_LOOK_S: Final = 0.05
_BACKLOG: Final = 100
"""Results that wait to be drawn; with as many, hearing waits too."""


@dataclass(frozen=True)
class DemoSettings:
    """What is played to what.

    Attributes:
        source: what the player plays.
        rate_hz: images per second; 0 takes the source's own.
        frames: images after which the player is ended.
        node_parameters: of the tracker node, by name.
        log_dir: where the processes' output goes.
    """

    source: str
    rate_hz: float
    frames: int
    node_parameters: tuple[tuple[str, str], ...]
    log_dir: Path


@dataclass(frozen=True)
class DemoCounts:
    """What went in and came out.

    Attributes:
        images: published by the player, and heard.
        results: published by the tracker; it left the other images out, newer ones had come.
        seconds: from the first image to the last result.
    """

    images: int
    results: int
    seconds: float


@dataclass(frozen=True)
class Listener:
    """What the run tells, in the main thread.

    Attributes:
        prompts_for: asked once, with the first image that has a result, what to click on.
        on_sighting: called with every result.
        on_status: called with a line that says what is being done.
        stop: asked again and again; true ends the run.
    """

    prompts_for: Callable[[NDArray[np.uint8]], Sequence[Prompt]]
    on_sighting: Callable[[Sighting], None]
    on_status: Callable[[str], None]
    stop: Callable[[], bool]


def run_demo(settings: DemoSettings, listener: Listener) -> DemoCounts:
    """Play a source to a tracker node, click, and listen until the end.

    Raises:
        EtamError: ROS is missing, a process failed, or a click was refused.
    """
    rclpy = require_rclpy()
    with (
        isolated_domain() as environment,
        ProcessGroup(environment, settings.log_dir) as processes,
        _environment(environment),
    ):
        # They start before this process has threads of its own.
        _start(processes, settings)
        context = rclpy.Context()
        rclpy.init(context=context, args=[])
        try:
            return _DemoRun(context, processes, settings, listener).run()
        finally:
            rclpy.try_shutdown(context=context)


def _start(processes: ProcessGroup, settings: DemoSettings) -> None:
    arguments = ["--ros-args", "-p", f"prompt_timeout_s:={_SERVICE_TIMEOUT_S}"]
    for name, value in settings.node_parameters:
        arguments += ["-p", f"{name}:={value}"]
    processes.start(TRACKER, "etam_ros.ros.tracker.executable", arguments)
    player = [settings.source, "--wait-for-subscribers", "2"]
    if settings.rate_hz > 0:
        player += ["--rate", str(settings.rate_hz)]
    processes.start(PLAYER, "etam_ros.cli.main", ["play", *player])


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """ROS reads the domain and the transport profile from this process's environment."""
    before = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class _DemoRun:
    """The recorder's side of a run: it hears in one thread, and is listened to in another."""

    def __init__(
        self, context: Any, processes: ProcessGroup, settings: DemoSettings, listener: Listener
    ) -> None:
        from etam_ros.ros.harness.recorder import Recorder

        self._context = context
        self._children = processes
        self._settings = settings
        self._listener = listener
        self._longest_ms = 0.0
        self._alive_s = 0.0  # when something happened last
        # Drawing and encoding take longer than hearing: they must not make us miss messages.
        self._sightings: queue.Queue[Sighting] = queue.Queue(_BACKLOG)
        self._recorder: Recorder = Recorder(context, "/tracker", self._sightings.put)

    def run(self) -> DemoCounts:
        """Listen from the start of the node to the result of the last image."""
        from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(self._recorder)

        def spin() -> None:
            with contextlib.suppress(ExternalShutdownException):
                executor.spin()

        hearing = threading.Thread(target=spin, daemon=True)
        hearing.start()
        try:
            return self._steps()
        finally:
            executor.shutdown(timeout_sec=1.0)
            hearing.join(1.0)

    def _steps(self) -> DemoCounts:
        recorder, say = self._recorder, self._listener.on_status
        say("starting the tracker node")
        self._wait_until(lambda: recorder.hears_tracker, TRACKER, PLAYER, patience_s=_START_S)
        say("waiting for the first frame")
        recorder.listen_to_images()
        self._wait_until(lambda: recorder.newest, TRACKER, PLAYER, patience_s=_START_S)
        started_s = time.monotonic()
        if recorder.newest is not None:
            for prompt in self._listener.prompts_for(recorder.newest.image):
                self._click(prompt)
        say("tracking")
        self._wait_until(lambda: self._played, TRACKER, PLAYER)
        self._children.interrupt(PLAYER)
        self._wait_until(lambda: self._heard_all, TRACKER)
        ended_s = recorder.heard_s
        newest = recorder.newest
        results = newest.result.frame_number if newest is not None else 0
        return DemoCounts(recorder.images, results, max(0.0, ended_s - started_s))

    @property
    def _played(self) -> bool:
        ended = not self._children.running(PLAYER)
        return ended or self._recorder.images >= self._settings.frames

    @property
    def _heard_all(self) -> bool:
        """The player is gone, nothing is under way, and the last image has its result.

        A player that was interrupted may leave without its last images reaching the tracker:
        then the results have long been over.
        """
        now_s = time.monotonic()
        if self._children.running(PLAYER) or not self._sightings.empty():
            return False
        if now_s - self._recorder.heard_s < _QUIET_S:
            return False
        over = now_s - self._alive_s > max(_OVER_S, 4.0 * self._longest_ms / 1000.0)
        return self._recorder.complete or over

    def _click(self, prompt: Prompt) -> None:
        answer = self._recorder.prompt(prompt)
        self._wait_until(answer.done, TRACKER)
        if self._listener.stop():
            return
        response = answer.result()
        if response is None or not response.success:
            reason = response.message if response is not None else "the service did not answer"
            raise PromptError(f"the tracker refused to follow object {prompt.object_id}: {reason}")

    def _wait_until(
        self, done: Callable[[], Any], *needed: str, patience_s: float = _SILENCE_S
    ) -> None:
        """Take results until it is done or somebody stops us; the needed must not fail."""
        self._alive_s = time.monotonic()
        while not done() and not self._listener.stop():
            for name in needed:
                self._children.check(name)
            if time.monotonic() - self._alive_s > patience_s:
                raise EtamError(
                    f"nothing was heard for {patience_s:g} s, expected images and results: see "
                    f"{self._children.log(TRACKER)} and {self._children.log(PLAYER)}"
                )
            self._take_result()

    def _take_result(self) -> None:
        try:
            sighting = self._sightings.get(timeout=_LOOK_S)
        except queue.Empty:
            return
        self._longest_ms = max(self._longest_ms, sighting.latency_ms)
        self._alive_s = time.monotonic()
        self._listener.on_sighting(sighting)

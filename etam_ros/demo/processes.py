"""The demo's processes: the real node and the real player, and a recorder that clicks."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from etam_ros.demo.report import DemoCounts
from etam_ros.errors import EtamError, PromptError

if TYPE_CHECKING:
    from etam_ros.demo.clip import DemoClip
    from etam_ros.demo.listener import DemoListener
    from etam_ros.demo.options import DemoOptions
    from etam_ros.records import Prompt
    from etam_ros.ros.harness.process_group import ProcessGroup
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
_LOST_S: Final = 5.0
"""After so long without a result, the last images are taken for lost; longer where it is slow."""
_POLL_S: Final = 0.05
_BACKLOG: Final = 100
"""Results that wait to be drawn; with as many, hearing waits too."""


def start_processes(processes: ProcessGroup, options: DemoOptions, clip: DemoClip) -> None:
    """Start the tracker node, and a player that waits for its subscribers."""
    arguments = ["--ros-args", "-p", f"prompt_timeout_s:={_SERVICE_TIMEOUT_S}"]
    arguments += ["-p", f"model:={options.model}", "-p", f"weights:={options.weights}"]
    processes.start(TRACKER, "etam_ros.ros.tracker.executable", arguments)
    player = [clip.path, "--wait-for-subscribers", "2"]
    if options.rate_hz > 0:
        player += ["--rate", str(options.rate_hz)]
    processes.start(PLAYER, "etam_ros.cli.main", ["play", *player])


@contextmanager
def process_environment(wanted: dict[str, str]) -> Iterator[None]:
    """ROS reads the domain and the transport profile from this process's environment."""
    before = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class DemoSession:
    """The recorder's side of a run: it hears in one thread, and is listened to in another.

    Args:
        processes: the tracker node and the player, started.
        listener: says what to click on, and takes every result, in the thread of `run`.
        on_status: called with what is being done, in words.
        stop: asked again and again; true ends the run.
    """

    def __init__(
        self,
        context: Any,
        processes: ProcessGroup,
        listener: DemoListener,
        on_status: Callable[[str], None],
        stop: Callable[[], bool],
    ) -> None:
        from etam_ros.ros.harness.recorder import Recorder

        self._context = context
        self._processes = processes
        self._listener = listener
        self._on_status = on_status
        self._stop = stop
        self._longest_ms = 0.0
        self._alive_s = 0.0  # when something happened last
        # Drawing and encoding take longer than hearing: they must not make us miss messages.
        self._sightings: queue.Queue[Sighting] = queue.Queue(_BACKLOG)
        self._recorder: Recorder = Recorder(context, "/tracker", self._sightings.put)

    def run(self, frames: int) -> DemoCounts:
        """Listen from the start of the node to the result of the last of so many images.

        Raises:
            EtamError: a process failed, or a click was refused.
        """
        from etam_ros.ros.harness.spinning import spinning

        with spinning(self._context, self._recorder):
            return self._steps(frames)

    def _steps(self, frames: int) -> DemoCounts:
        recorder, say = self._recorder, self._on_status
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
        self._wait_until(
            lambda: recorder.images >= frames or not self._processes.running(PLAYER),
            TRACKER, PLAYER,
        )  # fmt: skip
        self._processes.interrupt(PLAYER)
        self._wait_until(lambda: self._heard_all, TRACKER)
        ended_s = recorder.heard_s
        newest = recorder.newest
        results = newest.result.frame_number if newest is not None else 0
        return DemoCounts(recorder.images, results, max(0.0, ended_s - started_s))

    @property
    def _heard_all(self) -> bool:
        """The player is gone, nothing is under way, and the last image has its result.

        A player that was interrupted may leave without its last images reaching the tracker:
        then the results have long been over.
        """
        now_s = time.monotonic()
        if self._processes.running(PLAYER) or not self._sightings.empty():
            return False
        if now_s - self._recorder.heard_s < _QUIET_S:
            return False
        over = now_s - self._alive_s > max(_LOST_S, 4.0 * self._longest_ms / 1000.0)
        return self._recorder.complete or over

    def _click(self, prompt: Prompt) -> None:
        answer = self._recorder.prompt(prompt)
        self._wait_until(answer.done, TRACKER)
        if self._stop():
            return
        response = answer.result()
        if response is None or not response.success:
            reason = response.message if response is not None else "the service did not answer"
            raise PromptError(f"the tracker refused to track object {prompt.object_id}: {reason}")

    def _wait_until(
        self, done: Callable[[], Any], *needed: str, patience_s: float = _SILENCE_S
    ) -> None:
        """Take results until it is done or somebody stops us; the needed must not fail."""
        self._alive_s = time.monotonic()
        while not done() and not self._stop():
            for name in needed:
                self._processes.check(name)
            if time.monotonic() - self._alive_s > patience_s:
                raise EtamError(
                    f"no messages arrived for {patience_s:g} s, expected images and results: "
                    f"see {self._processes.log(TRACKER)} and {self._processes.log(PLAYER)}"
                )
            self._take_result()

    def _take_result(self) -> None:
        try:
            sighting = self._sightings.get(timeout=_POLL_S)
        except queue.Empty:
            return
        self._longest_ms = max(self._longest_ms, sighting.latency_ms)
        self._alive_s = time.monotonic()
        self._listener.take(sighting.index, sighting.image, sighting.result, sighting.latency_ms)

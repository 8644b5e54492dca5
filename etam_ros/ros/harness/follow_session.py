"""A run in the simulated room: wait for tracker and follower, point at the figure, let it walk."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from rclpy.client import Client
from rclpy.task import Future
from std_srvs.srv import SetBool

from etam_ros.errors import EtamError, PromptError
from etam_ros.msg import Prompt, TrackedObjectArray
from etam_ros.records import FrameResult
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.harness.recorder import result_from_messages
from etam_ros.ros.harness.room_robot import RoomMoment, RoomRobot
from etam_ros.srv import AddPrompt

TRACKER: Final = "tracker_node"
FOLLOWER: Final = "follower"
START_S: Final = 1800.0
"""How long the tracker may take to get ready: it may have to build engines."""
ANSWER_S: Final = 60.0
LABEL: Final = "figure"
CLOCK_TIMEOUT_S: Final = 120.0
"""Time stands still while the tracker computes, however long that takes."""

OnMoment = Callable[[RoomMoment, FrameResult], None]


def start_nodes(
    processes: ProcessGroup, model: str, weights: str, follower: dict[str, object]
) -> None:
    """Start a tracker and a follower that live in simulated time.

    Args:
        processes: start them.
        model, weights: of the tracker.
        follower: parameters of the follower, beside those that the simulation needs.
    """
    tracker = {"model": model, "weights": weights, "prompt_timeout_s": ANSWER_S}
    following = {"clock_timeout_s": CLOCK_TIMEOUT_S, **follower}
    for name, parameters, remapped in (
        ("tracker", tracker, ()),
        ("follower", following, ("-r", "objects:=tracker/objects")),
    ):
        given = {"use_sim_time": "true", **parameters}
        pairs = [f"{key}:={value}" for key, value in given.items() if value != ""]
        arguments = [part for pair in pairs for part in ("-p", pair)]
        processes.start(
            TRACKER if name == "tracker" else FOLLOWER,
            f"etam_ros.ros.{name}.executable",
            ["--ros-args", *arguments, *remapped],
        )


class FollowSession:
    """Drives the simulation from the thread of `run`; messages are heard in another.

    Args:
        robot: in its room.
        processes: of tracker and follower, started.
        on_status: called with what is being done, in words.
        stop: asked again and again; true ends the run.
    """

    def __init__(
        self,
        robot: RoomRobot,
        processes: ProcessGroup,
        on_status: Callable[[str], None],
        stop: Callable[[], bool],
    ) -> None:
        self._robot = robot
        self._processes = processes
        self._on_status = on_status
        self._stop = stop
        self._add_prompt = robot.create_client(AddPrompt, "tracker/add_prompt")
        self._enable = robot.create_client(SetBool, "follower/enable")

    def run(self, seconds: float, on_moment: OnMoment) -> None:
        """From the start of the nodes until so many seconds of the figure's walk are over.

        Args:
            on_moment: called with each picture and the tracker's result of it.

        Raises:
            EtamError: a process failed, or did not answer.
        """
        self._on_status("starting tracker and follower")
        if not self.get_ready():
            return
        self._on_status("following")
        self._robot.start_walking()
        while self._robot.time_s < seconds and not self._stop():
            moment, message = self.next()
            height, width = moment.view.depth_m.shape
            on_moment(moment, result_from_messages(message, None, (height, width)))
        self._call(self._enable, SetBool.Request(data=False))  # if stopped, the end will do it

    def get_ready(self) -> bool:
        """Wait for everybody, point at the figure, enable the follower; False if stopped."""
        robot = self._robot
        self._wait_until(self._all_there, START_S)
        if self._stop():
            return False
        self._on_status("pointing at the figure")
        moment = self._first_answer()
        if moment is None:
            return False
        answer = self._call(self._add_prompt, AddPrompt.Request(prompt=self._prompt(moment)))
        if answer is None:
            return False
        if not answer.success:
            raise PromptError(f"the tracker refused to follow the figure: {answer.message}")
        enabled = self._call(self._enable, SetBool.Request(data=True))
        if enabled is None:
            return False
        if not enabled.success:
            raise EtamError(f"the follower refused: {enabled.message}")
        robot.advance()
        return True

    def next(self) -> tuple[RoomMoment, TrackedObjectArray]:
        """Let time pass to the next picture, and wait for its result."""
        self._robot.advance()
        moment = self._robot.look()
        for name in (TRACKER, FOLLOWER):
            self._processes.check(name)
        return moment, self._robot.answered(ANSWER_S)

    def _all_there(self) -> bool:
        robot = self._robot
        robot.tick()
        return bool(
            self._add_prompt.service_is_ready()
            and self._enable.service_is_ready()
            and robot.images.get_subscription_count()
            and robot.depths.get_subscription_count()
            and robot.count_publishers("tracker/objects")
            and robot.state == "disabled"
        )

    def _first_answer(self) -> RoomMoment | None:
        """A picture that got through: the first may be lost while subscriptions match.

        None if the run was stopped before one did.
        """
        until_s = time.monotonic() + ANSWER_S
        while True:
            self._robot.advance()
            moment = self._robot.look()
            try:
                self._robot.answered(5.0)
            except EtamError:
                if self._stop():
                    return None
                if time.monotonic() > until_s:
                    raise
            else:
                return moment

    def _prompt(self, moment: RoomMoment) -> Prompt:
        """A box around the figure on that picture."""
        rows, columns = np.nonzero(self._robot.room.figure_mask(moment.view))
        if not len(rows):
            raise EtamError("the camera does not see the figure at the start")
        box = [columns.min(), rows.min(), columns.max(), rows.max()]
        return Prompt(
            header=self._robot.result.header if self._robot.result else None,
            label=LABEL,
            box=[float(value) for value in box],
        )

    def _call(self, client: Client, request: Any) -> Any:
        """The answer of a service; None if the run was stopped before it came."""
        future: Future = client.call_async(request)
        self._wait_until(future.done, ANSWER_S)
        return future.result() if future.done() else None

    def _wait_until(self, done: Callable[[], bool], patience_s: float) -> None:
        until_s = time.monotonic() + patience_s
        while not done() and not self._stop():
            for name in (TRACKER, FOLLOWER):
                self._processes.check(name)
            if time.monotonic() > until_s:
                raise EtamError(
                    f"tracker and follower did not answer within {patience_s:g} s: see "
                    f"{self._processes.log(TRACKER)} and {self._processes.log(FOLLOWER)}"
                )
            time.sleep(0.02)

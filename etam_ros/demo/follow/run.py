"""One run in the simulated room: real nodes, a simulated robot, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from etam_ros.demo.config import FOLLOW_RECORD, LOGS, is_older_demo
from etam_ros.demo.follow.measures import CommandRow, FollowRow, measures
from etam_ros.demo.follow.pictures import FollowPictures
from etam_ros.demo.follow.report import FollowReport
from etam_ros.demo.processes import process_environment
from etam_ros.following.config import FollowerSettings
from etam_ros.media.result_kind import ResultKind
from etam_ros.media.run_record import RECORD
from etam_ros.records import FrameResult
from etam_ros.ros.harness.isolation import isolated_domain
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.startup import require_rclpy
from etam_ros.synthetic.room.rendering import RoomCamera
from etam_ros.synthetic.room.room import Room
from etam_ros.synthetic.room.walk import WAY

if TYPE_CHECKING:
    from etam_ros.ros.harness.room_robot import RoomMoment

LEFT: Final = ResultKind(
    "demo",
    ("follow.mp4", "follow.jpg", "follow.png", "follow.md", LOGS),
    inside={LOGS: r"[^/]+\.log"},
    record=FOLLOW_RECORD,
    beside=(RECORD,),
    is_older=is_older_demo,
    is_shared=True,
)


@dataclass(frozen=True)
class FollowOptions:
    """What to run.

    Attributes:
        out: folder for what it leaves, which holds none of it yet.
        model, weights: of the tracker.
        seed: of how the room looks.
        seconds: of the figure's walk; 0 until it has arrived.
    """

    out: Path
    model: str
    weights: str
    seed: int
    seconds: float = 0.0


def run_follow_demo(
    options: FollowOptions, *, on_status: Callable[[str], None], stop: Callable[[], bool]
) -> FollowReport:
    """Let the robot follow the figure; leave a video, pictures, a plot and a table.

    Args:
        on_status: called with what is being done, in words.
        stop: asked again and again; true ends the run.

    Raises:
        EtamError: ROS or matplotlib is missing, a process failed, or a file cannot be written.
    """
    rclpy = require_rclpy()
    seconds = options.seconds or WAY.seconds
    room = Room(options.seed, RoomCamera())
    with (
        FollowPictures(options.out) as pictures,
        isolated_domain() as environment,
        ProcessGroup(environment, options.out / LOGS) as processes,
        process_environment(environment),
    ):
        from etam_ros.ros.harness.follow_session import FollowSession, start_nodes
        from etam_ros.ros.harness.room_robot import RoomRobot
        from etam_ros.ros.harness.spinning import spinning

        # They start before this process has threads of its own.
        start_nodes(processes, options.model, options.weights, {"resume": "true"})
        context = rclpy.Context()
        rclpy.init(context=context, args=[])
        try:
            robot = RoomRobot(context, room, WAY, options.seed)
            taken = FollowLog(room, pictures)
            with spinning(context, robot):
                FollowSession(robot, processes, on_status, stop).run(seconds, taken.take)
        finally:
            rclpy.try_shutdown(context=context)
    return _report(options, taken)


def _report(options: FollowOptions, taken: FollowLog) -> FollowReport:
    settings = FollowerSettings()
    report = FollowReport(
        model=options.model,
        weights=options.weights,
        seed=options.seed,
        goal_m=settings.distance.goal_m,
        rows=taken.rows,
        commands=taken.commands,
        measures=measures(
            taken.rows,
            taken.commands,
            goal_m=settings.distance.goal_m,
            result_timeout_s=settings.node.result_timeout_s,
        ),
    )
    if taken.rows:
        report.write(options.out)
    return report


class FollowLog:
    """Notes what is true and what was done on every picture.

    Args:
        room: knows the figure.
        pictures: are drawn of it, or None.
    """

    def __init__(self, room: Room, pictures: FollowPictures | None = None) -> None:
        self._room = room
        self._pictures = pictures
        self.rows: list[FollowRow] = []
        self.commands: list[CommandRow] = []

    def take(self, moment: RoomMoment, result: FrameResult) -> None:
        """Note one picture, and what the tracker made of it."""
        self.commands += [CommandRow(*command) for command in moment.commands]
        self.rows.append(self._row(moment, result))
        if self._pictures is not None:
            self._pictures.add(moment.view.image, result, self.rows[-1])

    def _row(self, moment: RoomMoment, result: FrameResult) -> FollowRow:
        room, camera = self._room, self._room.camera
        truth = room.figure_mask(moment.view)
        offset = distance_m = iou = math.nan
        shown = 0.0
        if truth.any():
            column = float(np.nonzero(truth)[1].mean()) - camera.centre[0]
            slant = math.hypot(1.0, column / camera.focal_px)
            distance_m = float(np.median(moment.view.depth_m[truth])) * slant
            offset = column / camera.hw[1]
            shown = float(truth.sum()) / room.whole_figure_px(distance_m)
            found = result.label_image > 0
            iou = float((found & truth).sum() / (found | truth).sum())
        x, y, heading, linear, angular = moment.robot
        return FollowRow(
            time_s=moment.time_s,
            shown=shown,
            offset=offset,
            distance_m=distance_m,
            linear=linear,
            angular=angular,
            walks=WAY.moves(moment.time_s),
            occluded=all(state.occluded for state in result.objects),
            iou=iou,
            robot=(x, y),
            figure=moment.figure[:2],
            heading=heading,
            state=moment.state,
        )

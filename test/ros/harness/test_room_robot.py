"""The whole loop, short: real tracker with the shipped model, real follower, simulated robot."""

import pytest

from etam_ros.demo.follow.measures import CommandRow, measures
from etam_ros.demo.follow.run import FollowLog
from etam_ros.ros.harness.follow_session import FOLLOWER, TRACKER, FollowSession, start_nodes
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.harness.recorder import result_from_messages
from etam_ros.ros.harness.room_robot import RoomRobot
from etam_ros.ros.harness.spinning import spinning
from etam_ros.synthetic.room.rendering import RoomCamera
from etam_ros.synthetic.room.room import Room
from etam_ros.synthetic.room.walk import WAY

SEED = 33
SECONDS = 7.6
"""Time enough to drive up to the figure, to follow it, to see it hide and come back."""
GOAL_M, TIMEOUT_S = 1.5, 0.5


@pytest.fixture
def robot(ros_context):
    robot = RoomRobot(ros_context, Room(SEED, RoomCamera()), WAY, SEED)
    with spinning(ros_context, robot):
        yield robot
    robot.destroy_node()


@pytest.fixture
def processes(ros_environment, tmp_path):
    with ProcessGroup(ros_environment, tmp_path) as processes:
        yield processes


def pass_time(robot, seconds):
    """The camera is silent; all commands of that time, at each step."""
    commands = []
    until_s = robot.time_s + seconds
    while robot.time_s < until_s:
        robot.advance()
        commands += [CommandRow(*command) for command in robot.look().commands]
    return commands


def test_the_robot_keeps_up_with_the_figure_and_stands_when_the_tracker_dies(robot, processes):
    start_nodes(processes, "etam_nano", "", {"resume": "true"})
    session = FollowSession(robot, processes, lambda _: None, lambda: False)
    assert session.get_ready()
    robot.start_walking()
    log = FollowLog(robot.room)
    while robot.time_s < SECONDS:
        moment, message = session.next()
        log.take(moment, result_from_messages(message, None, moment.view.depth_m.shape))

    found = measures(log.rows, log.commands, goal_m=GOAL_M, result_timeout_s=TIMEOUT_S)
    assert [measure for measure in found if not measure.passed] == []
    assert any(row.shown == 0 for row in log.rows)
    assert log.rows[-1].state == "following: figure (1)"
    assert not log.commands[-1].zero, "it follows while the tracker is killed"

    processes.kill(TRACKER)
    commands = pass_time(robot, 2.0)
    moving = [command.time_s for command in commands if not command.zero]
    assert max(moving, default=SECONDS) < SECONDS + TIMEOUT_S + 0.3
    assert commands[-1].zero
    assert "no new result" in robot.state
    processes.end(FOLLOWER)


def test_a_run_that_is_stopped_keeps_what_it_has(robot, processes):
    start_nodes(processes, "etam_nano", "", {})
    said, moments = [], []

    def stop():
        return "pointing at the figure" in said or len(moments) == 3

    session = FollowSession(robot, processes, said.append, stop)
    session.run(60.0, lambda moment, _: moments.append(moment))
    assert moments == [], "it was stopped before a service answered"
    session = FollowSession(robot, processes, lambda _: None, stop)
    said.clear()
    session.run(60.0, lambda moment, _: moments.append(moment))
    assert len(moments) == 3

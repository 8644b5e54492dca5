"""A robot in a simulated room, as ROS sees it: a camera with depth, a base that obeys cmd_vel, and
/clock.

Simulated time runs like real time, and waits before each new picture until the tracker has
answered the one before: what comes out depends little on how fast the machine is.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped
from rclpy.context import Context
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from etam_ros.errors import EtamError
from etam_ros.msg import TrackedObjectArray
from etam_ros.ros.image_conversion import image_message
from etam_ros.ros.messages import header_of, stamp_ns
from etam_ros.ros.qos import COMMANDS, OBJECTS, STATE, keep_last
from etam_ros.synthetic.room.rendering import RoomView
from etam_ros.synthetic.room.robot import WheeledRobot
from etam_ros.synthetic.room.room import Room
from etam_ros.synthetic.room.walk import Walk

STEP_NS: Final = 20_000_000
STEPS_PER_FRAME: Final = 5
FRAME_ID: Final = "camera_optical_frame"
START_NS: Final = 1000 * 10**9
"""Simulated time begins here: at zero, ROS takes a clock for absent."""
_DEPTH_NOISE: Final = 0.004
"""Of the depth: what a good depth camera has."""
_FARTHEST_M: Final = 8.0


@dataclass(frozen=True, eq=False)
class RoomMoment:
    """One picture, what is true on it, and what the robot does then.

    Attributes:
        time_s: since the figure began to walk; negative before.
        view: what the camera sees.
        robot: x, y, heading, linear and angular speed.
        figure: x, y, heading.
        commands: heard since the picture before: time_s, linear, angular.
        state: what the follower said last.
    """

    time_s: float
    stamp_ns: int
    view: RoomView = field(repr=False)
    robot: tuple[float, float, float, float, float]
    figure: tuple[float, float, float]
    commands: tuple[tuple[float, float, float], ...]
    state: str


class RoomRobot(Node):
    """Publishes image, depth, camera_info and /clock; hears cmd_vel and the tracker.

    It must be spun in another thread than the one that calls `advance`.

    Args:
        context: of ROS.
        room: where the robot is.
        walk: of the figure.
        seed: of the noise of depth.
    """

    def __init__(self, context: Context, room: Room, walk: Walk, seed: int) -> None:
        super().__init__("room_robot", context=context, use_global_arguments=False)
        self.room, self.walk = room, walk
        self.robot = WheeledRobot()
        self.result: TrackedObjectArray | None = None
        self.state = ""
        self._rng = np.random.default_rng(seed)
        self._news = threading.Condition()
        self._commands: list[tuple[float, float, float]] = []
        self._now_ns = START_NS
        self._walk_began_ns: int | None = None
        self._due_s = 0.0
        self._stamp_ns = 0
        self._info = self._calibration()
        self._clock_publisher = self.create_publisher(Clock, "/clock", keep_last(10))
        self.images = self.create_publisher(Image, "image", keep_last(2))
        self.depths = self.create_publisher(Image, "depth", keep_last(2))
        self._infos = self.create_publisher(CameraInfo, "camera_info", keep_last(2))
        self.create_subscription(TwistStamped, "cmd_vel", self.on_command, COMMANDS)
        self.create_subscription(TrackedObjectArray, "tracker/objects", self.on_objects, OBJECTS)
        self.create_subscription(String, "follower/state", self.on_state, STATE)

    def on_command(self, message: TwistStamped) -> None:
        """Obey."""
        linear, angular = message.twist.linear.x, message.twist.angular.z
        with self._news:
            self.robot.tell(linear, angular)
            self._commands.append((self.time_s, linear, angular))

    def on_objects(self, message: TrackedObjectArray) -> None:
        """Keep the newest result."""
        with self._news:
            self.result = message
            self._news.notify_all()

    def on_state(self, message: String) -> None:
        """Keep what the follower says."""
        self.state = message.data

    @property
    def time_s(self) -> float:
        """Simulated seconds since the figure began to walk; 0 before."""
        began_ns = self._walk_began_ns
        return 0.0 if began_ns is None else (self._now_ns - began_ns) / 1e9

    def start_walking(self) -> None:
        """Let the figure walk from now on."""
        self._walk_began_ns = self._now_ns

    def look(self) -> RoomMoment:
        """Publish what the camera sees now."""
        figure = self.walk.at(self.time_s)
        view = self.room.view(self.robot.camera, self.robot.heading, figure)
        header = header_of(self._now_ns, FRAME_ID)
        self._stamp_ns = self._now_ns
        self._info.header = header
        self._infos.publish(self._info)
        self.depths.publish(self._depth(view, header))
        self.images.publish(image_message(view.image, "rgb8", header))
        with self._news:
            robot = self.robot
            commands, self._commands = tuple(self._commands), []
            moved = (robot.x, robot.y, robot.heading, robot.linear, robot.angular)
        return RoomMoment(self.time_s, self._stamp_ns, view, moved, figure, commands, self.state)

    def answered(self, patience_s: float) -> TrackedObjectArray:
        """The tracker's result of the newest picture; time stands still meanwhile.

        Raises:
            EtamError: it did not come.
        """

        def came() -> bool:
            result = self.result
            return result is not None and stamp_ns(result.header.stamp) == self._stamp_ns

        with self._news:
            if not self._news.wait_for(came, patience_s):
                raise EtamError(f"the tracker did not answer a picture within {patience_s:g} s")
            assert self.result is not None
            return self.result

    def advance(self) -> None:
        """Let the time from one picture to the next pass."""
        for _ in range(STEPS_PER_FRAME):
            with self._news:
                self.robot.step(STEP_NS / 1e9)
                self._now_ns += STEP_NS
            self.tick()

    def tick(self) -> None:
        """Say what time it is, no earlier than a step after the last time."""
        now_s = time.monotonic()
        time.sleep(max(0.0, self._due_s - now_s))
        self._due_s = max(self._due_s, now_s) + STEP_NS / 1e9
        seconds, nanoseconds = divmod(self._now_ns, 10**9)
        self._clock_publisher.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))

    def _depth(self, view: RoomView, header: Header) -> Image:
        """16UC1 millimetres; 0 where the sensor sees nothing."""
        noise = self._rng.standard_normal(view.depth_m.shape, np.float32) * _DEPTH_NOISE
        depth = np.where(view.depth_m < _FARTHEST_M, view.depth_m * (1.0 + noise), 0.0)
        return image_message((depth * 1000.0 + 0.5).astype(np.uint16), "16UC1", header)

    def _calibration(self) -> CameraInfo:
        camera = self.room.camera
        (x, y), f = camera.centre, camera.focal_px
        return CameraInfo(
            height=camera.hw[0],
            width=camera.hw[1],
            distortion_model="plumb_bob",
            d=[0.0] * 5,
            k=[f, 0.0, x, 0.0, f, y, 0.0, 0.0, 1.0],
            r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p=[f, 0.0, x, 0.0, 0.0, f, y, 0.0, 0.0, 0.0, 1.0, 0.0],
        )

"""What the follower publishes: commands, its state, and the pose of its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from rclpy.duration import Duration
from std_msgs.msg import String

from etam_ros.following.speeds import STANDING, Speeds
from etam_ros.ros.endpoints import Endpoints, node_of
from etam_ros.ros.qos import COMMANDS, STATE, TARGET_POSES

LAST_ZEROS: Final = 3
"""For a subscriber that is best effort, and may miss one."""
ACKNOWLEDGE_S: Final = 0.2
"""How long a stop waits for reliable subscribers to have it."""


@dataclass(frozen=True)
class Listeners:
    """Who hears the commands.

    Attributes:
        topic: on which they are sent.
        count: subscriptions to it that hear them.
        problem: which nodes expect another type, in words; empty if none does.
    """

    topic: str
    count: int
    problem: str = ""


class Outputs:
    """The publishers of the follower.

    Args:
        endpoints: make the publishers, and destroy them.
        stamped: TwistStamped instead of Twist.
    """

    def __init__(self, endpoints: Endpoints, *, stamped: bool) -> None:
        self._node = endpoints.node
        self._stamped = stamped
        kind = TwistStamped if stamped else Twist
        self._commands = endpoints.publisher(kind, "cmd_vel", COMMANDS)
        self._topic = self._commands.topic_name
        self._state = endpoints.publisher(String, "~/state", STATE)
        self._poses = endpoints.publisher(PoseStamped, "~/target_pose", TARGET_POSES)
        self._said = ""

    def command(self, speeds: Speeds, base_frame: str) -> None:
        """Tell the robot how fast to go."""
        twist = Twist()
        twist.linear.x, twist.angular.z = speeds.linear, speeds.angular
        if not self._stamped:
            self._commands.publish(twist)
            return
        message = TwistStamped(twist=twist)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = base_frame
        self._commands.publish(message)

    def stop(self, base_frame: str) -> None:
        """Tell the robot to stand, and wait a moment for it to have heard it."""
        for _ in range(LAST_ZEROS):
            self.command(STANDING, base_frame)
        self._commands.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))

    def listeners(self) -> Listeners:
        """Look who subscribes to the commands; any thread may call it."""
        sent, other = ("TwistStamped", "Twist") if self._stamped else ("Twist", "TwistStamped")
        found = self._node.get_subscriptions_info_by_topic(self._topic)
        deaf = {node_of(each) for each in found if each.topic_type == f"geometry_msgs/msg/{other}"}
        names = ", ".join(sorted(deaf - {""}))
        count = sum(each.topic_type == f"geometry_msgs/msg/{sent}" for each in found)
        if not names:
            return Listeners(self._topic, count)
        remedy = f"set stamped to {str(not self._stamped).lower()}"
        problem = f"{names} expects {other} on {self._topic}, and {sent} is sent: {remedy}"
        return Listeners(self._topic, count, problem)

    def state(self, words: str) -> bool:
        """Say what the follower is about; whether that is news."""
        news = words != self._said
        if news:
            self._said = words
            self._state.publish(String(data=words))
        return news

    def pose(self, pose: PoseStamped) -> None:
        """Say where the target is."""
        self._poses.publish(pose)

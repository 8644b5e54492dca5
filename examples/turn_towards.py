"""A follower of your own: turn the robot until the object is in the middle of the picture.

python examples/turn_towards.py 640 --ros-args -r cmd_vel:=/robot/cmd_vel

The number is the width of the picture. It stops when the object is hidden, and when nothing has
come for half a second. `/follower` of this package also keeps a distance and knows calibrations.
"""

import sys

import rclpy
from etam_ros.msg import TrackedObjectArray
from geometry_msgs.msg import Twist
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

FASTEST = 0.8  # rad/s
SILENCE_S = 0.5


class TurnTowards(Node):
    def __init__(self, width: int) -> None:
        super().__init__("turn_towards")
        self.width = width
        self.speed = 0.0
        self.heard = self.get_clock().now()
        self.publisher = self.create_publisher(Twist, "cmd_vel", 1)
        self.create_subscription(TrackedObjectArray, "/tracker/objects", self.on_objects, 1)
        self.create_timer(0.05, self.command)

    def on_objects(self, message: TrackedObjectArray) -> None:
        self.heard = self.get_clock().now()
        seen = [item for item in message.objects if not item.occluded]
        if not seen:
            self.speed = 0.0
            return
        offset = 1.0 - 2.0 * seen[0].centroid.x / self.width  # 1 at the left border
        self.speed = max(-FASTEST, min(FASTEST, offset))

    def command(self) -> None:
        silent = (self.get_clock().now() - self.heard).nanoseconds * 1e-9 > SILENCE_S
        message = Twist()
        message.angular.z = 0.0 if silent else self.speed  # positive turns to the left
        self.publisher.publish(message)


def main() -> None:
    rclpy.init()
    try:
        rclpy.spin(TurnTowards(int(sys.argv[1])))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()

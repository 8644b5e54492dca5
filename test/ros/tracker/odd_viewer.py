"""Subscribes to everything that a tracker publishes, as oddly as one can, until it is killed.

Run as: odd_viewer.py TRACKER. It says "up" once it has begun.
"""

import sys

import rclpy
from etam_ros.msg import TrackedObjectArray, TrackEvent
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

KEEPS_ALL = QoSProfile(history=HistoryPolicy.KEEP_ALL)
OF_THE_PAST = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def main() -> None:
    tracker = sys.argv[1]
    rclpy.init()
    node = rclpy.create_node("odd_viewer")
    for kind, topic in (
        (TrackedObjectArray, "objects"),
        (Image, "label_image"),
        (Image, "overlay"),
        (CompressedImage, "overlay/compressed"),
        (TrackEvent, "events"),
    ):
        for profile in (KEEPS_ALL, OF_THE_PAST):
            node.create_subscription(kind, f"{tracker}/{topic}", lambda _: None, profile)
        node.create_subscription(String, f"{tracker}/{topic}", lambda _: None, 1)
        node.create_publisher(String, f"{tracker}/{topic}", 1)
    for topic in ("prompt", "click", "click_background"):
        node.create_publisher(String, f"{tracker}/{topic}", 1)
    print("up", flush=True)
    rclpy.spin(node)


if __name__ == "__main__":
    main()

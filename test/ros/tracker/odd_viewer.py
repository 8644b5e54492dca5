"""Subscribes to everything that a tracker publishes, as oddly as one can, until it is killed.

Run as: odd_viewer.py TRACKER everything|other_types, the latter for topics of the tracker's names
with another type. It says "up" once it has begun.
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
    tracker, kinds = sys.argv[1:3]
    rclpy.init()
    node = rclpy.create_node("odd_viewer")
    for kind, topic in (
        (TrackedObjectArray, "objects"),
        (Image, "label_image"),
        (Image, "overlay"),
        (CompressedImage, "overlay/compressed"),
        (TrackEvent, "events"),
        (None, "prompt"),
        (None, "click"),
    ):
        name = f"{tracker}/{topic}"
        if kinds == "other_types":
            node.create_subscription(String, name, lambda _: None, 1)
            node.create_publisher(String, name, 1)
        elif kind is not None:
            for profile in (KEEPS_ALL, OF_THE_PAST):
                node.create_subscription(kind, name, lambda _: None, profile)
    print("up", flush=True)
    rclpy.spin(node)


if __name__ == "__main__":
    main()

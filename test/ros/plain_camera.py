"""A camera as users have it: an ordinary rclpy publisher that knows nothing of etam_ros.

Run as: plain_camera.py TOPIC raw|compressed reliable|best_effort WIDTH HEIGHT. It publishes 30
times a second until SIGINT.
"""

import contextlib
import sys
from array import array

import cv2
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image


def main() -> None:
    topic, transport, reliability, width, height = sys.argv[1:6]
    width, height = int(width), int(height)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    if transport == "raw":
        message = Image(height=height, width=width, encoding="rgb8", step=width * 3)
        message.data = array("B", pixels.tobytes())
    else:
        encoded = cv2.imencode(".jpg", pixels)[1]
        message = CompressedImage(format="jpeg", data=array("B", encoded.tobytes()))
    message.header.frame_id = "plain_camera"
    rclpy.init()
    node = rclpy.create_node("plain_camera")
    qos = QoSProfile(depth=5, reliability=ReliabilityPolicy[reliability.upper()])
    publisher = node.create_publisher(type(message), topic, qos)

    def publish() -> None:
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)

    node.create_timer(1 / 30, publish)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()

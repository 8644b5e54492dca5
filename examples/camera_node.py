"""Publish a camera, or any video that OpenCV opens, as images that the tracker takes.

python examples/camera_node.py 0 --ros-args -r image:=/camera/image_raw
"""

import sys

import cv2
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from etam_ros.ros.transport import apply_profile


class Camera(Node):
    def __init__(self, source: str) -> None:
        super().__init__("camera")
        self.video = cv2.VideoCapture(int(source) if source.isdigit() else source)
        self.publisher = self.create_publisher(Image, "image", qos_profile_sensor_data)
        self.create_timer(1.0 / 15.0, self.publish)

    def publish(self) -> None:
        read, picture = self.video.read()
        if not read:
            raise ExternalShutdownException
        height, width, _ = picture.shape
        message = Image(height=height, width=width, encoding="bgr8", step=width * 3)
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = "camera"
        message.data.frombytes(picture.tobytes())
        self.publisher.publish(message)


def main() -> None:
    apply_profile()  # before ROS starts: its default loses images as large as 720p
    rclpy.init()
    try:
        rclpy.spin(Camera(sys.argv[1]))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()

"""A detector of your own tells the tracker what to follow; here it looks for something red.

python examples/detector_prompts.py --ros-args -r image:=/camera/image_raw

It sends a box with the stamp of the frame that it looked at, so that the tracker applies it to
that frame, however long the detector took. It is silent while the object is followed.
"""

import cv2
import numpy as np
import rclpy
from etam_ros.msg import Prompt, TrackedObjectArray
from etam_ros.srv import AddPrompt
from numpy.typing import NDArray
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image


def detect(picture: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """The box (x0, y0, x1, y1) of the largest red thing in a BGR picture, or None."""
    hue, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV))
    red = (saturation > 150) & (value > 80) & ((hue < 8) | (hue > 172))
    count, _, stats, _ = cv2.connectedComponentsWithStats(red.astype(np.uint8))
    if count < 2:
        return None
    x, y, width, height, area = max(stats[1:], key=lambda row: row[4])
    return (int(x), int(y), int(x + width), int(y + height)) if area > 200 else None


class Detector(Node):
    def __init__(self) -> None:
        super().__init__("detector")
        self.followed = False
        self.client = self.create_client(AddPrompt, "/tracker/add_prompt")
        self.create_subscription(Image, "image", self.on_image, qos_profile_sensor_data)
        self.create_subscription(TrackedObjectArray, "/tracker/objects", self.on_objects, 1)

    def on_objects(self, message: TrackedObjectArray) -> None:
        self.followed = any(item.label == "red" for item in message.objects)

    def on_image(self, message: Image) -> None:
        if self.followed or not self.client.service_is_ready() or message.encoding != "bgr8":
            return
        picture = np.frombuffer(message.data, np.uint8)
        box = detect(picture.reshape(message.height, message.width, 3))
        if box is not None:
            prompt = Prompt(header=message.header, label="red", box=[float(side) for side in box])
            self.client.call_async(AddPrompt.Request(prompt=prompt)).add_done_callback(self.report)
            self.followed = True

    def report(self, future: rclpy.task.Future) -> None:
        answer = future.result()
        words = f"follows object {answer.object.id}" if answer.success else answer.message
        self.get_logger().info(words)
        self.followed = answer.success


def main() -> None:
    rclpy.init()
    try:
        rclpy.spin(Detector())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()

"""Whom a soaked node talks to, as processes of their own: a camera, and those who look.

python scripts/soak_peers.py camera SEED RATE_HZ FIRST_STAMP_S
python scripts/soak_peers.py steady_camera SEED RATE_HZ FIRST_STAMP_S
python scripts/soak_peers.py viewer TOPICS
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Any, Final

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions

SIZES: Final = ((48, 64), (60, 80), (48, 96), (90, 120), (96, 128))
ENCODINGS: Final = ("rgb8", "bgr8", "rgba8", "mono8", "mono16", "bayer_rggb8", "yuyv", "nv12")
STEP_NS: Final = 33_333_333
"""Between two stamps, however fast they come."""
PICTURES: Final = 16
ended = threading.Event()


def images(rng: np.random.Generator, hw: tuple[int, int], encoding: str) -> list[Any]:
    """Something bright that walks to and fro before noise, as messages."""
    from sensor_msgs.msg import Image

    channels, kind = {
        "rgb8": (3, np.uint8), "bgr8": (3, np.uint8), "rgba8": (4, np.uint8),
        "yuyv": (2, np.uint8), "mono16": (1, np.uint16),
    }.get(encoding, (1, np.uint8))  # fmt: skip
    height, width = hw
    rows = height * 3 // 2 if encoding == "nv12" else height
    found = []
    for number in range(PICTURES):
        pixels = rng.integers(0, 60, (rows, width, channels)).astype(kind)
        x = int((width - 20) * abs(2 * number / PICTURES - 1))
        pixels[10:34, x : x + 18] = rng.integers(150, 255, channels)
        pixels *= 257 if kind is np.uint16 else 1  # to all of its bits
        image = Image(height=height, width=width, encoding=encoding, step=pixels[0].nbytes)
        image.header.frame_id = "camera"
        image.data.frombytes(pixels.tobytes())
        found.append(image)
    return found


def camera(seed: int, rate_hz: float, first_stamp_s: int, changes: bool) -> None:
    """Publish; if it changes, in other sizes and encodings, with stalls and broken images."""
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    rng = np.random.default_rng(seed)
    reliable = seed % 2 or not changes
    policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    node = rclpy.create_node("camera")
    publisher = node.create_publisher(Image, "image", QoSProfile(depth=5, reliability=policy))
    stamp_ns, number = first_stamp_s * 10**9, 0
    while not ended.is_set():
        hw, encoding = SIZES[rng.integers(len(SIZES))], ENCODINGS[rng.integers(len(ENCODINGS))]
        if not changes:
            hw, encoding = SIZES[-1], ENCODINGS[0]
        playing = images(rng, hw, encoding)
        end = time.monotonic() + rng.uniform(3, 15)
        next_s = time.monotonic()
        while time.monotonic() < end and not ended.is_set():
            message = playing[number % PICTURES]
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
            publisher.publish(message)
            stamp_ns, number = stamp_ns + STEP_NS, number + 1
            next_s = max(next_s + 1 / rate_hz, time.monotonic() - 0.1)
            ended.wait(max(0.0, next_s - time.monotonic()))
        if not changes:
            continue
        if rng.random() < 0.2:  # a stall
            ended.wait(rng.uniform(0.3, 4))
        if rng.random() < 0.2:  # a driver gone wrong
            publisher.publish(Image(height=9, width=9, encoding="x" * int(rng.integers(9))))


def viewer(topics: str) -> None:
    """Subscribe to topics of the tracker; slowly, if their first is "slow"."""
    from etam_ros.msg import TrackedObjectArray, TrackEvent
    from sensor_msgs.msg import CompressedImage, Image, PointCloud2
    from visualization_msgs.msg import MarkerArray

    kinds = {
        "objects": TrackedObjectArray, "label_image": Image, "overlay": Image,
        "overlay/compressed": CompressedImage, "events": TrackEvent, "click_plane": PointCloud2,
        "markers": MarkerArray,
    }  # fmt: skip
    names = topics.split(",")
    pause_s = 0.2 if names[0] == "slow" else 0.0
    node = rclpy.create_node("viewer")
    for name in names:
        if name in kinds:
            node.create_subscription(
                kinds[name], f"/tracker/{name}", lambda _: ended.wait(pause_s), 5
            )
    while not ended.is_set():
        rclpy.spin_once(node, timeout_sec=0.1)


def main() -> None:
    """Be what is asked for, until a signal."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    what, *arguments = sys.argv[1:]
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    if what in ("camera", "steady_camera"):
        seed, rate_hz, stamp_s = arguments
        camera(int(seed), float(rate_hz), int(stamp_s), changes=what == "camera")
    else:
        viewer(arguments[0])
    rclpy.shutdown()


if __name__ == "__main__":
    main()

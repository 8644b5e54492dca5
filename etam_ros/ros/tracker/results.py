"""Publishers of what the tracker finds. Each message is made only when somebody subscribes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from etam_ros.config import OverlayConfig
from etam_ros.msg import TrackedObjectArray
from etam_ros.ros.image_conversion import (
    ReusedImageMessage,
    compressed_message,
    image_message,
)
from etam_ros.ros.messages import objects_message
from etam_ros.ros.tracker.statistics import NS_PER_MS
from etam_ros.ros.tracker.worker import ProcessedFrame

OBJECTS_DEPTH: Final = 10
IMAGES_DEPTH: Final = 2


def reliable(depth: int) -> QoSProfile:
    """What publishers offer by REP-2003: it serves subscribers of either reliability."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.RELIABLE
    )


class ResultPublishers:
    """`~/objects`, `~/label_image`, `~/overlay` and its compressed twin.

    Args:
        node: gets the publishers.
        overlay: asked for the present look of the overlay.
    """

    def __init__(self, node: Node, overlay: Callable[[], OverlayConfig]) -> None:
        self._node = node
        self._overlay_config = overlay
        self._label_message = ReusedImageMessage("16UC1")
        compressed_topic = node.resolve_topic_name("~/overlay") + "/compressed"
        objects, images = reliable(OBJECTS_DEPTH), reliable(IMAGES_DEPTH)
        self._objects = node.create_publisher(TrackedObjectArray, "~/objects", objects)
        self._labels = node.create_publisher(Image, "~/label_image", images)
        self._overlay = node.create_publisher(Image, "~/overlay", images)
        self._compressed = node.create_publisher(CompressedImage, compressed_topic, images)

    def publish(self, processed: ProcessedFrame, dropped_frames: int) -> None:
        """Give out one frame: the objects first, the picture for people last."""
        result, header = processed.result, processed.header
        if _wanted(self._objects):
            objects = objects_message(result, header, dropped_frames=dropped_frames)
            elapsed_ns = time.monotonic_ns() - processed.received_ns
            objects.latency_ms = elapsed_ns / NS_PER_MS
            self._objects.publish(objects)
        if _wanted(self._labels):
            self._labels.publish(self._label_message.filled(result.label_image, header))
        self._publish_overlay(processed)

    def _publish_overlay(self, processed: ProcessedFrame) -> None:
        raw, compressed = _wanted(self._overlay), _wanted(self._compressed)
        if not raw and not compressed:
            return
        from etam_ros.drawing.overlay import draw_overlay  # only where somebody looks

        config = self._overlay_config()
        picture = draw_overlay(processed.image, processed.result, config)
        if raw:
            self._overlay.publish(image_message(picture, "rgb8", processed.header))
        if compressed:
            self._compressed.publish(
                compressed_message(picture, processed.header, jpeg_quality=config.jpeg_quality)
            )

    def destroy(self) -> None:
        """Take the publishers off the node."""
        for publisher in (self._objects, self._labels, self._overlay, self._compressed):
            self._node.destroy_publisher(publisher)


def _wanted(publisher: Publisher) -> bool:
    return publisher.get_subscription_count() > 0

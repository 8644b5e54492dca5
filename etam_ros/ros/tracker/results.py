"""Publishers of what the tracker finds. Each message is made only when somebody subscribes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image

from etam_ros.config import OverlayConfig
from etam_ros.errors import EtamError
from etam_ros.msg import Prompt, TrackedObjectArray, TrackEvent
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.image_conversion import (
    ReusedImageMessage,
    compressed_message,
    image_message,
)
from etam_ros.ros.messages import objects_message
from etam_ros.ros.qos import EVENTS, OBJECTS, PROMPTS, RESULT_IMAGES
from etam_ros.ros.tracker.displays import Display
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.reports.statistics import NS_PER_MS
from etam_ros.ros.tracker.tracked_detections import TrackedDetections

DRAWING_THREAD: Final = "overlay"


class ResultPublishers:
    """`~/objects`, `~/label_image`, `~/events`, `~/applied_prompts`; with vision_msgs
    `~/tracked_detections`, too.

    Args:
        endpoints: get the publishers.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._label_message = ReusedImageMessage("16UC1")
        self._objects = endpoints.publisher(TrackedObjectArray, "~/objects", OBJECTS)
        self._labels = endpoints.publisher(Image, "~/label_image", RESULT_IMAGES)
        self._detections = TrackedDetections(endpoints)
        self._events = endpoints.publisher(TrackEvent, "~/events", EVENTS)
        self._prompts = endpoints.publisher(Prompt, "~/applied_prompts", PROMPTS)

    @property
    def objects_wanted(self) -> bool:
        """Whether somebody subscribes to the objects."""
        return _wanted(self._objects)

    def publish(self, processed: ProcessedFrame, dropped_frames: int) -> None:
        """Give out one frame, the objects first."""
        result, header = processed.result, processed.header
        if _wanted(self._objects):
            objects = objects_message(
                result,
                header,
                last_seen=processed.last_seen,
                positions=processed.positions,
                dropped_frames=dropped_frames,
            )
            elapsed_ns = time.monotonic_ns() - processed.received_ns
            objects.latency_ms = elapsed_ns / NS_PER_MS
            self._objects.publish(objects)
        self._detections.publish(result, header)
        if _wanted(self._labels):
            self._labels.publish(self._label_message.filled(result.label_image, header))

    def publish_events(self, events: Iterable[TrackEvent]) -> None:
        """Give out what became of objects."""
        for event in events:
            self._events.publish(event)

    def publish_prompts(self, prompts: Iterable[Prompt]) -> None:
        """Give out prompts as they were applied, for whoever records them to be repeated."""
        for prompt in prompts:
            self._prompts.publish(prompt)


class OverlayPublisher(Display[ProcessedFrame]):
    """`~/overlay` and its compressed twin, drawn in a thread of their own.

    A frame takes the place of one that waits to be drawn, so that overlays may be fewer than
    results, and never hold them up.

    Args:
        endpoints: get the publishers.
        config: asked for the present look of the overlay.
        on_failed: told, in the thread, of a frame that could not be drawn or compressed.
        on_fault: told, in the thread, what failed and by which error that nobody expected.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        config: Callable[[], OverlayConfig],
        *,
        on_failed: Callable[[EtamError], None],
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._config = config
        self._on_failed = on_failed
        compressed_topic = endpoints.node.resolve_topic_name("~/overlay") + "/compressed"
        self._raw = endpoints.publisher(Image, "~/overlay", RESULT_IMAGES)
        self._compressed = endpoints.publisher(CompressedImage, compressed_topic, RESULT_IMAGES)
        super().__init__(DRAWING_THREAD, self._draw, on_fault)

    def offer(self, processed: ProcessedFrame) -> None:
        """Have a frame drawn if somebody subscribes; returns at once."""
        if _wanted(self._raw) or _wanted(self._compressed):
            self._thread.offer(processed)

    def _draw(self, processed: ProcessedFrame) -> None:
        from etam_ros.drawing.overlay import draw_overlay  # only where somebody subscribes

        config, header = self._config(), processed.header
        try:
            picture = draw_overlay(processed.image, processed.result, config)
            if _wanted(self._raw):
                self._raw.publish(image_message(picture, "rgb8", header))
            if _wanted(self._compressed):
                quality = config.jpeg_quality
                jpeg = compressed_message(picture, header, jpeg_quality=quality)
                self._compressed.publish(jpeg)
        except EtamError as error:
            self._on_failed(error)


def _wanted(publisher: Publisher) -> bool:
    return publisher.get_subscription_count() > 0

"""The node `player`: publishes the frames of a source at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.config import PlayerConfig
from etam_ros.errors import ConfigError
from etam_ros.media.sources import open_source
from etam_ros.options import option_of
from etam_ros.records import Frame
from etam_ros.ros.camera_info import camera_info_from_file, camera_info_of
from etam_ros.ros.image_conversion import compressed_message, image_message
from etam_ros.ros.messages import NS_PER_S
from etam_ros.ros.parameters import warn_of_unknown
from etam_ros.ros.qos import played_images

COUNT_PERIOD_S: Final = 0.02
"""Between two counts of the subscribers that are waited for."""
FRAME_ID: Final = "camera_optical_frame"
"""Of frames that come without one."""
LONGEST_GAP_S: Final = 10.0
"""Between two frames of a recording; what is longer is no pause of a camera."""
ACKNOWLEDGE_S: Final = 10.0
"""How long the end waits for subscribers that have not confirmed the last frames."""

OnFrame = Callable[[int, "int | None"], None]


class PlayerNode(Node):
    """`/player`: publishes `image`, `image/compressed` and `camera_info`.

    Args:
        defaults: values of parameters that the ROS arguments do not set.

    Raises:
        ConfigError: a parameter is invalid.
        SourceError: the source cannot be opened.
    """

    def __init__(self, defaults: PlayerConfig) -> None:
        super().__init__("player")
        self.config = self._declare(defaults)
        self._info = (
            camera_info_from_file(self.config.camera_info) if self.config.camera_info else None
        )
        self._source = open_source(
            self.config.source,
            fps=self.config.rate_hz or None,
            topic=self.config.topic,
            recover=self.config.recover,
        )
        if self._info is None:
            self._info = camera_info_of(self._source)
        self._raw: Publisher | None = None
        self._compressed: Publisher | None = None
        topic = self.resolve_topic_name("image")
        if self.config.transport != "compressed":
            self._raw = self._publisher(Image, topic)
        if self.config.transport != "raw":
            self._compressed = self._publisher(CompressedImage, f"{topic}/compressed")
        self._infos = self._publisher(CameraInfo, "camera_info") if self._info else None

    def _declare(self, defaults: PlayerConfig) -> PlayerConfig:
        declarations: list[Any] = [
            (
                item.name,
                getattr(defaults, item.name),
                ParameterDescriptor(description=option_of(item).full_description, read_only=True),
            )
            for item in fields(PlayerConfig)
        ]
        try:
            declared = self.declare_parameters("", declarations)
        except ParameterException as error:
            raise ConfigError(" ".join(str(error).split())) from error
        warn_of_unknown(self)
        config = PlayerConfig(**{parameter.name: parameter.value for parameter in declared})
        if not config.source:
            raise ConfigError(
                "source is empty, expected a video file, a folder of images, a bag or the index "
                "of a camera: set it with -p source:=..."
            )
        return config

    def _publisher(self, message_type: Any, topic: str) -> Publisher:
        return self.create_publisher(message_type, topic, played_images(self.config.reliability))

    @property
    def _images(self) -> list[Publisher]:
        return [publisher for publisher in (self._raw, self._compressed) if publisher is not None]

    @property
    def subscribers(self) -> int:
        """How many subscribe to the images, in either form."""
        return sum(publisher.get_subscription_count() for publisher in self._images)

    def play(self, stop: threading.Event, on_frame: OnFrame | None = None) -> int:
        """Publish all frames, again and again if asked to.

        Args:
            stop: ends it before the next frame.
            on_frame: called after each with the frames published so far and those in all, the
                latter None where nobody knows.

        Returns:
            How many frames were published.

        Raises:
            SourceError: a frame cannot be read.
        """
        while self.subscribers < self.config.wait_for_subscribers and not stop.is_set():
            stop.wait(COUNT_PERIOD_S)
        topics = ", ".join(publisher.topic_name for publisher in self._images)
        self.get_logger().info(
            f"playing {self._source.name} at {self._source.fps:g} Hz on {topics}"
        )
        published = 0
        pace = Pace(0.0 if self._source.live else 1.0 / self._source.fps)
        total = None if self.config.loop else self._source.frame_count
        while not stop.is_set():
            before_ns = None
            for frame in self._source:
                messages = self._messages(frame)
                now_s = time.monotonic()
                deadline_s = pace.deadline_s(now_s, self._gap_s(before_ns, frame.stamp_ns))
                before_ns = frame.stamp_ns
                if stop.wait(max(deadline_s - now_s, 0.0)):
                    break
                self._publish(messages)
                published += 1
                if on_frame is not None:
                    on_frame(published, total)
            if not self.config.loop:
                break
        self._wait_for_subscribers_to_have_all(stop)
        for note in self._source.notes:
            self.get_logger().warning(note)
        late = f", {pace.late} of them late" if pace.late else ""
        self.get_logger().info(f"published {published} frames{late}")
        return published

    def _gap_s(self, before_ns: int | None, stamp_ns: int) -> float | None:
        """Seconds from one frame of a recording to the next; None where the rate says it."""
        if self.config.rate_hz or not self._source.recorded or before_ns is None:
            return None
        gap_s = (stamp_ns - before_ns) / NS_PER_S
        return gap_s if 0.0 <= gap_s <= LONGEST_GAP_S else None

    def _messages(self, frame: Frame) -> list[tuple[Publisher, Any]]:
        """The messages of one frame, yet without a stamp; they share their header."""
        header = Header(frame_id=self.config.frame_id or frame.frame_id or FRAME_ID)
        messages: list[tuple[Publisher, Any]] = []
        if self._info is not None and self._infos is not None:
            self._info.header = header
            self._check_size(frame)
            messages.append((self._infos, self._info))
        if self._raw is not None and self._raw.get_subscription_count():
            messages.append((self._raw, image_message(frame.image, "rgb8", header)))
        if self._compressed is not None and self._compressed.get_subscription_count():
            quality = self.config.jpeg_quality
            jpeg = compressed_message(frame.image, header, jpeg_quality=quality)
            messages.append((self._compressed, jpeg))
        return messages

    def _publish(self, messages: list[tuple[Publisher, Any]]) -> None:
        stamp = self.get_clock().now().to_msg()
        for publisher, message in messages:
            message.header.stamp = stamp
            publisher.publish(message)

    def _check_size(self, frame: Frame) -> None:
        calibrated = (self._info.height, self._info.width) if self._info else frame.hw
        if calibrated != frame.hw:
            said = self.config.camera_info or "the recorded camera_info"
            self.get_logger().warning(
                f"frames are {frame.hw[1]}x{frame.hw[0]} pixels, {said} is for "
                f"{calibrated[1]}x{calibrated[0]}: it is published as it is",
                once=True,
            )

    def _wait_for_subscribers_to_have_all(self, stop: threading.Event) -> None:
        deadline_s = time.monotonic() + ACKNOWLEDGE_S
        slice_ = Duration(seconds=0.1)
        for publisher in self._images:
            while not stop.is_set() and not publisher.wait_for_all_acked(slice_):
                if time.monotonic() > deadline_s:
                    self.get_logger().warning(
                        f"a subscriber of {publisher.topic_name} has not confirmed the last "
                        f"frames for {ACKNOWLEDGE_S:g} s: ending without it"
                    )
                    return

    def close_source(self) -> None:
        """Give back the source, once nothing is played any more."""
        self._source.close()


class Pace:
    """Keeps a steady rate by absolute deadlines.

    One frame a little late does not delay those after it. One that is late by more than a
    period moves them all: frames are neither dropped nor sent in a burst. A live source sets its
    own pace: its period is 0.

    Args:
        period_s: seconds from one frame to the next.

    Attributes:
        late: frames that missed their deadline by more than a period.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last_s: float | None = None
        self.late = 0

    def deadline_s(self, now_s: float, gap_s: float | None = None) -> float:
        """When to publish the next frame, in seconds.

        Args:
            now_s: when it is ready.
            gap_s: seconds from the frame before to this one; None: a period.
        """
        gap_s = self._period_s if gap_s is None else gap_s
        deadline_s = now_s if self._last_s is None else self._last_s + gap_s
        if self._period_s and now_s > deadline_s + self._period_s:
            self.late += 1
            deadline_s = now_s
        self._last_s = deadline_s
        return deadline_s

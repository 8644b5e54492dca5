"""What is shown of one tracker, while somebody looks."""

from __future__ import annotations

import itertools
import time
from typing import Any, Final

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from etam_ros.console.hub import Channel
from etam_ros.console.shown import ShownFrame, ShownFrames
from etam_ros.errors import EtamError
from etam_ros.media.bags.definitions import TRACKED_OBJECT_ARRAY
from etam_ros.msg import TrackedObjectArray, TrackEvent
from etam_ros.ros.console.labels import LabelsWhereNeeded
from etam_ros.ros.console.packed import COMPRESSED_IMAGE, IMAGE, Packed
from etam_ros.ros.console.pairing import FrameMessages, Pairing
from etam_ros.ros.console.receiving import Receiver
from etam_ros.ros.console.showing import Look, made_of, packet_of
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.guarding import faults_of
from etam_ros.ros.messages import stamp_ns
from etam_ros.ros.newest_only import NewestOnlyThread
from etam_ros.ros.qos import EVENTS, OBJECTS
from etam_ros.ros.tracker.image_subscription import ImageSubscription, WantedImages
from etam_ros.ros.tracker.object_watch import in_words

PLAIN_AFTER_S: Final = 2.0
"""Pictures are shown without masks once no result came for so long."""
EARLY: Final = 0.9
"""A picture may come so much of a period after the one before: cameras are not exact."""
STALE_S: Final = 3.0
"""Results of before may come for so long after an object was removed."""
NUMBERS: Final = itertools.count(1)
"""Of packets, of all feeds: a viewer who goes from one to another sees them rise."""


class TrackerFeed:
    """Subscribes to a tracker's results and to its camera, and makes pictures of them.

    Pictures and results are taken in one thread, and made into what is shown in another; all
    else runs in the executor's.

    Args:
        node: gets the subscriptions.
        name: full name of the tracker.
        channel: where it is shown.
        look: how pictures are made.
        shown: frames that viewers have seen; who comes back sees the last one first, and may
            click on it.
        group: of the other callbacks.

    Attributes:
        shown: the same.
        paused: nothing new is shown, because nothing new is followed.
        results_s: when the newest result came, by the monotonic clock.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        channel: Channel,
        look: Look,
        shown: ShownFrames,
        group: CallbackGroup,
    ) -> None:
        self.shown = shown
        self.paused = False
        self.results_s, self._began_s = 0.0, time.monotonic()
        self._node, self._channel, self._look = node, channel, look
        self._period_s, self._due_s = EARLY / look.max_rate_hz, 0.0
        self._pairing = Pairing()
        self._received = 0
        self._gone: dict[int, tuple[int, float]] = {}  # by id: the last frame with it, until when
        self._camera: ImageSubscription | None = None
        self._camera_topic, self._kind = "", IMAGE
        self._latency_ms = 0.0
        self._thread: NewestOnlyThread[FrameMessages] = NewestOnlyThread(
            "pictures", self._make, self._on_fault
        )
        self._receiver = Receiver(node)
        self._endpoints = Endpoints(node)
        self._endpoints.subscribe(
            TrackedObjectArray,
            f"{name}/objects",
            self.on_objects,
            OBJECTS,
            self._receiver,
            raw=True,
        )
        self._endpoints.subscribe(TrackEvent, f"{name}/events", self.on_event, EVENTS, group)
        self._labels = LabelsWhereNeeded(
            node, f"{name}/label_image", self.on_labels, self._receiver
        )

    def look_through(self, topic: str) -> None:
        """Subscribe to the camera that the tracker uses, by the name of its topic."""
        if topic and topic != self._camera_topic:
            self._end_camera()
            self._camera_topic = topic
            kind = CompressedImage if topic.endswith("/compressed") else Image
            remedy = "look at the tracker's image"
            wanted = WantedImages(topic, kind, "auto", 1, "image", remedy, raw=True)
            self._kind = COMPRESSED_IMAGE if kind is CompressedImage else IMAGE
            self._camera = ImageSubscription(
                self._node, wanted, self.on_picture, lambda: self._received, self._receiver
            )
        if self._camera is not None:
            self._camera.check_publishers()

    def check(self) -> None:
        """Ask for label images, or no longer."""
        self._labels.check()

    def on_picture(self, data: bytes) -> None:
        """A picture of the camera, as it came."""
        self._received += 1
        picture = Packed.of(self._kind, data)
        self._offer(self._pairing.picture(picture))
        newest_s = max(self.results_s, self._began_s)  # by then it is known whether it is paused
        if time.monotonic() - newest_s > PLAIN_AFTER_S and not (self.paused and self.shown.newest):
            self._offer(FrameMessages(picture.stamp_ns, picture))

    def on_objects(self, data: bytes) -> None:
        """The objects of a frame, as they came."""
        self.results_s = time.monotonic()
        self._pairing.with_labels = self._labels.expected()
        self._offer(self._pairing.objects(Packed.of(TRACKED_OBJECT_ARRAY, data)))

    def on_labels(self, data: bytes) -> None:
        """The label image of a frame, as it came."""
        self._labels.came()
        self._offer(self._pairing.labels(Packed.of(IMAGE, data)))

    def on_event(self, event: TrackEvent) -> None:
        """What became of an object."""
        self._channel.report({"at": time.time(), "words": in_words(event)})
        if event.kind in (TrackEvent.REMOVED, TrackEvent.FORGOTTEN):
            until_s = time.monotonic() + STALE_S
            self._gone[event.object_id] = (stamp_ns(event.header.stamp), until_s)
            self.show_without(event.object_id)

    def show_again(self, frame: ShownFrame) -> None:
        """Show a frame that has changed, if it still is the newest."""
        newest = self.shown.newest
        self.shown.change(frame)
        if newest is not None and newest.stamp_ns == frame.stamp_ns:
            self._publish(frame)

    def show_without(self, object_id: int) -> None:
        """Take an object off the frame that is shown now; 0: all."""
        newest = self.shown.newest
        if newest is not None:
            self.show_again(newest.without(object_id))

    def end(self) -> None:
        """Subscribe to nothing any more."""
        self._receiver.end()
        self._thread.stop()
        self._labels.end()
        self._end_camera()
        self._endpoints.__exit__(None, None, None)

    def _offer(self, messages: FrameMessages | None) -> None:
        """Have a picture made, if somebody waits for it and the last one is not too new."""
        now_s = time.monotonic()
        if messages is None or not self._channel.wanted or now_s < self._due_s:
            return
        self._due_s = now_s + self._period_s
        self._thread.offer(messages)

    def _make(self, messages: FrameMessages) -> None:
        """In the thread of the pictures."""
        try:
            made = made_of(messages, self._look)
        except EtamError as error:
            self._node.get_logger().warning(f"not shown: {error}", throttle_duration_sec=5.0)
            return
        if made.in_pieces:
            self._labels.need()
        frame = made.frame
        for shown in frame.objects:  # a result of before may come after an object was removed
            last_ns, until_s = self._gone.get(shown.object_id, (0, 0.0))
            if time.monotonic() < until_s and frame.stamp_ns <= last_ns:
                frame = frame.without(shown.object_id)
        self.shown.add(frame)
        self._publish(frame, made.latency_ms)

    def _on_fault(self, place: str, error: BaseException) -> None:
        faults_of(self._node).tell(place, error)

    def _publish(self, frame: ShownFrame, latency_ms: float = 0.0) -> None:
        more: dict[str, Any] = {"latency": round(latency_ms, 1)}
        self._channel.show(packet_of(frame, self._look, next(NUMBERS), more))

    def _end_camera(self) -> None:
        if self._camera is not None:
            self._camera.destroy()
            self._camera = None

"""A node that listens to a camera and a tracker, and puts their messages together by stamp."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import cv2
import numpy as np
from geometry_msgs.msg import Point32
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.task import Future
from sensor_msgs.msg import Image

from etam_ros.msg import Prompt as PromptMessage
from etam_ros.msg import TrackedObject, TrackedObjectArray
from etam_ros.records import FrameResult, ObjectState, Prompt
from etam_ros.ros.image_conversion import image_from_message
from etam_ros.ros.messages import stamp_ns
from etam_ros.ros.qos import RECORDED
from etam_ros.srv import AddPrompt

_MOST_PIXELS: Final = 64_000_000
_MOST_IMAGES: Final = 400
"""Images kept for results that are to come; a result is always for one of the newest."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """What a tracker published about one image.

    Attributes:
        index: of the image among those published, from 0.
        image: (H, W, 3) uint8 RGB.
        result: rebuilt from the messages; without logits, which are not published.
        latency_ms: image received to result published, as the tracker measured it.
    """

    index: int
    image: NDArray[np.uint8] = field(repr=False)
    result: FrameResult
    latency_ms: float


class Recorder(Node):
    """Subscribes to `image` and to a tracker's results, all reliably.

    Args:
        context: of ROS.
        tracker: full name of the tracker node.
        on_sighting: called with each result, in the order of the images.

    Attributes:
        images: how many images were heard.
        newest: the newest sighting, or None.
        heard_s: when the newest image was heard, by the monotonic clock.
    """

    def __init__(
        self, context: Context, tracker: str, on_sighting: Callable[[Sighting], None]
    ) -> None:
        super().__init__("recorder", context=context, use_global_arguments=False)
        self.images = 0
        self.newest: Sighting | None = None
        self.heard_s = 0.0
        self._newest_image_ns = 0
        self._on_sighting = on_sighting
        self._waiting: dict[int, tuple[int, Image]] = {}  # by stamp: index and message
        self._objects: dict[int, TrackedObjectArray] = {}
        self._labels: dict[int, NDArray[np.uint16]] = {}
        self._objects_topic = f"{tracker}/objects"
        self._listen(TrackedObjectArray, self._objects_topic, self._on_objects)
        self._listen(Image, f"{tracker}/label_image", self._on_label_image)
        self._add_prompt = self.create_client(AddPrompt, f"{tracker}/add_prompt")
        self._image_subscription: Subscription | None = None

    @property
    def hears_tracker(self) -> bool:
        """Whether the tracker's results and its service have been found."""
        found = self.count_publishers(self._objects_topic) > 0
        return found and bool(self._add_prompt.service_is_ready())

    @property
    def complete(self) -> bool:
        """Whether the newest image has its result."""
        return self.newest is not None and self.newest.result.stamp_ns == self._newest_image_ns

    def listen_to_images(self) -> None:
        """Subscribe to the images; a player that waits for us begins then."""
        if self._image_subscription is None:
            self._image_subscription = self._listen(Image, "image", self._on_image)

    def prompt(self, prompt: Prompt) -> Future:
        """Ask the tracker's real service to follow an object on its newest frame."""
        message = PromptMessage(
            object_id=prompt.object_id,
            label=prompt.label,
            points=[Point32(x=float(x), y=float(y)) for x, y in prompt.points],
            point_labels=list(prompt.point_labels),
            box=[float(value) for value in prompt.box or ()],
        )
        return self._add_prompt.call_async(AddPrompt.Request(prompt=message))

    def _listen(self, message_type: Any, topic: str, callback: Callable[[Any], None]) -> Any:
        return self.create_subscription(message_type, topic, callback, RECORDED)

    def _on_image(self, message: Image) -> None:
        self._newest_image_ns = stamp_ns(message.header.stamp)
        self._waiting[self._newest_image_ns] = (self.images, message)
        self.images += 1
        self.heard_s = time.monotonic()
        while len(self._waiting) > _MOST_IMAGES:
            del self._waiting[next(iter(self._waiting))]
        self._match()

    def _on_objects(self, message: TrackedObjectArray) -> None:
        self._objects[stamp_ns(message.header.stamp)] = message
        self._match()

    def _on_label_image(self, message: Image) -> None:
        labels = np.frombuffer(message.data, ">u2" if message.is_bigendian else "<u2")
        rows = labels.reshape(message.height, message.step // 2)[:, : message.width]
        self._labels[stamp_ns(message.header.stamp)] = rows.astype(np.uint16)
        self._match()

    def _match(self) -> None:
        """Hand out what has come together, oldest first."""
        for stamp in sorted(self._objects):
            # A label image may be missing when the tracker had not found us yet.
            behind = any(later > stamp for later in self._objects)
            if stamp not in self._waiting or not (stamp in self._labels or behind):
                continue
            index, image_message = self._waiting[stamp]
            message, labels = self._objects[stamp], self._labels.get(stamp)
            image = image_from_message(image_message, max_pixels=_MOST_PIXELS)
            result = result_from_messages(message, labels, (image.shape[0], image.shape[1]))
            self.newest = Sighting(index, image, result, message.latency_ms)
            self._forget_until(stamp)
            self._on_sighting(self.newest)

    def _forget_until(self, stamp: int) -> None:
        """Results come in the order of the images: what is older will not be matched any more."""
        for kept in (self._waiting, self._objects, self._labels):
            for older in [key for key in kept if key <= stamp]:
                del kept[older]


def result_from_messages(
    message: TrackedObjectArray, labels: NDArray[np.uint16] | None, hw: tuple[int, int]
) -> FrameResult:
    """Rebuild a result from what was published.

    Args:
        message: the objects.
        labels: (H, W) uint16 label image, or None to paint one from the objects' masks.
        hw: (H, W).
    """
    states = tuple(_state(item) for item in message.objects)
    if labels is None:
        labels = np.zeros(hw, np.uint16)
        for state in states:
            x0, y0, x1, y1 = state.extent
            np.copyto(labels[y0:y1, x0:x1], np.uint16(state.object_id), where=state.mask)
    else:
        states = tuple(_with_stray_pieces(state, labels) for state in states)
    header = message.header
    return FrameResult(
        message.frame_number, stamp_ns(header.stamp), header.frame_id, hw, states, labels
    )


def _with_stray_pieces(state: ObjectState, labels: NDArray[np.uint16]) -> ObjectState:
    """With what lies outside of its box, which the label image has and its message has not."""
    if state.pieces < 2:
        return state
    x0, y0, x1, y1 = state.box
    whole = labels == state.object_id
    whole[y0:y1, x0:x1] |= state.mask
    left, top, width, height = cv2.boundingRect(whole.view(np.uint8))
    extent = (left, top, left + width, top + height)
    return replace(state, mask=whole[top : extent[3], left : extent[2]], extent=extent)


def _state(item: TrackedObject) -> ObjectState:
    x0, y0 = item.box.x_offset, item.box.y_offset
    box = (x0, y0, x0 + item.box.width, y0 + item.box.height)
    shape = (item.mask.height, item.mask.step) if item.mask.step else (0, 0)
    pixels = np.frombuffer(item.mask.data, np.uint8).reshape(shape)[:, : item.mask.width] > 0
    unpublished: Any = None
    return ObjectState(
        object_id=item.id,
        label=item.label,
        occluded=item.occluded,
        visibility=item.visibility,
        iou_score=item.iou_score,
        area=item.area,
        box=box,
        centroid=(item.centroid.x, item.centroid.y),
        mask=pixels,
        extent=box,
        measured=pixels,
        time_since_seen_ns=stamp_ns(item.time_since_seen),
        object_score_logit=float("nan"),
        mask_logits=unpublished,
        pointer=unpublished,
        pieces=item.pieces,
        main_piece_share=item.main_piece_share,
    )

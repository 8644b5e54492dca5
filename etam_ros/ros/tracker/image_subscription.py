"""The subscriptions to a camera's images and depth, whatever the camera offers.

Its QoS has to fit publishers that come and go, so they are checked now and then; the same check
finds a camera that publishes but whose images do not arrive.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from etam_ros.config import NodeConfig
from etam_ros.ros.endpoints import EndpointInfo, node_of
from etam_ros.ros.qos import choose_reliability, keep_last
from etam_ros.ros.transport import why_nothing_comes

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

SILENCE_S: Final = 2.0
MOST_NAMED: Final = 5
_TYPE_NAMES: Final = {
    Image: "sensor_msgs/msg/Image",
    CompressedImage: "sensor_msgs/msg/CompressedImage",
}


@dataclass(frozen=True)
class WantedImages:
    """What to subscribe to.

    Attributes:
        topic: resolved name.
        message_type: Image or CompressedImage.
        reliability: auto, reliable or best_effort.
        kept: messages that wait for the callback at most; newer ones replace the oldest.
        noun: what does not come, in words.
        remedy: what to do where publishers have another type.
        missed_after_s: seconds without any publisher after which that is a problem.
        raw: the callback gets the bytes of messages.
    """

    topic: str
    message_type: type
    reliability: str
    kept: int
    noun: str
    remedy: str
    missed_after_s: float = math.inf
    raw: bool = False


def camera_images(node: Node, config: NodeConfig) -> WantedImages:
    """`image`, or `<resolved image>/compressed`; the newest replaces one that waits."""
    topic, compressed = node.resolve_topic_name("image"), config.image_transport == "compressed"
    return WantedImages(
        topic + ("/compressed" if compressed else ""),
        CompressedImage if compressed else Image,
        config.image_reliability,
        1,
        "image",
        "change image_transport, or remap image",
        config.image_timeout_s,
    )


def camera_depth(node: Node, config: NodeConfig) -> WantedImages:
    """`depth`, of which every message may be the one that fits."""
    return WantedImages(
        node.resolve_topic_name("depth"),
        Image,
        config.image_reliability,
        5,
        "depth",
        "remap depth to a topic of raw images",
    )


@dataclass(frozen=True)
class ImageSource:
    """The camera as seen from this node.

    Attributes:
        topic: resolved name.
        reliability: "reliable" or "best_effort", as subscribed.
        publishers: how many of the right type there are.
        problem: why nothing arrives, in words; empty when all is well or nobody publishes.
    """

    topic: str
    reliability: str
    publishers: int = 0
    problem: str = ""


class ImageSubscription:
    """Subscribes to what a camera publishes, by the QoS that it offers.

    Whoever makes it calls `check_publishers` again and again, and `destroy` at the end.

    Args:
        node: gets the subscription.
        wanted: what to subscribe to.
        on_image: called with each message.
        received: how many messages have come so far.
        group: callback group of the subscription.
    """

    def __init__(
        self,
        node: Node,
        wanted: WantedImages,
        on_image: Callable[[Any], None],
        received: Callable[[], int],
        group: CallbackGroup,
    ) -> None:
        self._node = node
        self._wanted = wanted
        self._on_image = on_image
        self._received = received
        self._group = group
        self._topic = wanted.topic
        self._policy = ReliabilityPolicy.BEST_EFFORT
        self._lock = (
            threading.Lock()
        )  # `check_publishers` and `destroy` come from different threads
        self._closed = False
        self._subscription: Subscription | None = None
        self._publisher_ids: frozenset[bytes] = frozenset()
        self._expecting_since_s = time.monotonic()
        self._received_before = received()
        self._alone_since_s = time.monotonic()
        self._problems: list[str] = []
        self._subscribe(choose_reliability(wanted.reliability, []))
        self.source = ImageSource(self._topic, self._policy.name.lower())

    def check_publishers(self) -> None:
        """Subscribe anew if the publishers ask for another QoS, and tell of problems."""
        with self._lock:
            if self._closed:
                return
            present = self._node.get_publishers_info_by_topic(self._topic)
            fitting = [p for p in present if p.topic_type == self._type_name]
            offered = [p.qos_profile.reliability for p in fitting]
            policy = choose_reliability(self._wanted.reliability, offered)
            if policy != self._policy and fitting:
                self._subscribe(policy)
            problems = self._wrong_types(present) + self._incompatible(fitting)
            problems += self._silent(fitting) + self._nobody(present)
            for problem in problems:
                if problem not in self._problems:
                    self._node.get_logger().warning(problem)
            self._problems = problems
            self.source = ImageSource(
                self._topic, self._policy.name.lower(), len(fitting), "; ".join(problems)
            )

    def destroy(self) -> None:
        """Take the subscription off the node."""
        with self._lock:
            self._closed = True
            self._unsubscribe()

    @property
    def _type_name(self) -> str:
        return _TYPE_NAMES[self._wanted.message_type]

    def _subscribe(self, policy: ReliabilityPolicy) -> None:
        self._unsubscribe()
        self._policy = policy
        self._subscription = self._node.create_subscription(
            self._wanted.message_type,
            self._topic,
            self._on_image,
            keep_last(self._wanted.kept, policy),
            callback_group=self._group,
            raw=self._wanted.raw,
            # `check_publishers` names incompatible publishers; an event of a subscription that was
            # just replaced would raise in the executor.
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _wrong_types(self, publishers: Sequence[EndpointInfo]) -> list[str]:
        return [
            f"{node_of(publisher)} publishes {publisher.topic_type} on {self._topic}, expected "
            f"{self._type_name}: {self._wanted.remedy}"
            for publisher in publishers
            if publisher.topic_type != self._type_name and node_of(publisher)
        ]

    def _incompatible(self, publishers: Sequence[EndpointInfo]) -> list[str]:
        """Name the publishers from which nothing can come."""
        if self._policy != ReliabilityPolicy.RELIABLE:
            return []
        return [
            f"{node_of(publisher)} on {self._topic} offers best effort and the subscription asks "
            "for reliable, so nothing can come from there: set image_reliability to auto"
            for publisher in publishers
            if publisher.qos_profile.reliability != ReliabilityPolicy.RELIABLE
            and node_of(publisher)
        ]

    def _nobody(self, publishers: Sequence[EndpointInfo]) -> list[str]:
        """Tell where nobody publishes, and what there is instead."""
        now_s = time.monotonic()
        if publishers:
            self._alone_since_s = now_s
        if now_s - self._alone_since_s < self._wanted.missed_after_s:
            return []
        problem = f"nobody publishes on {self._topic}"
        offered = self._offered()
        if not offered:
            problem += (
                ", nor images on any other topic: start the camera, and look whether "
                "ROS_DOMAIN_ID is the same there"
            )
            return [problem]
        more = f" and {len(offered) - MOST_NAMED} more" if len(offered) > MOST_NAMED else ""
        topics = ", ".join(f"{topic} ({kind})" for topic, kind in offered[:MOST_NAMED])
        problem += (
            f"; on offer: {topics}{more}: remap image to one, as in -r "
            f"image:={offered[0][0].removesuffix('/compressed')}, with image_transport "
            "compressed for a CompressedImage"
        )
        return [problem]

    def _offered(self) -> list[tuple[str, str]]:
        """Topics of images of others, with their types, those of the right type first."""
        own = f"{self._node.get_fully_qualified_name()}/"
        found = [
            (kind != self._type_name, topic, kind)
            for topic, kinds in self._node.get_topic_names_and_types()
            for kind in kinds
            if kind in _TYPE_NAMES.values() and not topic.startswith(own)
        ]
        return [
            (topic, kind.rpartition("/")[2])
            for _, topic, kind in sorted(found)
            if self._node.count_publishers(topic)
        ]

    def _silent(self, publishers: Sequence[EndpointInfo]) -> list[str]:
        """Tell of publishers that are there without anything having come since they are."""
        now_s = time.monotonic()
        ids = frozenset(bytes(publisher.endpoint_gid) for publisher in publishers)
        if ids != self._publisher_ids:
            self._publisher_ids, self._expecting_since_s = ids, now_s
            self._received_before = self._received()
        waiting = bool(ids) and self._received() == self._received_before
        if not waiting or now_s - self._expecting_since_s < SILENCE_S:
            return []
        offers = sorted({p.qos_profile.reliability.name.lower() for p in publishers})
        problem = (
            f"{len(publishers)} publisher(s) on {self._topic} but no {self._wanted.noun} for "
            f"{SILENCE_S:g} s: they offer QoS {', '.join(offers)}, subscribed as "
            f"{self._policy.name.lower()}; if they do publish, {why_nothing_comes()}"
        )
        return [problem]

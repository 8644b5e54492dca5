"""Label images, which are large, and seldom say more than the masks of the objects."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from etam_ros.ros.qos import RESULT_IMAGES

NEEDED_FOR_S: Final = 5.0
"""Since the last frame that needed one: subscriptions come and go slowly."""
MOST_MISSED: Final = 3
"""Results in a row without one, and the next is not waited for."""


class LabelsWhereNeeded:
    """Subscribes to label images while objects lie in pieces, or before each other.

    Args:
        node: gets the subscription.
        topic: of the label images.
        on_labels: called with each, as bytes.
        group: of the callback.
    """

    def __init__(
        self, node: Node, topic: str, on_labels: Callable[[bytes], None], group: CallbackGroup
    ) -> None:
        self._node, self._topic, self._on_labels, self._group = node, topic, on_labels, group
        self._subscription: Subscription | None = None
        self._needed_until_s = 0.0
        self._missed = MOST_MISSED

    def need(self) -> None:
        """A frame needs one; any thread may call."""
        self._needed_until_s = time.monotonic() + NEEDED_FOR_S

    def came(self) -> None:
        """One has come."""
        self._missed = 0

    def expected(self) -> bool:
        """Whether one will come for the result that comes now."""
        self._missed += 1
        return self._missed <= MOST_MISSED

    def check(self) -> None:
        """Subscribe, or do so no longer; in the executor's thread."""
        needed = time.monotonic() < self._needed_until_s
        if needed and self._subscription is None:
            self._subscription = self._node.create_subscription(
                Image, self._topic, self._on_labels, RESULT_IMAGES, callback_group=self._group,
                raw=True,
            )  # fmt: skip
        elif not needed:
            self.end()

    def end(self) -> None:
        """Subscribe no longer."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._missed = MOST_MISSED

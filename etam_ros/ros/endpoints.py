"""Publishers, subscriptions and services that come and go together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile


class Endpoints:
    """Makes endpoints on a node; a context manager that destroys all it made, newest first.

    Args:
        node: gets the endpoints.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self._undo = ExitStack()

    def publisher(self, message_type: Any, topic: str, profile: QoSProfile) -> Publisher:
        """Publish on a topic."""
        made = self.node.create_publisher(message_type, topic, profile)
        self._undo.callback(self.node.destroy_publisher, made)
        return made

    def subscribe(
        self,
        message_type: Any,
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        group: CallbackGroup,
    ) -> None:
        """Subscribe to a topic."""
        made = self.node.create_subscription(
            message_type, topic, callback, profile, callback_group=group
        )
        self._undo.callback(self.node.destroy_subscription, made)

    def serve(
        self,
        service_type: Any,
        name: str,
        callback: Callable[[Any, Any], Any],
        profile: QoSProfile,
        group: CallbackGroup,
    ) -> None:
        """Offer a service."""
        made = self.node.create_service(
            service_type, name, callback, qos_profile=profile, callback_group=group
        )
        self._undo.callback(self.node.destroy_service, made)

    def close(self) -> None:
        """Destroy all that was made."""
        self._undo.close()

    def __enter__(self) -> Endpoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

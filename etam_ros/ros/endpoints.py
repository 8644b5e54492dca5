"""Publishers, subscriptions and services that come and go together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription


class EndpointInfo(Protocol):
    """What rclpy tells of a publisher or subscription; Lyrical moved its class elsewhere."""

    @property
    def node_name(self) -> str:
        """Without its namespace."""

    @property
    def node_namespace(self) -> str:
        """Begins with a slash."""

    @property
    def topic_type(self) -> str:
        """Such as "sensor_msgs/msg/Image"."""

    @property
    def endpoint_gid(self) -> list[int]:
        """The bytes of what tells it from all others."""

    @property
    def qos_profile(self) -> QoSProfile:
        """What it offers or asks for."""


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
        _forget_dead(self.node.default_callback_group)  # it has the publishers' events
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
        *,
        raw: bool = False,
    ) -> Subscription:
        """Subscribe to a topic; `raw`: the callback gets the bytes of messages."""
        _forget_dead(group)
        made = self.node.create_subscription(
            message_type, topic, callback, profile, callback_group=group, raw=raw
        )
        self._undo.callback(self.node.destroy_subscription, made)
        return made

    def serve(
        self,
        service_type: Any,
        name: str,
        callback: Callable[[Any, Any], Any],
        profile: QoSProfile,
        group: CallbackGroup,
    ) -> None:
        """Offer a service."""
        _forget_dead(group)
        made = self.node.create_service(
            service_type, name, callback, qos_profile=profile, callback_group=group
        )
        self._undo.callback(self.node.destroy_service, made)

    def at_end(self, callback: Callable[[], object]) -> None:
        """Call something before what was made earlier is destroyed."""
        self._undo.callback(callback)

    def __enter__(self) -> Endpoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()


def _forget_dead(group: CallbackGroup) -> None:
    """Let a group go of what was destroyed, which rclpy keeps a weak reference to for ever."""
    dead = [entity for entity in [*group.entities] if entity() is None]
    group.entities.difference_update(dead)


def node_of(endpoint: EndpointInfo) -> str:
    """Full name of the node that a publisher or subscription belongs to; empty until its name has
    been discovered, which comes a moment after the endpoint.
    """
    if "UNKNOWN" in endpoint.node_name:
        return ""
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"

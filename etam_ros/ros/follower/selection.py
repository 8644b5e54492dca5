"""Which object the tracker's ~/select chose: its diagnostics alone say so."""

from __future__ import annotations

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription

from etam_ros.following.sight import id_in
from etam_ros.ros.qos import DIAGNOSTICS


class Selection:
    """Listens to /diagnostics while it is needed.

    Args:
        node: subscribes.
        objects_topic: full name; whoever publishes on it is the tracker.
        on_selected: called with the id, or None, as often as the tracker reports.
    """

    def __init__(
        self,
        node: Node,
        objects_topic: str,
        on_selected: Callable[[int | None], None],
        group: CallbackGroup,
    ) -> None:
        self._node = node
        self._topic = objects_topic
        self._on_selected = on_selected
        self._group = group
        self._subscription: Subscription | None = None

    def listen(self, needed: bool) -> None:
        """Subscribe, or no longer."""
        if needed and self._subscription is None:
            self._subscription = self._node.create_subscription(
                DiagnosticArray,
                "/diagnostics",
                self.on_diagnostics,
                DIAGNOSTICS,
                callback_group=self._group,
            )
        elif not needed and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """Find the tracker's own report."""
        for status in message.status:
            if not status.name.endswith(": tracking"):
                continue
            for pair in status.values:
                if pair.key == "selected" and status.hardware_id in self._trackers():
                    self._on_selected(id_in(pair.value))

    def _trackers(self) -> set[str]:
        """Full names of the nodes that publish the objects."""
        found = self._node.get_publishers_info_by_topic(self._topic)
        return {f"{item.node_namespace.rstrip('/')}/{item.node_name}" for item in found}

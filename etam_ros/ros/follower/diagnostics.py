"""What the follower says of itself on /diagnostics."""

from __future__ import annotations

import math
from typing import Final

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from etam_ros.following.control import Command, Phase
from etam_ros.ros.follower.outputs import Listeners
from etam_ros.ros.guarding import faults_of
from etam_ros.ros.qos import DIAGNOSTICS

WORRYING: Final = (Phase.STOPPED, Phase.LOST)


class FollowerDiagnostics:
    """Publishes a report, under the full name of its node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", DIAGNOSTICS)
        self._objects = node.resolve_topic_name("objects")

    def publish(
        self, state: str, wanted: str, command: Command | None, listeners: Listeners | None
    ) -> None:
        """Publish one report.

        Args:
            state: what it is about, or where it is in its lifecycle.
            wanted: the parameter `target`.
            command: the last one; None while the node is not active.
            listeners: who hears the commands; None while the node is unconfigured.
        """
        name = self._node.get_fully_qualified_name()
        problem = "" if listeners is None else listeners.problem
        faults, new_faults = faults_of(self._node).report()
        worrying = (
            bool(problem) or new_faults or (command is not None and command.phase in WORRYING)
        )
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if worrying else DiagnosticStatus.OK,
            name=f"{name}: following",
            message=f"{state}; {problem}" if problem else state,
            hardware_id=name,
        )
        values = {
            **_values(command),
            "target": wanted,
            "objects": self._objects,
            "publishers": str(self._node.count_publishers(self._objects)),
            **_heard(listeners),
            **faults,
        }
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def _values(command: Command | None) -> dict[str, str]:
    if command is None:
        return {"phase": "none"}
    seen = command.target
    return {
        "phase": command.phase.value,
        "object": "none" if seen is None else str(seen.object_id),
        "bearing_deg": "none" if seen is None else _number(math.degrees(seen.bearing)),
        "distance_m": "none" if seen is None else _number(seen.distance_m),
        "iou_score": "none" if seen is None else _number(seen.iou_score),
        "visibility": "none" if seen is None else _number(seen.visibility, digits=3),
        "linear_m_s": _number(command.speeds.linear),
        "angular_rad_s": _number(command.speeds.angular),
    }


def _heard(listeners: Listeners | None) -> dict[str, str]:
    if listeners is None:
        return {}
    return {
        "cmd_vel": listeners.topic,
        "listeners": str(listeners.count),
        "problem": listeners.problem,
    }


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "none"

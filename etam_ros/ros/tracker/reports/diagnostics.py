"""What the node says of itself on /diagnostics."""

from __future__ import annotations

import math
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from etam_ros.ros.qos import DIAGNOSTICS
from etam_ros.ros.tracker.camera import NO_INFO, UNCALIBRATED
from etam_ros.ros.tracker.image_subscription import ImageSource
from etam_ros.ros.tracker.positions.locating import PositionsReport
from etam_ros.ros.tracker.reports.statistics import NewErrors, Snapshot
from etam_ros.ros.transport import in_words

TOPIC = "/diagnostics"


@dataclass(frozen=True)
class NodeReport:
    """The node at one moment.

    Attributes:
        state: unconfigured, loading, inactive, active, paused or finalized.
        engine: what was loaded, empty if nothing is.
        objects: how many are followed.
        selected: id of the object that bare clicks mean with `clicks.meaning` target, or None.
        image_timeout_s: silence after which images are stale.
        source: the camera, None while nothing is subscribed.
        numbers: counts and times.
        new: errors since the report before.
        depth: the publisher of depth, None while nothing is subscribed.
        positions: what came of the positions of objects.
        faults: of callbacks, as `Faults.report` gives them.
        new_faults: whether there are some since the report before.
    """

    state: str
    engine: str
    objects: int
    selected: int | None
    image_timeout_s: float
    source: ImageSource | None
    numbers: Snapshot
    new: NewErrors
    depth: ImageSource | None = None
    positions: PositionsReport = field(default_factory=PositionsReport)
    faults: Mapping[str, str] = field(default_factory=dict)
    new_faults: bool = False


class DiagnosticsPublisher:
    """Publishes a report, under the full name of its node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, DIAGNOSTICS)

    def publish(self, report: NodeReport) -> None:
        """Publish one report."""
        message = DiagnosticArray(status=statuses(self._node.get_fully_qualified_name(), report))
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def statuses(node_name: str, report: NodeReport) -> list[DiagnosticStatus]:
    """The entries of one report: images, tracking, positions, engine."""
    return [
        _status(node_name, "images", _images_level(report), _images_values(report)),
        _status(node_name, "tracking", _tracking_level(report), _tracking_values(report)),
        _status(node_name, "positions", _positions_level(report), _positions_values(report)),
        _status(
            node_name,
            "engine",
            _engine_level(report),
            {
                "state": report.state,
                "engine": report.engine or "none",
                "memory_mb": f"{resident_mb():.0f}",
                "transport": in_words(),
                **report.faults,
            },
        ),
    ]


def _engine_level(report: NodeReport) -> tuple[bytes, str]:
    if report.new_faults:
        return DiagnosticStatus.WARN, f"callback failed: {report.faults['last_failed_callback']}"
    return DiagnosticStatus.OK, report.state


def _images_level(report: NodeReport) -> tuple[bytes, str]:
    source, numbers = report.source, report.numbers
    if source is None:
        return DiagnosticStatus.OK, f"not subscribed: the node is {report.state}"
    if numbers.silent_s > report.image_timeout_s:
        nobody = f"nobody publishes on {source.topic}"
        reason = source.problem or (nobody if not source.publishers else "the camera is silent")
        return DiagnosticStatus.STALE, f"no image for {numbers.silent_s:.1f} s: {reason}"
    if source.problem:
        return DiagnosticStatus.WARN, source.problem
    if report.new.bad_images:
        return DiagnosticStatus.WARN, f"bad image: {numbers.last_bad_image}"
    if report.new.odd_images:
        return DiagnosticStatus.WARN, f"odd image: {numbers.last_odd_image}"
    return DiagnosticStatus.OK, f"{numbers.input_hz:.1f} Hz"


def _images_values(report: NodeReport) -> dict[str, str]:
    source, numbers = report.source, report.numbers
    return {
        "topic": source.topic if source else "none",
        "reliability": source.reliability if source else "none",
        "publishers": str(source.publishers if source else 0),
        "rate_hz": f"{numbers.input_hz:.2f}",
        "silent_s": f"{numbers.silent_s:.2f}",
        "received": str(numbers.received),
        "dropped": str(numbers.dropped),
        "bad_images": str(numbers.bad_images),
        "last_bad_image": numbers.last_bad_image,
        "odd_images": str(numbers.odd_images),
        "last_odd_image": numbers.last_odd_image,
        "time_jumps": str(numbers.time_jumps),
        "problem": source.problem if source else "",
    }


def _tracking_level(report: NodeReport) -> tuple[bytes, str]:
    numbers = report.numbers
    if report.new.failed_frames:
        return DiagnosticStatus.WARN, f"frame lost: {numbers.last_failure}"
    if report.new.failed_overlays:
        return DiagnosticStatus.WARN, f"overlay lost: {numbers.last_failed_overlay}"
    if report.state != "active":
        return DiagnosticStatus.OK, report.state
    return DiagnosticStatus.OK, f"{numbers.output_hz:.1f} Hz, {report.objects} objects"


def _tracking_values(report: NodeReport) -> dict[str, str]:
    numbers = report.numbers
    values = {
        "objects": str(report.objects),
        "selected": "none" if report.selected is None else str(report.selected),
        "rate_hz": f"{numbers.output_hz:.2f}",
        "age_of_results_s": f"{numbers.age_s:.2f}",
        "frames": str(numbers.processed),
        "latency_p50_ms": _milliseconds(numbers.latency_p50_ms),
        "latency_p99_ms": _milliseconds(numbers.latency_p99_ms),
        "waiting_p50_ms": _milliseconds(numbers.waiting_p50_ms),
        "overhead_p50_ms": _milliseconds(numbers.overhead_p50_ms),
    }
    for stage, spent_ms in numbers.stages_p50_ms.items():
        values[f"{stage}_p50_ms"] = _milliseconds(spent_ms)
    return values | {
        "failed_frames": str(numbers.failed_frames),
        "failed_overlays": str(numbers.failed_overlays),
        "last_failure": numbers.last_failure,
        "last_failed_overlay": numbers.last_failed_overlay,
        "refused_prompts": str(numbers.refused_prompts),
        "last_refusal": numbers.last_refusal,
    }


def _positions_level(report: NodeReport) -> tuple[bytes, str]:
    found, depth = report.positions, report.depth
    if report.state != "active":
        return DiagnosticStatus.OK, report.state
    if not found.frames:
        return DiagnosticStatus.OK, "no visible object yet whose position anybody asked for"
    if found.no_bearing:
        is_wrong = not found.no_bearing.startswith((NO_INFO, UNCALIBRATED))
        return _warning_if(is_wrong), f"neither bearings nor positions: {found.no_bearing}"
    if found.no_depth:
        is_wrong, reason = found.no_depth == found.last_refusal, found.no_depth
        if depth is not None and depth.problem:
            is_wrong, reason = True, depth.problem
        elif depth is not None and not depth.publishers:
            reason = f"nobody publishes on {depth.topic}"
        elif found.received and not found.paired:
            is_wrong = True
        if found.late:
            reason += f"; depth came too late for {found.late} images"
        return _warning_if(is_wrong), f"bearings only: {reason}"
    located = f"{found.located} of {found.visible} visible objects located"
    if found.odd_frame:
        return DiagnosticStatus.WARN, f"{located}; {found.odd_frame}"
    return DiagnosticStatus.OK, located


def _warning_if(something_is_wrong: bool) -> bytes:
    level: bytes = DiagnosticStatus.WARN if something_is_wrong else DiagnosticStatus.OK
    return level


def _positions_values(report: NodeReport) -> dict[str, str]:
    found, depth = report.positions, report.depth
    return {
        "depth_topic": depth.topic if depth else "none",
        "depth_reliability": depth.reliability if depth else "none",
        "depth_publishers": str(depth.publishers if depth else 0),
        "depth_received": str(found.received),
        "frames": str(found.frames),
        "paired": str(found.paired),
        "missing": str(found.missing),
        "late": str(found.late),
        "refused": str(found.refused),
        "last_refusal": found.last_refusal,
        "apart_p50_ms": _milliseconds(found.apart_p50_ms),
        "visible": str(found.visible),
        "located": str(found.located),
        "no_bearing": found.no_bearing,
        "no_depth": found.no_depth,
        "odd_frame": found.odd_frame,
        "problem": depth.problem if depth else "",
    }


def _status(
    node_name: str, part: str, level: tuple[bytes, str], values: dict[str, str]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level[0],
        name=f"{node_name}: {part}",
        message=level[1],
        hardware_id=node_name,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _milliseconds(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.2f}"


def resident_mb() -> float:
    """Memory of this process in RAM, in megabytes; its highest so far where /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 1e6

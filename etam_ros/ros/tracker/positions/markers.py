"""`~/markers`: a sphere and a name in RViz at the position of each object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from builtin_interfaces.msg import Duration
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from etam_ros.config import ObjectMarkersConfig
from etam_ros.drawing.palette import object_colour
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.messages import NS_PER_S
from etam_ros.ros.qos import OBJECTS
from etam_ros.ros.tracker.displays import Display
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.rviz.scene import UNNAMED_FRAME
from etam_ros.ros.tracker.rviz.shapes import mark_title

SPHERES: Final = "objects"
NAMES: Final = "names"
"""Namespaces of the markers; their ids are those of the objects."""
THREAD: Final = "object markers"
ALPHA: Final = 0.8


class ObjectMarkers(Display[ProcessedFrame]):
    """Publishes markers while somebody subscribes, in a thread of its own.

    Args:
        endpoints: get the publisher.
        config: asked for the present look of the markers.
        on_fault: told, in the thread, what failed and by which error that nobody expected.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        config: Callable[[], ObjectMarkersConfig],
        *,
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._config = config
        self._publisher = endpoints.publisher(MarkerArray, "~/markers", OBJECTS)
        self._shown: frozenset[int] = frozenset()
        super().__init__(THREAD, self._show, on_fault)

    @property
    def wanted(self) -> bool:
        """Whether somebody subscribes."""
        return bool(self._publisher.get_subscription_count())

    def offer(self, processed: ProcessedFrame) -> None:
        """Have a frame's objects shown if somebody subscribes; returns at once."""
        if self.wanted:
            self._thread.offer(processed)

    def _show(self, processed: ProcessedFrame) -> None:
        located = frozenset(key for key, each in processed.positions.items() if each.known)
        gone, self._shown = self._shown - located, located
        markers = [*_deletions(gone, processed.header), *_markers(processed, self._config())]
        if markers:
            self._publisher.publish(MarkerArray(markers=markers))


def _markers(processed: ProcessedFrame, config: ObjectMarkersConfig) -> Iterator[Marker]:
    """A sphere and a text for each object whose position is known."""
    size_m = config.diameter_m
    for state in processed.result.objects:
        position = processed.positions.get(state.object_id)
        if position is None or not position.known:
            continue
        x, y, z = position.point
        sphere = _marker(SPHERES, state.object_id, processed.header, config.lifetime_s)
        sphere.type = Marker.SPHERE
        sphere.pose.position.x, sphere.pose.position.y, sphere.pose.position.z = x, y, z
        sphere.scale.x = sphere.scale.y = sphere.scale.z = size_m
        red, green, blue = (channel / 255 for channel in object_colour(state.object_id))
        sphere.color = ColorRGBA(r=red, g=green, b=blue, a=ALPHA)
        name = _marker(NAMES, state.object_id, processed.header, config.lifetime_s)
        name.type = Marker.TEXT_VIEW_FACING
        name.text = mark_title(state.object_id, state.label)
        name.pose.position.x, name.pose.position.z = x, z
        name.pose.position.y = y - 1.2 * size_m  # up
        name.scale.z = size_m
        name.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
        yield from (sphere, name)


def _deletions(object_ids: Collection[int], header: Header) -> Iterator[Marker]:
    for object_id in object_ids:
        for namespace in (SPHERES, NAMES):
            deleted = _marker(namespace, object_id, header, 0.0)
            deleted.action = Marker.DELETE
            yield deleted


def _marker(namespace: str, object_id: int, header: Header, lifetime_s: float) -> Marker:
    seconds, nanoseconds = divmod(round(lifetime_s * NS_PER_S), NS_PER_S)
    made = Marker(
        header=Header(stamp=header.stamp, frame_id=header.frame_id or UNNAMED_FRAME),
        ns=namespace,
        id=object_id,
        lifetime=Duration(sec=seconds, nanosec=nanoseconds),
    )
    made.pose.orientation.w = 1.0
    return made

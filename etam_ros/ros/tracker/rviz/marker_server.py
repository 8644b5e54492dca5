"""Interactive markers as RViz and others of its kind ask for them.

The protocol is that of the package interactive_markers: `<namespace>/get_interactive_markers`
answers with all markers and a sequence number, `<namespace>/update` says what changed since, with
numbers that rise by one, and `<namespace>/feedback` is what was done to them. A client that misses
a number asks again.

The server of that package is not used, also not where it is installed: it ignores feedback that
comes within a second of another operator's, keeps one message of feedback by default while RViz
sends three at the end of a click, and moves a marker also where a client that has just come cannot
know it, upon which RViz shows none of them any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from geometry_msgs.msg import Pose
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import Header
from visualization_msgs.msg import (
    InteractiveMarker,
    InteractiveMarkerFeedback,
    InteractiveMarkerPose,
    InteractiveMarkerUpdate,
)
from visualization_msgs.srv import GetInteractiveMarkers

from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.qos import MARKER_FEEDBACK, MARKERS, PROMPTS

SETTLING_S: Final = 1.0
"""Time in which what is sent may miss a client that has just asked for the markers."""


@dataclass(frozen=True)
class ShownMarker:
    """One interactive marker as it is to be shown.

    Attributes:
        name: its own among those of the server.
        frame_id: coordinate frame in which it stands.
        position: x, y, z in metres there.
        look: equal for markers that differ in their position alone.
        make: makes the message.
    """

    name: str
    frame_id: str
    position: tuple[float, float, float]
    look: Hashable
    make: Callable[[], InteractiveMarker] = field(compare=False, repr=False)

    def looks_like(self, other: ShownMarker) -> bool:
        """Whether they differ at most in their position."""
        return self.look == other.look and self.frame_id == other.frame_id

    def pose_message(self) -> InteractiveMarkerPose:
        """Where it stands now; the zero stamp keeps it in its frame."""
        pose = Pose()
        pose.position.x, pose.position.y, pose.position.z = self.position
        pose.orientation.w = 1.0
        header = Header(frame_id=self.frame_id)
        return InteractiveMarkerPose(header=header, pose=pose, name=self.name)


class MarkerServer:
    """Tells clients which markers there are; any thread may call it.

    Args:
        endpoints: get topics and service.
        namespace: of the topics and the service.
        now: asked for all markers when a client comes.
        on_feedback: called with what is done to the markers.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        namespace: str,
        now: Callable[[], Sequence[ShownMarker]],
        on_feedback: Callable[[InteractiveMarkerFeedback], None],
    ) -> None:
        self._now = now
        self._changing = threading.Lock()  # guards all that follows
        self._shown: dict[str, ShownMarker] = {}
        # A client that knew a server before this one finds a number that it does not expect.
        self._sequence_number = time.monotonic_ns()
        self._settled_s = 0.0
        self._settling = False
        self._erased: set[str] = set()  # while a client settles
        self._updates = endpoints.publisher(
            InteractiveMarkerUpdate, f"{namespace}/update", MARKERS
        )
        group = MutuallyExclusiveCallbackGroup()  # feedback keeps its order
        endpoints.subscribe(
            InteractiveMarkerFeedback, f"{namespace}/feedback", on_feedback, MARKER_FEEDBACK, group
        )
        endpoints.serve(
            GetInteractiveMarkers,
            f"{namespace}/get_interactive_markers",
            self.on_get,
            PROMPTS,
            MutuallyExclusiveCallbackGroup(),
        )

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to updates."""
        return self._updates.get_subscription_count() > 0

    def show(self, markers: Sequence[ShownMarker]) -> None:
        """Publish what changed since the last call; nothing where nothing did."""
        with self._changing:
            self._show(markers)

    def on_get(
        self, _: GetInteractiveMarkers.Request, response: GetInteractiveMarkers.Response
    ) -> GetInteractiveMarkers.Response:
        """Answer a client that has just come with all markers."""
        markers = self._now()
        with self._changing:
            self._show(markers)  # to the others, so that all have the same
            self._settling, self._settled_s = True, time.monotonic() + SETTLING_S
            response.sequence_number = self._sequence_number
            response.markers = [marker.make() for marker in self._shown.values()]
        return response

    def _show(self, markers: Sequence[ShownMarker]) -> None:
        settled = self._settling and time.monotonic() >= self._settled_s
        wanted = {marker.name: marker for marker in markers}
        update = InteractiveMarkerUpdate(type=InteractiveMarkerUpdate.UPDATE)
        for name, marker in wanted.items():
            old = self._shown.get(name)
            if old == marker and not settled:
                continue
            if old is not None and old.looks_like(marker) and not self._settling:
                update.poses.append(marker.pose_message())
            else:
                update.markers.append(marker.make())
        gone = self._shown.keys() - wanted.keys()
        if self._settling:
            self._erased = (self._erased | gone) - wanted.keys()
        update.erases = sorted(self._erased if settled else gone)
        if settled:
            self._settling, self._erased = False, set()
        self._shown = wanted
        if update.markers or update.poses or update.erases:
            self._sequence_number += 1
            update.seq_num = self._sequence_number
            self._updates.publish(update)

"""A client of interactive markers that behaves as RViz's does, and a strict one."""

import pytest
from visualization_msgs.msg import InteractiveMarkerFeedback, InteractiveMarkerUpdate
from visualization_msgs.srv import GetInteractiveMarkers

from etam_ros.ros.qos import keep_last


class MarkerClient:
    """Knows the markers of a server as RViz would.

    An update whose number does not follow makes it ask again, a pose of a marker that it does not
    know is the end: RViz then shows no marker any more.
    """

    def __init__(self, client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.markers, self.starts, self.updates = {}, 0, []
        self._last, self._queue = None, None
        node = client.node
        self._service = node.create_client(
            GetInteractiveMarkers, f"{namespace}/get_interactive_markers"
        )
        self._subscription = node.create_subscription(
            InteractiveMarkerUpdate, f"{namespace}/update", self.on_update, keep_last(100)
        )
        self._feedback = node.create_publisher(
            InteractiveMarkerFeedback, f"{namespace}/feedback", keep_last(100)
        )

    def start(self):
        """Ask for all markers."""
        self.client.wait_until(self._service.service_is_ready, "service of the markers")
        self.client.wait_until(self._feedback.get_subscription_count, "feedback to be taken")
        topic = f"{self.namespace}/update"
        self.client.wait_until(lambda: self.client.node.count_publishers(topic), "updates")
        self._last, self._queue = None, []
        future = self._service.call_async(GetInteractiveMarkers.Request())
        self.client.wait_until(future.done, "all markers")
        answer = future.result()
        self.starts += 1
        self.markers = {marker.name: marker for marker in answer.markers}
        waiting, self._queue = self._queue, None
        for update in waiting:
            if update.seq_num > answer.sequence_number:
                self._apply(update)
        return self

    def offered(self) -> bool:
        """Whether there is a server."""
        return self._service.service_is_ready()

    def on_update(self, update: InteractiveMarkerUpdate) -> None:
        assert update.type == update.UPDATE
        assert self._last is None or update.seq_num == self._last + 1, "an update was missed"
        self._last = update.seq_num
        if self._queue is not None:
            self._queue.append(update)
        elif self.starts:
            self._apply(update)

    def _apply(self, update: InteractiveMarkerUpdate) -> None:
        self.updates.append(update)
        self.markers |= {marker.name: marker for marker in update.markers}
        for pose in update.poses:
            self.markers[pose.name].pose = pose.pose  # KeyError: RViz would give up
        for name in update.erases:
            self.markers.pop(name, None)

    def wait_for(self, *names: str) -> None:
        """Wait until exactly these markers are there."""
        self.client.wait_until(lambda: set(self.markers) == set(names), f"markers {names}")

    def act(self, name: str, event: int, point=None, *, frame_id: str, entry: int = 0, **fields):
        """Do something to a marker, with all that RViz sends around it."""
        feedback = InteractiveMarkerFeedback(
            client_id="rviz", marker_name=name, control_name="click", menu_entry_id=entry, **fields
        )
        feedback.header.frame_id = frame_id
        if point is not None:
            feedback.mouse_point_valid = True
            where = feedback.mouse_point
            where.x, where.y, where.z = (float(value) for value in point)
        around = (
            (feedback.POSE_UPDATE, feedback.MOUSE_UP) if event == feedback.BUTTON_CLICK else ()
        )
        for each in (event, *around):
            feedback.event_type = each
            self._feedback.publish(feedback)

    def close(self) -> None:
        """Leave; more than once, if it must be."""
        node = self.client.node
        node.destroy_subscription(self._subscription)
        node.destroy_publisher(self._feedback)
        node.destroy_client(self._service)


@pytest.fixture
def make_rviz():
    """Make clients of marker servers; they are closed with the test."""
    made = []

    def make(client, namespace: str) -> MarkerClient:
        made.append(MarkerClient(client, namespace))
        return made[-1]

    yield make
    for client in made:
        client.close()

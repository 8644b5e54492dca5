"""The protocol of interactive markers, between two nodes over real DDS."""

from dataclasses import replace

import pytest
from rclpy.node import Node
from visualization_msgs.msg import InteractiveMarker, InteractiveMarkerFeedback
from visualization_msgs.srv import GetInteractiveMarkers

from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.tracker.rviz import marker_server
from etam_ros.ros.tracker.rviz.marker_server import MarkerServer, ShownMarker


def marker(name, look="plain", x=0.0):
    def make():
        made = InteractiveMarker(name=name, description=look)
        made.header.frame_id, made.pose.position.x = "camera", x
        return made

    return ShownMarker(name, "camera", (x, 0.0, 1.0), look, make)


class Served:
    """A server and all that it is asked and told."""

    def __init__(self, endpoints, namespace):
        self.now, self.feedback = [], []
        self.server = MarkerServer(endpoints, namespace, lambda: self.now, self.feedback.append)

    def show(self, *markers):
        self.now = list(markers)
        self.server.show(self.now)


@pytest.fixture
def node(ros_context):
    node = Node("server", context=ros_context, use_global_arguments=False)
    yield node
    node.destroy_node()


@pytest.fixture
def client(node, make_client):
    """Its executor spins the server, too."""
    client = make_client()
    client.executor.add_node(node)
    yield client
    client.executor.remove_node(node)


@pytest.fixture
def served(node):
    with Endpoints(node) as endpoints:
        yield Served(endpoints, "/shown")


@pytest.fixture
def settled_at_once(monkeypatch):
    monkeypatch.setattr(marker_server, "SETTLING_S", 0.0)


def kinds(update):
    return (
        [marker.name for marker in update.markers],
        [pose.name for pose in update.poses],
        list(update.erases),
    )


def test_only_what_changed_is_sent(served, client, make_rviz, settled_at_once):
    assert not served.server.wanted
    served.now = [marker("a"), marker("b")]
    rviz = make_rviz(client, "/shown").start()
    assert served.server.wanted
    assert set(rviz.markers) == {"a", "b"}
    served.show(marker("a"), marker("b"))  # the whole once again, for a client that missed some
    served.show(marker("a"), marker("b"))
    served.show(marker("a", x=1.0), marker("b"))
    served.show(marker("a", "striped", x=2.0), marker("b", x=1.0))
    served.show(marker("a", "striped", x=2.0), marker("c"))
    served.show()
    client.wait_until(lambda: len(rviz.updates) == 5, "updates")
    assert [kinds(update) for update in rviz.updates] == [
        (["a", "b"], [], []),
        ([], ["a"], []),
        (["a"], ["b"], []),
        (["c"], [], ["b"]),
        ([], [], ["a", "c"]),
    ]
    assert rviz.updates[1].poses[0].pose.position.x == 1.0
    assert rviz.updates[1].poses[0].header.frame_id == "camera"
    assert rviz.markers == {}


def test_what_is_sent_while_a_client_settles_needs_nothing_that_it_may_have_missed(
    served, client, make_rviz, monkeypatch
):
    monkeypatch.setattr(marker_server, "SETTLING_S", 3600.0)
    served.now = [marker("a"), marker("b")]
    rviz = make_rviz(client, "/shown").start()
    served.show(marker("a", x=1.0), marker("b"))
    served.show(marker("a", x=1.0))
    served.server._settled_s = 0.0  # an hour later
    served.show(marker("a", x=1.0))
    served.show(marker("a", x=2.0))
    client.wait_until(lambda: len(rviz.updates) == 4, "updates")
    assert [kinds(update) for update in rviz.updates] == [
        (["a"], [], []),
        ([], [], ["b"]),
        (["a"], [], ["b"]),
        ([], ["a"], []),
    ]


def test_a_client_that_comes_late_changes_nothing_for_the_others(served, client, make_rviz):
    served.now = [marker("a")]
    first = make_rviz(client, "/shown").start()
    served.now = [marker("a", "striped"), marker("b")]  # not shown yet
    second = make_rviz(client, "/shown").start()
    client.wait_until(lambda: first.markers == second.markers, "both the same")
    assert first.markers["a"].description == "striped"


def test_another_server_does_not_go_on_with_the_numbers_of_the_one_before(
    served, node, client, make_rviz
):
    make_rviz(client, "/shown").start()
    served.show(marker("a"))
    before = served.server.on_get(None, GetInteractiveMarkers.Response()).sequence_number
    with Endpoints(node) as endpoints:
        other = Served(endpoints, "/shown_again").server
        after = other.on_get(None, GetInteractiveMarkers.Response()).sequence_number
    assert after > before + 1000


def test_feedback_of_two_operators_at_once_all_arrives(served, client, make_rviz):
    ways = [make_rviz(client, "/shown").start() for _ in range(2)]
    for way in ways:
        for number in range(15):
            way.act("a", InteractiveMarkerFeedback.BUTTON_CLICK, frame_id="camera", entry=number)
    client.wait_until(lambda: len(served.feedback) == 90, "all feedback")


def test_markers_of_another_frame_are_sent_whole():
    assert marker("a").looks_like(marker("a", x=3.0))
    assert not marker("a").looks_like(replace(marker("a"), frame_id="other"))

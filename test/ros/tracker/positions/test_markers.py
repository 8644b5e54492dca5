"""Markers and coordinate frames of objects, published by a real node and heard by another."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from etam_ros.config import ObjectMarkersConfig
from etam_ros.drawing.palette import object_colour
from etam_ros.records import FrameResult, ObjectState
from etam_ros.ros.messages import NO_POSITION, ObjectPosition
from etam_ros.ros.qos import BROADCAST_TRANSFORMS, OBJECTS
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.positions.markers import ObjectMarkers
from etam_ros.ros.tracker.positions.object_frames import ObjectFrames

sys.path.insert(0, str(Path(__file__).parents[2]))
from listening import DEADLINE_S, Listener

HW = (48, 64)
AHEAD = ObjectPosition((0.0, 0.0, 1.0), (0.5, -0.25, 2.0), 0.01)
BEARING = ObjectPosition((0.0, 0.0, 1.0))


def processed(number, positions, frame_id="camera", label="cup"):
    nothing = np.zeros((0, 0), bool)
    states = tuple(
        ObjectState(
            object_id, label, False, 0.9, 0.9, 4, (0, 0, 2, 2), (0.5, 0.5), nothing, (0, 0, 2, 2),
            nothing, 0, 1.0, None, None,
        )
        for object_id in positions
    )  # fmt: skip
    result = FrameResult(number, number, frame_id, HW, states, np.zeros(HW, np.uint16))
    header = Header(stamp=Time(sec=number), frame_id=frame_id)
    image = np.zeros((*HW, 3), np.uint8)
    return ProcessedFrame(result, {}, image, header, 0, positions)


@pytest.fixture
def listener(ros_context):
    listener = Listener(ros_context)
    yield listener
    assert listener.crashes == []
    listener.close()


@pytest.fixture
def shown(listener):
    """Markers of a frame, as they are heard."""
    config = ObjectMarkersConfig(diameter_m=0.2, lifetime_s=1.5)
    markers = ObjectMarkers(
        listener.endpoints, lambda: config, on_fault=lambda *fault: listener.crashes.append(fault)
    )
    assert not markers.wanted
    listener.subscribe(MarkerArray, "/publishes/markers", OBJECTS)
    listener.wait_until(lambda: markers.wanted)
    yield lambda frame: listener.answer(lambda: markers.offer(frame)).markers
    markers.stop()
    assert markers.join(DEADLINE_S)


def test_a_located_object_is_a_sphere_with_a_name_in_its_colour(shown):
    sphere, name = shown(processed(7, {3: AHEAD}))
    assert (sphere.ns, sphere.id, sphere.type, sphere.action) == (
        "objects", 3, Marker.SPHERE, Marker.ADD,
    )  # fmt: skip
    assert sphere.header == Header(stamp=Time(sec=7), frame_id="camera") == name.header
    at = sphere.pose.position
    assert (at.x, at.y, at.z, sphere.pose.orientation.w) == (0.5, -0.25, 2.0, 1.0)
    assert (sphere.scale.x, sphere.scale.y, sphere.scale.z) == (0.2, 0.2, 0.2)
    colour = [round(255 * value) for value in (sphere.color.r, sphere.color.g, sphere.color.b)]
    assert tuple(colour) == object_colour(3)
    assert (sphere.lifetime.sec, sphere.lifetime.nanosec) == (1, 500_000_000)
    assert (name.ns, name.id, name.type, name.text) == (
        "names", 3, Marker.TEXT_VIEW_FACING, "3 cup",
    )  # fmt: skip
    assert name.pose.position.y < at.y, "above it"


@pytest.mark.parametrize("after", [{}, {3: NO_POSITION}, {3: BEARING}])
def test_one_that_goes_or_is_not_located_any_more_is_deleted(shown, after):
    shown(processed(1, {3: AHEAD, 4: AHEAD}))
    markers = shown(processed(2, {**after, 4: AHEAD}))
    deleted = {(each.ns, each.id) for each in markers if each.action == Marker.DELETE}
    assert deleted == {("objects", 3), ("names", 3)}
    assert {each.id for each in markers if each.action == Marker.ADD} == {4}


def test_only_finite_values_and_named_frames_are_sent(shown):
    odd = ObjectPosition((0.0, 0.0, 1.0), (0.1, math.inf, 1.0), 0.1)
    markers = shown(processed(1, {1: odd, 2: BEARING, 5: AHEAD}, frame_id=""))
    assert {each.id for each in markers} == {5}
    for each in markers:
        assert each.header.frame_id == "camera_optical_frame"
        at = each.pose.position
        assert all(math.isfinite(value) for value in (at.x, at.y, at.z))


def test_frames_of_objects_are_published_where_tf_is_installed(listener):
    tf2_msgs = pytest.importorskip("tf2_msgs.msg")
    warnings = []
    frames = ObjectFrames(listener.endpoints, warnings.append)
    listener.subscribe(tf2_msgs.TFMessage, "/tf", BROADCAST_TRANSFORMS)
    both = processed(7, {3: AHEAD, 4: BEARING})
    (transform,) = listener.answer(lambda: frames.publish(both)).transforms
    assert transform.child_frame_id == "object_3"
    assert transform.header == both.header
    moved, turned = transform.transform.translation, transform.transform.rotation
    assert (moved.x, moved.y, moved.z) == (0.5, -0.25, 2.0)
    assert (turned.x, turned.y, turned.z, turned.w) == (0.0, 0.0, 0.0, 1.0)
    assert warnings == []


def test_without_tf_it_is_said_once_and_nothing_is_published(listener, monkeypatch):
    monkeypatch.setattr("etam_ros.ros.tracker.positions.object_frames.TFMessage", None)
    warnings = []
    frames = ObjectFrames(listener.endpoints, warnings.append)
    frames.publish(processed(7, {3: AHEAD}))
    assert len(warnings) == 1
    assert "tf2_msgs is not installed" in warnings[0]

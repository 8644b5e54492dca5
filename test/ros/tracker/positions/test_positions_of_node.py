"""The real node before a camera with depth: positions, late and missing depth, diagnostics."""

import math
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker, MarkerArray

from etam_ros.ros.image_conversion import image_message

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[2]))
from depth_messages import depth_message
from rendered import Box, Pinhole, Wall, render

CAMERA = Pinhole((96, 128), 120.0)
THING = Box((0.1, 0.05, 1.5), (0.5, 0.4, 0.2))
DEPTH, IDS = render(CAMERA, THING, Wall(3.0))


class RobotCamera:
    """Publishes picture, calibration and depth of one scene, the depth as it is told."""

    def __init__(self, client):
        self.client = client
        self.info = client.node.create_publisher(CameraInfo, "/camera_info", 1)
        self.depth = client.node.create_publisher(Image, "/depth", 5)
        client.wait_until(self.info.get_subscription_count, "subscription to camera_info")
        client.wait_until(self.depth.get_subscription_count, "subscription to depth")

    def calibrate(self):
        (height, width), (cx, cy), f = CAMERA.hw, CAMERA.middle, CAMERA.focal_px
        k = [f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0]
        self.info.publish(CameraInfo(height=height, width=width, k=k))

    def picture(self, header):
        grey = np.random.default_rng(0).integers(0, 60, CAMERA.hw)
        pixels = np.where(IDS == 0, 200, grey).astype(np.uint8)
        return image_message(np.repeat(pixels[:, :, None], 3, 2), "rgb8", header)

    def send_depth(self, header, **fields):
        message = depth_message(DEPTH.astype(np.float32), **fields)
        message.header = header
        self.depth.publish(message)


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    more = ("-p", "depth.stamp_tolerance_ms:=200.0", "-p", "tf.objects:=true")
    process = start_tracker(*ros.tiny, *more)
    client = make_client()
    client.wait_for_camera()
    return client, RobotCamera(client), process


@pytest.fixture
def followed(running):
    """Client, camera, and the object on the newest frame, given by its mask."""
    client, camera, _ = running
    client.reset()
    header = client.next_header()
    client.track(camera.picture(header))
    mask = image_message((IDS == 0).astype(np.uint8) * 255, "mono8", header)
    assert client.add_prompt(mask=mask).success
    return client, camera


def follow(client, camera, header):
    (item,) = client.track(camera.picture(header)).objects
    assert not item.occluded
    return item


def exact_point(item):
    ray = CAMERA.ray(item.centroid.x, item.centroid.y)
    return ray * min(THING.depth(ray), Wall(3.0).depth(ray))


def vector(message):
    return np.array([message.x, message.y, message.z])


def test_bearing_alone_is_said_to_be_that_and_depth_makes_positions(followed):
    client, camera = followed
    _, values = client.status("positions", lambda _, v: v["no_bearing"])
    assert "no camera_info has come on /" in values["no_bearing"]

    def bearing():
        camera.calibrate()
        item = follow(client, camera, client.next_header())
        return item if math.isfinite(item.bearing.z) else None

    item = client.wait_until(bearing, "a bearing")
    ray = CAMERA.ray(item.centroid.x, item.centroid.y)
    assert vector(item.bearing) == pytest.approx(ray / np.linalg.norm(ray), abs=1e-6)
    assert math.isnan(item.position.point.x)
    status, values = client.status(
        "positions",  # the node may not have discovered the publisher of depth yet
        lambda status, v: not v["no_bearing"] and "nobody publishes" not in status.message,
    )
    assert status.message == "bearings only: no depth has arrived"
    assert (status.level, values["depth_topic"]) == (DiagnosticStatus.OK, "/depth")

    for encoding in ("16UC1", "32FC1"):

        def located(encoding=encoding):
            header = client.next_header()
            camera.send_depth(header, encoding=encoding, padding=1, big_endian=True)
            item = follow(client, camera, header)
            return item if math.isfinite(item.position.point.z) else None

        item = client.wait_until(located, "a position")
        error = np.linalg.norm(vector(item.position.point) - exact_point(item))
        assert error < 0.03
        assert item.position.header == client.objects[-1].header
        assert 0 <= item.position_spread < 0.05
    status, values = client.status("positions", lambda _, v: v["located"] == "1")
    assert status.message == "1 of 1 visible objects located"
    assert int(values["paired"]) >= 2
    on_it = (item.centroid.x, item.centroid.y)
    answer = client.add_prompt(object_id=item.id, points=[on_it], labels=[1])
    assert math.isfinite(answer.object.position.point.z)
    assert math.isfinite(answer.object.bearing.z)


def test_depth_that_is_late_or_missing_holds_nothing_up_and_is_counted(followed):
    client, camera = followed
    camera.calibrate()
    header = client.next_header()
    item = follow(client, camera, header)
    assert math.isnan(item.position.point.z)
    assert math.isnan(item.position_spread)
    _, before = client.status("positions", lambda _, v: int(v["missing"]) > 0)

    def counted():
        camera.send_depth(header)
        entry = client.diagnostics.get("positions")
        return entry and int(entry[1]["late"]) > int(before["late"])

    client.wait_until(counted, "late depth in the diagnostics")
    follow(client, camera, client.next_header())
    status, _ = client.status("positions", lambda _, v: "off, expected at most" in v["no_depth"])
    assert "bearings only: the nearest depth is" in status.message
    assert "; depth came too late for" in status.message


def test_depth_that_does_not_fit_is_refused_in_words(followed):
    client, camera = followed
    camera.calibrate()

    def refused():
        header = client.next_header()
        camera.depth.publish(Image(header=header, height=96, width=128, encoding="rgb8"))
        follow(client, camera, header)
        entry = client.diagnostics.get("positions")
        return entry if entry and "'rgb8'" in entry[1]["last_refusal"] else None

    status, _ = client.wait_until(refused, "a refusal")
    assert status.level == DiagnosticStatus.WARN


def test_markers_stand_where_objects_are_and_go_with_them(followed):
    client, camera = followed
    camera.calibrate()
    heard = []
    subscription = client.listen(MarkerArray, "markers", heard)
    client.wait_until(lambda: client.node.count_publishers("/tracker/markers"))

    def shown():
        header = client.next_header()
        camera.send_depth(header)
        item = follow(client, camera, header)
        client.executor.spin_once(timeout_sec=0.05)
        markers = [each for array in heard for each in array.markers]
        found = [each for each in markers if each.header == header and each.ns == "objects"]
        return (item, found[0]) if found else None

    item, sphere = client.wait_until(shown, "a marker")
    assert (sphere.id, sphere.type, sphere.action) == (item.id, Marker.SPHERE, Marker.ADD)
    assert vector(sphere.pose.position) == pytest.approx(vector(item.position.point))
    assert client.remove(item.id).success

    def deleted():
        client.track(camera.picture(client.next_header()))
        client.executor.spin_once(timeout_sec=0.05)
        markers = [each for array in heard for each in array.markers]
        gone = {each.ns for each in markers if each.action == Marker.DELETE}
        return gone == {"objects", "names"}

    client.wait_until(deleted, "deletion of both markers")
    client.node.destroy_subscription(subscription)


def test_coordinate_frames_are_published_or_it_is_said_that_they_are_not(running, followed):
    client, camera, process = running
    if find_spec("tf2_msgs") is None:
        assert process.log.count("tf2_msgs is not installed") == 1
        return
    from tf2_msgs.msg import TFMessage

    camera.calibrate()
    heard = []
    subscription = client.node.create_subscription(TFMessage, "/tf", heard.append, 100)
    client.wait_until(lambda: client.node.count_publishers("/tf"))

    def framed():
        header = client.next_header()
        camera.send_depth(header)
        item = follow(client, camera, header)
        client.executor.spin_once(timeout_sec=0.05)
        found = [each for message in heard for each in message.transforms if each.header == header]
        return (item, found[0]) if found else None

    item, transform = client.wait_until(framed, "a transform")
    assert transform.child_frame_id == f"object_{item.id}"
    moved = vector(transform.transform.translation)
    assert moved == pytest.approx(vector(item.position.point))
    client.node.destroy_subscription(subscription)

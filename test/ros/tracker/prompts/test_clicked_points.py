"""Clicks in space through the real node: on the plane, elsewhere, through TF, and refused."""

from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from etam_ros.msg import TrackEvent
from geometry_msgs.msg import PointStamped, TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, PointCloud2
from std_msgs.msg import Header

from etam_ros.config import CameraConfig
from etam_ros.records import FrameResult
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.coordinate_frames import CoordinateFrames
from etam_ros.ros.tracker.prompts.clicked_points import ClickedPoints
from etam_ros.ros.tracker.rviz.click_plane import POINT, ShownPlane

STEP = 4
CALIBRATED = {
    "height": 96,
    "width": 128,
    "k": [90.0, 0.0, 63.5, 0.0, 90.0, 47.5, 0.0, 0.0, 1.0],
    "d": [-0.2, 0.0, 0.001, 0.0, 0.0],
    "distortion_model": "plumb_bob",
}
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
HAS_TF = find_spec("tf2_ros") is not None


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    start_tracker(*ros.tiny, "-p", f"click_plane.columns:={128 // STEP}")
    client = make_client()
    client.wait_for_camera()
    client.events = []
    client.node.create_subscription(TrackEvent, "/tracker/events", client.events.append, 100)
    client.clicked = client.node.create_publisher(PointStamped, "/clicked_point", 10)
    client.info = client.node.create_publisher(CameraInfo, "/camera_info", 10)
    client.wait_until(lambda: client.node.count_publishers("/tracker/events"))
    client.wait_until(client.clicked.get_subscription_count)
    client.wait_until(client.info.get_subscription_count)
    return client


@pytest.fixture
def tracker(running, ros):
    """The client of a tracker that has processed a frame and knows no object and no camera."""
    assert running.change_state("deactivate")  # forgets the calibration
    assert running.change_state("activate")
    running.wait_for_camera()
    running.wait_until(running.clicked.get_subscription_count)
    running.reset()
    running.track(ros.image(running.next_header()))
    running.events.clear()
    return running


def click(client, xyz, frame_id="camera"):
    """What RViz publishes: the time is that of the click."""
    message = PointStamped()
    message.header.frame_id = frame_id
    message.header.stamp = client.node.get_clock().now().to_msg()
    message.point.x, message.point.y, message.point.z = map(float, xyz)
    client.clicked.publish(message)


def pixel_added(client):
    """Of the click that adds an object, as the event says it."""
    added = lambda: [e for e in client.events if e.kind == TrackEvent.ADDED]  # noqa: E731
    client.wait_until(added, "an object")
    event = added()[0]
    assert event.reason.endswith("from clicked_point")
    x, y = event.reason.removeprefix("click at (").partition(")")[0].split(", ")
    return float(x), float(y)


def wait_for_refusal(client, words):
    client.status("tracking", lambda _, values: words in values["last_refusal"])


def calibrate(client):
    """Send camera_info until the node knows it: a click that is outside of it tells."""

    def known():
        client.info.publish(CameraInfo(**CALIBRATED))
        click(client, (9, 0, 9))
        client.executor.spin_once(timeout_sec=0.1)
        _, values = client.diagnostics.get("tracking", (None, {}))
        return "outside the frame of 128 x 96" in values.get("last_refusal", "")

    client.wait_until(known, "a calibration")


@contextmanager
def plane_of(client, image):
    """The plane with that image, and somebody who looks at it."""
    planes = []
    subscription = client.listen(PointCloud2, "click_plane", planes)
    client.wait_until(lambda: client.node.count_publishers("/tracker/click_plane"))

    def shown():
        client.track(image)
        return any(plane.header == image.header for plane in planes)

    client.wait_until(shown, "the plane")
    yield np.frombuffer(planes[-1].data, POINT)
    client.node.destroy_subscription(subscription)


def looks_at(points, column, row):
    """A point of a plane of 32 x 24 points."""
    x, y, z, _ = points.reshape(24, 32)[row, column]
    return np.array([x, y, z])


@pytest.mark.parametrize("depth", [0.97, 1.0])
def test_a_click_on_the_plane_adds_what_is_seen_there(tracker, ros, depth):
    with plane_of(tracker, ros.image(tracker.next_header())) as points:
        click(tracker, looks_at(points, 20, 7) * depth)
        pixel = pixel_added(tracker)
    np.testing.assert_allclose(pixel, (20 * STEP + 1.5, 7 * STEP + 1.5), atol=0.01)


def test_a_click_on_the_plane_of_a_calibrated_camera_minds_its_distortion(tracker, ros):
    calibrate(tracker)
    with plane_of(tracker, ros.image(tracker.next_header())) as points:
        click(tracker, looks_at(points, 2, 3))
        pixel = pixel_added(tracker)
    np.testing.assert_allclose(pixel, (2 * STEP + 1.5, 3 * STEP + 1.5), atol=0.1)


def test_a_click_is_for_the_frame_that_the_plane_showed(ros_context):
    """Whatever has been processed since; a click on something else is for the newest frame."""
    seen, newest = (Header(stamp=Time(sec=sec), frame_id="camera") for sec in (5, 6))
    result = FrameResult(1, 6, "camera", (96, 128), (), np.zeros((96, 128), np.uint16))
    tracking = SimpleNamespace(newest=newest, tracker=SimpleNamespace(result=result))
    camera = Camera(CameraConfig, print)
    camera.on_info(CameraInfo(**CALIBRATED))
    shown = ShownPlane(seen, CameraModel.assumed((96, 128)), 1.0, 0)
    node = Node("clicks", context=ros_context, use_global_arguments=False)
    with Endpoints(node) as endpoints:
        frames = CoordinateFrames(endpoints)
        points = ClickedPoints(camera, frames, SimpleNamespace(shown=lambda _: shown))
        message = PointStamped()
        message.point.z = 1.04
        on_plane = points.click(message, "clicked_point", tracking)
        message.point.z = 1.06
        elsewhere = points.click(message, "clicked_point", tracking)
    node.destroy_node()
    assert (on_plane.header, on_plane.point) == (seen, (63.5, 47.5))
    assert (elsewhere.header, elsewhere.point) == (Header(), (63.5, 47.5))


def test_a_click_on_anything_else_needs_a_calibration(tracker):
    click(tracker, (0.5, 0.2, 2.0))
    wait_for_refusal(tracker, "(0.5, 0.2, 2) m is not on ~/click_plane")
    wait_for_refusal(tracker, "no camera_info has come")
    calibrate(tracker)
    click(tracker, (0.0, 0.0, 20.0))
    np.testing.assert_allclose(pixel_added(tracker), (63.5, 47.5), atol=0.01)


@pytest.mark.parametrize(
    ("xyz", "words"),
    [
        ((0.1, 0.2, -1.5), "(0.1, 0.2, -1.5) m is behind the camera"),
        ((1.25, 0.0, 1.5), "is seen at (128.1, 47.6), outside the frame of 128 x 96"),
        ((9.0, 0.0, 1.5), "is seen nowhere"),
        ((np.nan, 0.0, 1.0), "is not finite"),
    ],
)
def test_what_the_camera_does_not_see_is_refused(tracker, xyz, words):
    calibrate(tracker)
    click(tracker, xyz)
    wait_for_refusal(tracker, words)
    assert tracker.events == []


def test_a_click_before_the_first_image_is_refused(start_tracker, make_client, ros):
    start_tracker(*ros.tiny, "-r", "__ns:=/early")
    client = make_client("/early")
    client.wait_for_state("active")
    client.clicked = client.node.create_publisher(PointStamped, "/early/clicked_point", 10)
    client.wait_until(client.clicked.get_subscription_count)
    click(client, (0, 0, 1))
    wait_for_refusal(client, "no image has been processed yet")


def test_an_unknown_frame_is_refused_and_an_empty_one_is_the_cameras(tracker):
    calibrate(tracker)
    click(tracker, (0, 0, 1), "nowhere")
    wait_for_refusal(tracker, "in frame 'nowhere'")
    wait_for_refusal(tracker, "TF has no transform" if HAS_TF else "install tf2_ros")
    click(tracker, (0, 0, 1), "")
    np.testing.assert_allclose(pixel_added(tracker), (63.5, 47.5), atol=0.01)


def transform(stamp_s, x):
    """The camera looks along the map's x axis, from x metres before its origin."""
    message = TransformStamped(child_frame_id="camera")
    message.header.frame_id, message.header.stamp = "map", Time(sec=stamp_s)
    message.transform.translation.x = -float(x)
    turn = message.transform.rotation
    turn.x, turn.y, turn.z, turn.w = -0.5, 0.5, -0.5, 0.5
    return message


@pytest.mark.skipif(not HAS_TF, reason="tf2_ros is not installed")
def test_a_click_goes_through_tf_at_the_time_of_the_frame_else_at_the_latest(tracker, ros):
    from tf2_msgs.msg import TFMessage

    calibrate(tracker)
    tf = tracker.node.create_publisher(TFMessage, "/tf", LATCHED)
    tracker.wait_until(tf.get_subscription_count, "somebody who listens to TF")
    now_s = tracker.track(ros.image(tracker.next_header())).header.stamp.sec
    # One metre to the left and half a metre up; two metres before the camera, then four.
    for stamp_s, x in ((now_s - 1, 2), (now_s + 1, 2), (now_s + 9, 4)):
        tf.publish(TFMessage(transforms=[transform(stamp_s, x)]))

    def added():
        click(tracker, (0.0, 1.0, 0.5), "map")
        tracker.executor.spin_once(timeout_sec=0.2)
        return tracker.events

    tracker.wait_until(added, "an object")
    slope = np.array([-0.5, -0.25])  # seen two metres away
    x, y = 63.5, 47.5
    radius2 = (slope**2).sum()
    x += 90 * slope[0] * (1 - 0.2 * radius2) + 90 * 2 * 0.001 * slope.prod()
    y += 90 * slope[1] * (1 - 0.2 * radius2) + 90 * 0.001 * (radius2 + 2 * slope[1] ** 2)
    np.testing.assert_allclose(pixel_added(tracker), (x, y), atol=0.01)

    tracker.reset()
    tracker.events.clear()
    tracker.track(ros.image(Header(stamp=Time(sec=now_s + 100), frame_id="camera")))
    click(tracker, (0.0, 1.0, 0.5), "map")
    assert pixel_added(tracker)[0] > x + 20  # twice as far away by now

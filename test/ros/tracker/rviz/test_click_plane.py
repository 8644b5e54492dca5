"""The plane that RViz clicks on: where its points are, what is on it, and when it is published."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, PointCloud2, PointField
from std_msgs.msg import Header

from etam_ros.config import CameraConfig, ClickPlaneConfig
from etam_ros.drawing.palette import object_colour
from etam_ros.records import FrameResult
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.parameters import Settings
from etam_ros.ros.qos import RESULT_IMAGES
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.rviz.click_plane import (
    PLANE_THREAD,
    POINT,
    SQUARE_M,
    ClickPlanePublisher,
    PlaneCloud,
)

DEADLINE_S = 60.0
HW = (241, 322)  # no multiple of a step
K = [210.0, 0.0, 163.0, 0.0, 208.0, 118.0, 0.0, 0.0, 1.0]
DISTORTIONS = {
    "plumb_bob": [-0.28, 0.09, 0.001, -0.0007, -0.01],
    "rational_polynomial": [0.5, -2.6, 0.0005, 0.0002, 1.5, 0.38, -2.4, 1.4],
    "equidistant": [-0.02, 0.004, -0.003, 0.0006],
}


def model_of(name):
    if name == "assumed":
        return CameraModel.assumed(HW)
    info = CameraInfo(height=HW[0], width=HW[1], k=K, d=DISTORTIONS[name], distortion_model=name)
    return CameraModel.from_message(info)


def processed(image, labels=None, header=None):
    hw = image.shape[:2]
    labels = np.zeros(hw, np.uint16) if labels is None else labels
    result = FrameResult(1, 1, "camera", hw, (), labels)
    return ProcessedFrame(result, {}, image, header or Header(frame_id="camera"), 0)


def numbered(hw):
    """A picture whose colours say where each pixel is."""
    rows, columns = np.indices(hw)
    return np.stack([rows, columns % 256, columns // 256], axis=-1).astype(np.uint8)


def points_of(message):
    return np.frombuffer(message.data, POINT)


def pixels_of(message):
    """What the colours of a numbered picture say, (N, 2) x and y."""
    rgb = points_of(message)["rgb"].astype(int)
    return np.stack([(rgb >> 8 & 255) + 256 * (rgb & 255), rgb >> 16], axis=-1)


@pytest.mark.parametrize("name", ["assumed", *DISTORTIONS])
@pytest.mark.parametrize("step", [1, 3, 5])
def test_clicks_on_the_plane_are_on_the_pixel_that_is_shown_there(name, step):
    """Also where RViz picks a point a little before or behind it."""
    model = model_of(name)
    config = ClickPlaneConfig(columns=-(-HW[1] // step), distance_m=1.0)
    message = PlaneCloud(model, config).filled(processed(numbered(HW)), 0.5)
    points = points_of(message)
    xyz = np.stack([points[axis] for axis in "xyz"], axis=-1).astype(float)
    assert np.isfinite(xyz).all()
    assert (xyz[:, 2] == 1).all()
    assert len(points) == -(-HW[0] // step) * -(-HW[1] // step)
    shown = pixels_of(message)
    for depth in (0.96, 0.994, 1.0, 1.04):
        found = model.project(xyz * depth)
        assert model.inside(found).all()
        assert np.abs(found - shown).max() <= step / 2 + 0.1


def test_the_message_is_what_rviz_expects():
    header = Header(frame_id="optical")
    message = PlaneCloud(CameraModel.assumed((90, 160)), ClickPlaneConfig()).filled(
        processed(numbered((90, 160)), header=header), 0.5
    )
    fields = [(each.name, each.offset, each.datatype, each.count) for each in message.fields]
    names = ("x", "y", "z", "rgb")
    assert fields == [(n, 4 * i, PointField.FLOAT32, 1) for i, n in enumerate(names)]
    assert message.header == header
    assert (message.height, message.width) == (1, 90 * 160)
    assert (message.point_step, message.row_step) == (16, 16 * 90 * 160)
    assert len(message.data) == message.row_step
    assert message.is_dense
    assert not message.is_bigendian


@pytest.mark.parametrize("hw", [(180, 320), (720, 1280), (1080, 1920), (2160, 3840), (480, 640)])
def test_squares_of_the_usual_size_leave_no_gaps(hw):
    cloud = PlaneCloud(CameraModel.assumed(hw), ClickPlaneConfig())
    assert 0.001 < cloud.spacing_m < SQUARE_M
    assert cloud.gaps == 0


def test_objects_are_seen_on_it():
    labels = np.zeros((60, 80), np.uint16)
    labels[20:40, 30:50] = 2
    cloud = PlaneCloud(CameraModel.assumed((60, 80)), ClickPlaneConfig())
    rgb = points_of(cloud.filled(processed(np.zeros((60, 80, 3), np.uint8), labels), 1.0))["rgb"]
    red, green, blue = object_colour(2)
    assert ((rgb == red << 16 | green << 8 | blue).reshape(60, 80) == (labels == 2)).all()
    rgb = points_of(cloud.filled(processed(np.zeros((60, 80, 3), np.uint8)), 1.0))["rgb"]
    assert not rgb.any()


def test_directions_that_nobody_knows_are_left_out():
    k = [130.0, 0, 160.5, 0, 130.0, 120.0, 0, 0, 1]
    for name, d in (("equidistant", [0.0] * 4), ("plumb_bob", [-0.35, 0.12, 0, 0, -0.02])):
        info = CameraInfo(height=HW[0], width=HW[1], k=k, d=d, distortion_model=name)
        cloud = PlaneCloud(CameraModel.from_message(info), ClickPlaneConfig())
        points = points_of(cloud.filled(processed(numbered(HW)), 0.5))
        assert HW[0] * HW[1] / 16 < len(points) < HW[0] * HW[1] / 4
        assert all(np.isfinite(points[axis]).all() for axis in "xyz")
        assert cloud.gaps > 0


class Plane:
    """The publisher on a node of its own."""

    def __init__(self, context):
        self.node = Node("shows_planes", context=context, use_global_arguments=False)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.settings = Settings(click_plane=ClickPlaneConfig(max_rate_hz=1000.0))
        self.crashes, self.heard = [], []
        self.endpoints = Endpoints(self.node)
        self.camera = Camera(CameraConfig, print)
        self.publisher = ClickPlanePublisher(
            self.endpoints,
            self.camera,
            lambda: self.settings,
            on_fault=lambda *fault: self.crashes.append(fault),
        )

    def subscribe(self):
        topic = "/shows_planes/click_plane"
        made = self.node.create_subscription(PointCloud2, topic, self.heard.append, RESULT_IMAGES)
        self.wait_until(self.publisher._publisher.get_subscription_count)
        return made

    def show(self, frame_id):
        """Offer a frame until it was heard."""
        frame = processed(numbered((48, 64)), header=Header(frame_id=frame_id))

        def heard():
            self.publisher.offer(frame)
            return any(message.header.frame_id == frame_id for message in self.heard)

        self.wait_until(heard)
        self.publisher._thread.drain()

    def now(self):
        return self.node.get_clock().now().nanoseconds

    def wait_until(self, condition):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end
            self.executor.spin_once(timeout_sec=0.02)

    def close(self):
        self.publisher.stop()
        assert self.publisher.join(DEADLINE_S)
        self.endpoints.__exit__(None, None, None)
        self.executor.shutdown()
        self.node.destroy_node()


@pytest.fixture
def plane(ros_context):
    plane = Plane(ros_context)
    yield plane
    plane.close()
    assert plane.crashes == []
    assert [thread for thread in threading.enumerate() if thread.name == PLANE_THREAD] == []


def test_a_click_is_on_the_plane_that_was_there_at_its_time(plane):
    plane.subscribe()
    before = plane.now()
    plane.show("first")
    between = plane.now()
    plane.show("second")
    shown = plane.publisher.shown(between)
    assert (shown.header.frame_id, shown.distance_m) == ("first", 1.0)
    assert shown.model is plane.camera.model_for((48, 64))
    assert shown.published_ns <= between
    # The last one, where the time of the click says nothing.
    for at_ns in (plane.now(), 0, before - 10**12, 2**62):
        assert plane.publisher.shown(at_ns).header.frame_id == "second"
    plane.publisher.drain()
    assert plane.publisher.shown(plane.now()) is None


def test_nothing_is_shown_where_nobody_subscribes(plane):
    plane.publisher.offer(processed(numbered((48, 64))))
    assert plane.publisher.shown(plane.now()) is None
    subscription = plane.subscribe()
    plane.show("first")
    plane.node.destroy_subscription(subscription)
    plane.wait_until(lambda: plane.publisher.shown(plane.now()) is None)


def test_planes_come_no_faster_than_wanted_and_what_changes_is_taken_up(plane):
    plane.settings = Settings(click_plane=ClickPlaneConfig(max_rate_hz=0.1))
    plane.subscribe()
    plane.show("first")
    for _ in range(20):
        plane.publisher.offer(processed(numbered((48, 64)), header=Header(frame_id="late")))
    plane.publisher._thread.drain()
    assert len(plane.publisher._shown) <= 2  # ten seconds have not passed
    plane.publisher._due_s = 0.0
    plane.settings = Settings(click_plane=ClickPlaneConfig(distance_m=0.5, columns=16))
    plane.show("near")
    assert plane.publisher.shown(plane.now()).distance_m == 0.5
    near = next(message for message in plane.heard if message.header.frame_id == "near")
    assert near.width == 16 * 12
    assert (points_of(near)["z"] == 0.5).all()

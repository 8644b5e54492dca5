"""Points in other coordinate frames: through TF where it is installed, refused where it is not."""

import time
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PointStamped, TransformStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from etam_ros.errors import PromptError
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.qos import STATIC_TRANSFORMS, TRANSFORMS
from etam_ros.ros.tracker import coordinate_frames
from etam_ros.ros.tracker.coordinate_frames import CoordinateFrames

DEADLINE_S = 60.0
needs_tf = pytest.mark.skipif(find_spec("tf2_ros") is None, reason="tf2_ros is not installed")


def point(xyz, frame_id="map"):
    message = PointStamped()
    message.header.frame_id = frame_id
    message.point.x, message.point.y, message.point.z = map(float, xyz)
    return message


def moved(x, stamp_s, parent="map", child="camera"):
    """A camera x metres along its parent's x axis, turned to the left by a quarter."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id, message.header.stamp = parent, Time(sec=stamp_s)
    message.transform.translation.x = float(x)
    message.transform.rotation.z = message.transform.rotation.w = 0.5**0.5
    return message


class Listening:
    """The frames on a node that an executor spins, and somebody who publishes transforms."""

    def __init__(self, context):
        self.node = Node("frames", context=context, use_global_arguments=False)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.endpoints = Endpoints(self.node)
        self.frames = CoordinateFrames(self.endpoints)
        self.publishers = {}

    def publish(self, *transforms, topic="/tf"):
        from tf2_msgs.msg import TFMessage

        profile = STATIC_TRANSFORMS if topic == "/tf_static" else TRANSFORMS
        if topic not in self.publishers:
            made = self.node.create_publisher(TFMessage, topic, profile)
            self.publishers[topic] = made
            self.wait_until(made.get_subscription_count)
        self.publishers[topic].publish(TFMessage(transforms=list(transforms)))

    def wait_until(self, condition):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end
            self.executor.spin_once(timeout_sec=0.01)

    def x_at(self, stamp_s, y=0.0):
        """How far before the origin of the map the camera sees a point, once TF knows it."""
        self.frames.catch_up()
        try:
            return self.frames.point_in("camera", Time(sec=stamp_s), point((0, y, 0)))[1]
        except PromptError:
            return None


@pytest.fixture
def listening(ros_context):
    listening = Listening(ros_context)
    yield listening
    listening.endpoints.__exit__(None, None, None)
    listening.frames.catch_up()  # finds nothing to read any more
    listening.executor.shutdown()
    listening.node.destroy_node()


@pytest.mark.parametrize("frame_id", ["", "camera"])
def test_the_cameras_own_frame_needs_no_transform(listening, frame_id):
    found = listening.frames.point_in("camera", Time(), point((1, 2, 3), frame_id))
    assert found.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("asked", "message", "words"),
    [
        ("camera", point((np.nan, 0, 1), "camera"), "(nan, 0.0, 1.0) is not finite"),
        ("camera", point((0, 0, np.inf)), "is not finite"),
        ("", point((0, 0, 1)), "the image has an empty frame_id"),
        ("camera", point((0, 0, 1), "nowhere"), "in frame 'nowhere'"),
        ("/camera", point((0, 0, 1), "\n" * 300), "in frame '\\n"),
    ],
)
def test_what_cannot_be_found_is_refused_in_one_line(listening, asked, message, words):
    with pytest.raises(PromptError) as refusal:
        listening.frames.point_in(asked, Time(sec=-5), message)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_without_tf_it_is_said_what_to_install(ros_context, monkeypatch):
    monkeypatch.setattr(coordinate_frames, "tf2_ros", None)
    listening = Listening(ros_context)
    listening.frames.catch_up()
    assert listening.frames.point_in("camera", Time(), point((1, 2, 3), "camera")).tolist() == [
        1, 2, 3,
    ]  # fmt: skip
    with pytest.raises(PromptError, match="install tf2_ros"):
        listening.frames.point_in("camera", Time(), point((1, 2, 3)))
    listening.executor.shutdown()
    listening.node.destroy_node()


@needs_tf
def test_a_point_is_moved_and_turned(listening):
    listening.publish(moved(2, 0), topic="/tf_static")
    listening.wait_until(lambda: listening.x_at(7) is not None)
    found = listening.frames.point_in("camera", Time(sec=7), point((3, 4, 5)))
    np.testing.assert_allclose(found, [4, -1, 5])


@needs_tf
def test_the_time_asked_for_counts_and_beyond_it_the_latest(listening):
    for stamp_s in (10, 20):
        listening.publish(moved(stamp_s, stamp_s))
    listening.wait_until(lambda: listening.x_at(0) == pytest.approx(20))
    for stamp_s, x in ((10, 10), (15, 15), (20, 20), (25, 20), (5, 20), (-5, 20)):
        assert listening.x_at(stamp_s) == pytest.approx(x)


@needs_tf
def test_a_bag_that_starts_over_is_believed(listening):
    listening.publish(moved(7, 0, "camera", "lens"), topic="/tf_static")
    for stamp_s in (100, 101):
        listening.publish(moved(stamp_s, stamp_s))
    listening.wait_until(lambda: listening.x_at(0) == pytest.approx(101))
    listening.publish(moved(50, 50))
    listening.wait_until(lambda: listening.x_at(0) == pytest.approx(50))
    lens = listening.frames.point_in("lens", Time(sec=50), point((50, 8, 0)))
    np.testing.assert_allclose(lens, [0, -1, 0], atol=1e-9)  # static ones are still known

"""Overlays: drawn beside the tracking thread, by one thread that ends with its publishers."""

import threading
import time

import numpy as np
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.config import OverlayConfig
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.records import FrameResult
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.image_conversion import image_from_message
from etam_ros.ros.qos import RESULT_IMAGES
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.results import DRAWING_THREAD, OverlayPublisher

DEADLINE_S = 60.0
HW = (48, 64)


def drawing_threads():
    return [thread for thread in threading.enumerate() if thread.name == DRAWING_THREAD]


def processed(number):
    image = np.full((*HW, 3), number, np.uint8)
    result = FrameResult(number, number, "camera", HW, (), np.zeros(HW, np.uint16))
    return ProcessedFrame(result, {}, image, Header(frame_id=str(number)), 0)


class Overlays:
    """The publishers on a node of their own, and somebody who subscribes to them."""

    def __init__(self, context):
        self.node = Node("draws_overlays", context=context, use_global_arguments=False)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.failures, self.crashes, self.heard = [], [], []
        self.endpoints = Endpoints(self.node)
        self.publisher = OverlayPublisher(
            self.endpoints,
            OverlayConfig,
            on_failed=self.failures.append,
            on_fault=lambda *fault: self.crashes.append(fault),
        )
        self.topic = "/draws_overlays/overlay"

    def subscribe(self):
        self.node.create_subscription(Image, self.topic, self.heard.append, RESULT_IMAGES)
        self.wait_until(lambda: self.node.count_subscribers(self.topic))

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
def overlays(ros_context):
    overlays = Overlays(ros_context)
    yield overlays
    overlays.close()
    assert drawing_threads() == []


def test_one_thread_draws_the_newest_of_many_frames(overlays):
    overlays.subscribe()

    def newest_was_heard():
        for number in range(1, 100):
            overlays.publisher.offer(processed(number))
        overlays.publisher.offer(processed(100))
        overlays.executor.spin_once(timeout_sec=0.05)
        return any(message.header.frame_id == "100" for message in overlays.heard)

    overlays.wait_until(newest_was_heard)
    assert len(drawing_threads()) == 1
    assert overlays.failures == overlays.crashes == []
    message = next(each for each in overlays.heard if each.header.frame_id == "100")
    frame = processed(100)
    expected = draw_overlay(frame.image, frame.result, OverlayConfig())
    np.testing.assert_array_equal(image_from_message(message, max_pixels=48 * 64), expected)


def test_nothing_is_drawn_where_nobody_subscribes(overlays):
    wrong = processed(1)
    overlays.publisher.offer(  # drawing it would be told as a failure
        ProcessedFrame(wrong.result, {}, wrong.image[:4], wrong.header, 0)
    )
    overlays.publisher.stop()
    assert overlays.publisher.join(DEADLINE_S)
    assert overlays.failures == []


def test_what_cannot_be_drawn_is_told_and_the_next_frame_is_drawn(overlays):
    overlays.subscribe()
    good, other = processed(1), processed(2)
    wrong = ProcessedFrame(good.result, {}, good.image[:4], good.header, 0)

    def offered(frame, seen):  # again and again, as the subscription may not be matched yet
        overlays.publisher.offer(frame)
        return seen

    overlays.wait_until(lambda: offered(wrong, overlays.failures))
    assert "draw a result over the frame it belongs to" in str(overlays.failures[0])
    overlays.wait_until(lambda: offered(other, overlays.heard))
    assert {message.header.frame_id for message in overlays.heard} == {"2"}
    assert overlays.crashes == []

"""Objects as boxes with ids, published by a real node and heard by another."""

import sys
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from etam_ros.records import FrameResult, ObjectState
from etam_ros.ros.qos import OBJECTS
from etam_ros.ros.tracker import tracked_detections
from etam_ros.ros.tracker.prompts.detections import detections_from_message
from etam_ros.ros.tracker.tracked_detections import TrackedDetections

sys.path.insert(0, str(Path(__file__).parents[1]))
from listening import Listener

HEADER = Header(stamp=Time(sec=7), frame_id="camera")
NOTHING = np.zeros((0, 0), bool)


def state(object_id, box, label=""):
    visible = any(box)
    centre = ((box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2)
    return ObjectState(
        object_id, label, not visible, 0.9, 0.75, 4, box, centre, NOTHING, box, NOTHING, 0, 1.0,
        None, None,
    )  # fmt: skip


RESULT = FrameResult(
    1, 7, "camera", (48, 64), (state(3, (10, 20, 30, 25), "cup"), state(9, (0, 0, 0, 0))),
    np.zeros((48, 64), np.uint16),
)  # fmt: skip


@pytest.fixture
def listener(ros_context):
    listener = Listener(ros_context)
    yield listener
    listener.close()


def test_visible_objects_are_boxes_with_ids_that_read_back_the_same(listener):
    messages = pytest.importorskip("vision_msgs.msg")
    detections = TrackedDetections(listener.endpoints)
    listener.subscribe(messages.Detection2DArray, "/publishes/tracked_detections", OBJECTS)
    message = listener.answer(lambda: detections.publish(RESULT, HEADER))
    (found,) = message.detections
    assert (message.header, found.header, found.id) == (HEADER, HEADER, "3")
    (back,) = detections_from_message(message, (48, 64))
    assert back.box == (9.5, 19.5, 29.5, 24.5)  # the edges of the pixels 10 to 29, 20 to 24
    assert (back.label, back.score) == ("cup", 0.75)


def test_without_vision_msgs_there_is_no_topic(listener, monkeypatch):
    monkeypatch.setattr(tracked_detections, "Detection2DArray", None)
    TrackedDetections(listener.endpoints).publish(RESULT, HEADER)
    assert listener.node.count_publishers("/publishes/tracked_detections") == 0

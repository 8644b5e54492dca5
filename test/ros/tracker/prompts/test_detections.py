"""Boxes of a detector: limits, overlap with what is followed, and the way through the node."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from builtin_interfaces.msg import Time
from etam_ros.msg import TrackEvent
from hypothesis import example, given
from hypothesis import strategies as st
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from etam_ros.config import DetectionsConfig
from etam_ros.errors import PromptError
from etam_ros.records import NEW_OBJECT, FrameResult, ObjectState, Prompt
from etam_ros.ros.tracker.prompts.detections import (
    Detection,
    box_iou,
    chosen,
    detections_from_message,
    object_of_box,
)

BOX = (10.0, 20.0, 30.0, 40.0)


def frame_with(**boxes):
    """A result with an object for each box, occluded where there is none; names are o and id."""
    states = []
    for name, box in boxes.items():
        mask = np.ones((box[3] - box[1], box[2] - box[0]), bool)
        states.append(
            ObjectState(
                int(name[1:]), "", not any(box), 0.5, 0.5, mask.size, box, (0, 0), mask, box,
                mask, 0, 0, torch.zeros(4, 4), torch.zeros(2),
            )
        )  # fmt: skip
    return FrameResult(1, 0, "", (48, 64), tuple(states), np.zeros((48, 64), np.uint16))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ["cup", "dog", "cat"]),
        ({"min_score": 0.0}, ["cup", "dog", "cat", "mug"]),
        ({"min_score": 0.7}, ["cup", "dog"]),
        ({"labels": "cat, mug"}, ["cat"]),
        ({"labels": "cat,dog,", "max_per_message": 1}, ["dog"]),
        ({"labels": "hat"}, []),
    ],
)
def test_limits_by_score_label_and_number(limits, expected):
    scores = {"mug": 0.4, "cat": 0.5, "cup": 0.9, "dog": 0.7}
    detections = [Detection(BOX, label, score) for label, score in scores.items()]
    detections.append(Detection(BOX, "cup", float("nan")))
    assert [each.label for each in chosen(detections, DetectionsConfig(**limits))] == expected


@pytest.mark.parametrize(
    ("box", "min_iou", "expected"),
    [
        ((9.5, 19.5, 29.5, 39.5), 1.0, 3),  # the object's own pixels, to their edges
        ((9.5, 19.5, 29.5, 29.5), 0.5, 3),
        ((9.5, 19.5, 29.5, 29.5), 0.51, NEW_OBJECT),
        ((9.5, 19.5, 49.5, 39.5), 0.4, 5),  # half of 3, and more of 5
        ((50.0, 5.0, 60.0, 15.0), 0.01, NEW_OBJECT),
        ((0.0, 0.0, 5.0, 5.0), 0.01, NEW_OBJECT),  # where the box of a hidden one would be
    ],
)
def test_which_object_a_box_is_on(box, min_iou, expected):
    result = frame_with(o3=(10, 20, 30, 40), o5=(20, 20, 50, 40), o9=(0, 0, 0, 0))
    assert object_of_box(box, result, min_iou) == expected
    assert object_of_box(box, frame_with(), min_iou) == NEW_OBJECT


def test_a_box_around_all_pieces_of_an_object_is_on_it_too():
    result = frame_with(o3=(10, 20, 16, 40))
    split = replace(result.objects[0], extent=(10, 20, 40, 40))
    result = replace(result, objects=(split,))
    assert object_of_box((9.5, 19.5, 39.5, 39.5), result, 0.9) == 3
    assert object_of_box((9.5, 19.5, 15.5, 39.5), result, 0.9) == 3
    assert object_of_box((29.5, 19.5, 39.5, 39.5), result, 0.9) == NEW_OBJECT


corners = st.tuples(*[st.floats(-1e6, 1e6)] * 4)


@given(corners, corners)
@example((0.0, 0.0, 1e-200, 1e-200), (0.0, 0.0, 1e-200, 1e-200))
def test_the_overlap_of_any_two_boxes_is_symmetric_and_within_its_range(a, b):
    iou = box_iou(a, b)
    assert iou == pytest.approx(box_iou(b, a))
    assert -1e-9 <= iou <= 1 + 1e-9


def detection_array(*boxes, header=None, theta=0.0):
    """Of (centre x, centre y, width, height, label, score)."""
    messages = pytest.importorskip("vision_msgs.msg")
    array = messages.Detection2DArray(header=header or Header())
    for x, y, width, height, label, score in boxes:
        each = messages.Detection2D()
        each.bbox.center.position.x, each.bbox.center.position.y = float(x), float(y)
        each.bbox.center.theta = theta
        each.bbox.size_x, each.bbox.size_y = float(width), float(height)
        for class_id, value in ((label, score), ("unlikely", score / 2)):
            hypothesis = messages.ObjectHypothesisWithPose()
            hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = class_id, value
            each.results.insert(0, hypothesis)
        array.detections.append(each)
    return array


def test_a_message_is_read_by_its_likeliest_hypothesis_and_cut_to_the_frame():
    message = detection_array((20, 30, 10, 4, "cup", 0.8), (60, 2, 20, 10, "dog", 0.5))
    message.detections[1].results.clear()
    cup, unknown = detections_from_message(message, (48, 64))
    assert cup == Detection((15.0, 28.0, 25.0, 32.0), "cup", 0.8)
    assert unknown == Detection((50.0, -0.5, 63.5, 7.0), "", 0.0)


def test_a_turned_box_becomes_the_upright_one_around_it():
    message = detection_array((20, 30, 10, 4, "cup", 0.8), theta=np.pi / 2)
    (turned,) = detections_from_message(message, (48, 64))
    assert turned.box == pytest.approx((18.0, 25.0, 22.0, 35.0))


@given(st.tuples(*[st.floats()] * 4), st.floats(), st.floats())
def test_whatever_a_box_holds_it_is_read_and_then_taken_or_refused(numbers, theta, score):
    message = detection_array((*numbers, "cup", score), theta=theta)
    (found,) = detections_from_message(message, (48, 64))
    assert object_of_box(found.box, frame_with(o3=(10, 20, 30, 40)), 0.3) in (3, NEW_OBJECT)
    with suppress(PromptError):
        box = Prompt(box=found.box).box
        assert -0.5 <= box[0] < box[2] <= 63.5
        assert -0.5 <= box[1] < box[3] <= 47.5


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    messages = pytest.importorskip("vision_msgs.msg")
    start_tracker(*ros.tiny)
    client = make_client()
    client.wait_for_camera()
    events = []
    client.node.create_subscription(
        TrackEvent, "/tracker/events", events.append, QoSProfile(depth=100)
    )
    client.wait_until(lambda: client.node.count_publishers("/tracker/events"))
    detections = client.node.create_publisher(messages.Detection2DArray, "/detections", 10)
    client.wait_until(detections.get_subscription_count, "subscription to detections")
    return client, events, detections


@pytest.mark.parametrize("on_overlap", ["ignore", "refine"])
def test_detections_start_objects_and_what_is_followed_is_ignored_or_refined(
    running, ros, on_overlap
):
    tracker, events, detections = running
    tracker.reset()
    assert tracker.set_parameter("detections.on_overlap", on_overlap).successful
    # The masks of random weights are specks, of which one after the other is the main one.
    assert tracker.set_parameter("tracker.measured", "whole_mask").successful
    # Refusals are in order with what was applied, so that one says that all before it is done.
    last = detection_array(header=Header(stamp=Time(sec=3), frame_id=on_overlap))
    image = ros.image(tracker.next_header())
    tracker.track(image)
    followed = tracker.add_prompt(box=(20, 10, 60, 40), label="mine").object
    tracker.wait_until(lambda: events and events[-1].label == "mine")
    events.clear()
    box = followed.box
    on_it = (box.x_offset + box.width / 2 - 0.5, box.y_offset + box.height / 2 - 0.5)
    detections.publish(
        detection_array(
            (*on_it, box.width, box.height, "cup", 0.9),
            (*on_it, box.width, box.height, "cup", 0.8),
            (4, 4, 6, 6, "dog", 0.7),
            (120, 90, 6, 6, "dog", 0.3),
            header=image.header,
        )
    )
    detections.publish(last)
    tracker.status("tracking", lambda _, v: f"'{on_overlap}'" in v["last_refusal"])
    told = [
        (event.kind, event.object_id, event.label, event.reason)
        for event in events
        if event.kind in (TrackEvent.ADDED, TrackEvent.REFINED)
    ]
    added = (TrackEvent.ADDED, 2, "dog", "box (1, 1, 7, 7) from detections")
    if on_overlap == "ignore":
        assert told == [added]
    else:
        assert [each[:3] for each in told] == [(TrackEvent.REFINED, 1, "mine"), added[:3]]

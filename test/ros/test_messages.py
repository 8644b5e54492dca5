"""Records to messages and back, whatever a message holds."""

import math
from array import array

import numpy as np
import pytest
import torch
from builtin_interfaces.msg import Time
from etam_ros.msg import Prompt as PromptMessage
from geometry_msgs.msg import Point32
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.errors import PromptError
from etam_ros.records import FrameResult, ObjectState, Prompt
from etam_ros.ros.messages import (
    LastSeen,
    ObjectPosition,
    check_prompt_frame,
    objects_message,
    prompt_from_message,
    stamp_ns,
    tracked_object,
)

HEADER = Header(stamp=Time(sec=12, nanosec=34), frame_id="camera")


def state(**changes):
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    values = {
        "object_id": 65535, "label": "cup", "occluded": False, "visibility": 0.75,
        "iou_score": 0.5, "area": 6, "box": (10, 20, 16, 24), "centroid": (13.0, 21.5),
        "mask": mask, "extent": (10, 20, 16, 24), "measured": mask,
        "time_since_seen_ns": 0, "object_score_logit": 1.0,
        "mask_logits": torch.zeros(4, 4), "pointer": torch.zeros(2),
    }  # fmt: skip
    return ObjectState(**{**values, **changes})


def test_a_visible_object():
    message = tracked_object(state(), HEADER, LastSeen((10, 20, 16, 24), (13.0, 21.5)))
    assert (message.id, message.label, message.occluded, message.area) == (65535, "cup", False, 6)
    assert (message.visibility, message.iou_score) == (0.75, 0.5)
    box = message.box
    assert (box.x_offset, box.y_offset, box.width, box.height) == (10, 20, 6, 4)
    assert (message.centroid.x, message.centroid.y, message.centroid.z) == (13.0, 21.5, 0.0)
    mask = message.mask
    assert (mask.header, mask.encoding, mask.height, mask.width) == (HEADER, "mono8", 4, 6)
    pixels = np.frombuffer(mask.data, np.uint8).reshape(4, mask.step)
    assert set(np.unique(pixels)) == {0, 255}
    np.testing.assert_array_equal(pixels > 0, state().mask)
    assert math.isnan(message.position.point.x)
    assert message.position.header == HEADER


def test_the_mask_is_what_lies_inside_the_box_of_the_main_piece():
    whole = np.zeros((4, 9), bool)
    whole[1:3, 2:5] = whole[0, 8] = whole[0, 4] = True  # a stray piece beyond the box, one in it
    main = np.zeros((3, 3), bool)
    main[1:] = True
    stray = state(
        mask=whole, extent=(8, 20, 17, 24), box=(10, 20, 13, 23), measured=main, area=8,
        pieces=3, main_piece_share=0.75,
    )  # fmt: skip
    message = tracked_object(stray, HEADER, LastSeen())
    assert (message.area, message.pieces, message.main_piece_share) == (8, 3, 0.75)
    box, mask = message.box, message.mask
    assert (box.x_offset, box.y_offset, box.width, box.height) == (10, 20, 3, 3)
    assert (mask.width, mask.height) == (3, 3)
    pixels = np.frombuffer(mask.data, np.uint8).reshape(3, mask.step) > 0
    np.testing.assert_array_equal(pixels, [[0, 0, 1], [1, 1, 1], [1, 1, 1]])


def test_an_occluded_object_is_nowhere():
    hidden = state(
        occluded=True, area=0, box=(0, 0, 0, 0), centroid=(math.nan, math.nan),
        mask=np.zeros((0, 0), bool), extent=(0, 0, 0, 0), measured=np.zeros((0, 0), bool),
        pieces=0, main_piece_share=0.0, time_since_seen_ns=2_500_000_000,
    )  # fmt: skip
    message = tracked_object(hidden, HEADER, LastSeen((1, 2, 4, 6), (2.0, 3.5)))
    assert message.occluded
    assert (message.pieces, message.main_piece_share) == (0, 0.0)
    assert (message.box.width, len(message.mask.data)) == (0, 0)
    assert math.isnan(message.centroid.x)
    assert (message.time_since_seen.sec, message.time_since_seen.nanosec) == (2, 500_000_000)
    last = message.last_box
    assert (last.x_offset, last.y_offset, last.width, last.height) == (1, 2, 3, 4)
    last = message.last_centroid
    assert (last.x, last.y, last.z) == (2.0, 3.5, 0.0)


def test_a_time_that_no_message_holds_is_the_longest_that_one_does():
    """Stamps are of any kind: the first may be of 1902, and the next of 2038."""
    message = tracked_object(state(time_since_seen_ns=2**32 * 10**9), HEADER, LastSeen())
    duration = message.time_since_seen
    assert (duration.sec, duration.nanosec) == (2**31 - 1, 999_999_999)


def test_an_object_that_was_never_seen_was_nowhere():
    message = tracked_object(state(occluded=True), HEADER, LastSeen())
    assert (message.last_box.width, message.last_box.height) == (0, 0)
    assert math.isnan(message.last_centroid.x)


def test_objects_of_a_frame_keep_their_order_and_its_header():
    states = (state(object_id=9), state(object_id=2))
    result = FrameResult(7, 12, "camera", (48, 64), states, np.zeros((48, 64), np.uint16))
    last_seen = {9: LastSeen(centroid=(9.0, 9.0)), 2: LastSeen(centroid=(2.0, 2.0))}
    positions = {2: ObjectPosition((0.6, 0.0, 0.8), (1.5, 0.0, 2.0), 0.01)}
    message = objects_message(
        result, HEADER, last_seen=last_seen, positions=positions, dropped_frames=3
    )
    unknown, known = message.objects
    assert math.isnan(unknown.bearing.z)
    assert math.isnan(unknown.position.point.x)
    assert math.isnan(unknown.position_spread)
    assert (known.bearing.x, known.bearing.z, known.position.point.z) == (0.6, 0.8, 2.0)
    assert (known.position.header, known.position_spread) == (HEADER, pytest.approx(0.01))
    assert message.header == HEADER
    assert [o.id for o in message.objects] == [9, 2]
    assert [o.last_centroid.x for o in message.objects] == [9.0, 2.0]
    assert (message.frame_number, message.dropped_frames) == (7, 3)


def test_clicks_a_box_and_the_stamp_come_through():
    message = PromptMessage(header=HEADER, object_id=4, label="cup", keep_previous=True)
    message.points = [Point32(x=1.5, y=2.0, z=9.0), Point32(x=3.0, y=4.0)]
    message.point_labels = [1, 0]
    message.box = [0.0, 1.0, 5.0, 6.0]
    prompt = prompt_from_message(message)
    assert (prompt.object_id, prompt.label, prompt.keep_previous) == (4, "cup", True)
    assert list(prompt.points) == [(1.5, 2.0), (3.0, 4.0)]
    assert list(prompt.point_labels) == [1, 0]
    assert prompt.box == (0.0, 1.0, 5.0, 6.0)
    assert prompt.mask is None
    assert prompt.stamp_ns == 12_000_000_034 == stamp_ns(HEADER.stamp)


@pytest.mark.parametrize("padding", [0, 5])
def test_any_non_zero_pixel_of_a_mask_is_the_object(padding):
    rows = np.full((3, 4 + padding), 255, np.uint8)
    rows[:, :4] = [[0, 1, 2, 0], [0, 255, 0, 0], [0, 0, 0, 7]]
    mask = Image(height=3, width=4, step=4 + padding, encoding="mono8")
    mask.data = array("B", rows.tobytes())
    prompt = prompt_from_message(PromptMessage(mask=mask))
    np.testing.assert_array_equal(prompt.mask, rows[:, :4] > 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "rgb8"}, "'rgb8'"),
        ({"step": 2}, "step 2"),
        ({"height": 100}, "4x100"),
        ({"width": 0, "step": 0}, "0x3"),
    ],
)
def test_masks_that_cannot_be_are_refused(changes, words):
    mask = Image(height=3, width=4, step=4, encoding="mono8", data=array("B", bytes(12)))
    for name, value in changes.items():
        setattr(mask, name, value)
    with pytest.raises(PromptError, match=words):
        prompt_from_message(PromptMessage(mask=mask))


sizes = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1))
floats = st.floats(width=32)


@given(
    st.lists(st.tuples(floats, floats), max_size=4),
    st.lists(st.integers(0, 255), max_size=4),
    st.lists(floats, max_size=5),
    st.tuples(sizes, sizes, sizes, st.sampled_from(["mono8", "8UC1", "rgb8", ""])),
    st.binary(max_size=200),
    st.integers(0, 2**32 - 1),
)
def test_whatever_a_prompt_holds_it_is_read_or_refused(points, labels, box, mask, data, number):
    message = PromptMessage(object_id=number, point_labels=labels, box=box)
    message.points = [Point32(x=x, y=y) for x, y in points]
    height, width, step, encoding = mask
    message.mask = Image(height=height, width=width, step=step, encoding=encoding)
    message.mask.data = array("B", data)
    try:
        outcome = prompt_from_message(message)
    except PromptError as error:
        outcome = str(error)
    assert isinstance(outcome, Prompt) or (outcome and "\n" not in outcome)


@pytest.mark.parametrize(
    ("header", "newest", "words"),
    [
        (Header(), None, "no image"),
        (Header(frame_id="map"), HEADER, "'map'"),
    ],
)
def test_prompts_of_other_coordinate_frames_are_refused(header, newest, words):
    with pytest.raises(PromptError, match=words):
        check_prompt_frame(header, newest)


@pytest.mark.parametrize("header", [Header(), HEADER, Header(stamp=Time(sec=11))])
def test_prompts_of_the_images_coordinate_frame_are_taken(header):
    assert check_prompt_frame(header, HEADER) is HEADER

"""Depth messages of all kinds: read exactly, or refused in one line."""

import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.errors import ImageError
from etam_ros.ros.tracker.positions.depth_picture import DepthPicture

sys.path.insert(0, str(Path(__file__).parents[2]))
from depth_messages import depth_message

HW = (6, 8)
METRES = np.arange(48, dtype=np.float32).reshape(HW) / 8


def read_all(picture):
    return picture.read(np.arange(picture.hw[0]), np.arange(picture.hw[1]))


@pytest.mark.parametrize("encoding", ["32FC1", "16UC1", "mono16"])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_every_layout_is_read(encoding, big_endian, padding):
    message = depth_message(METRES, encoding, big_endian, padding)
    metres = read_all(DepthPicture(message, HW, "camera"))
    assert metres.dtype == np.float32
    np.testing.assert_allclose(metres, METRES, atol=1e-6)


def test_what_is_no_depth_stays_what_it_is():
    metres = np.array([[np.nan, np.inf, 0.0, -1.0]], np.float32)
    found = read_all(DepthPicture(depth_message(metres), (1, 4), "camera"))
    np.testing.assert_array_equal(found, metres)


def test_only_the_rows_and_columns_that_are_asked_for_are_read():
    picture = DepthPicture(depth_message(METRES), HW, "camera")
    found = picture.read(np.array([5, 0, 0]), np.array([7, 2]))
    np.testing.assert_array_equal(found, METRES[[5, 0, 0]][:, [7, 2]])


def test_a_last_row_without_padding_is_enough():
    message = depth_message(METRES, padding=8)
    message.data = message.data[:-8]
    np.testing.assert_array_equal(read_all(DepthPicture(message, HW, "")), METRES)


@pytest.mark.parametrize("image_hw", [(12, 16), (3, 4), (6, 8)])
@pytest.mark.parametrize("frame_id", ["camera", ""])
def test_another_size_of_the_same_ratio_and_frames_without_names_fit(image_hw, frame_id):
    DepthPicture(depth_message(METRES, frame_id=frame_id), image_hw, "camera")
    DepthPicture(depth_message(METRES), image_hw, frame_id)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "rgb8"}, "'rgb8'"),
        ({"encoding": "64FC1"}, "'64FC1'"),
        ({"step": 31}, "step 31"),
        ({"height": 7}, "192 bytes, expected 224"),
        ({"width": 0, "step": 0}, "0 x 6"),
        ({"height": 0}, "8 x 0"),
        ({"header": Header(frame_id="depth_optical")}, "'depth_optical', expected 'camera'"),
        ({"width": 6}, "6 x 6 pixels, the image has 8 x 6"),
    ],
)
def test_what_cannot_be_used_is_refused(changes, words):
    message = depth_message(METRES)
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(ImageError) as refusal:
        DepthPicture(message, HW, "camera")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


sizes = st.one_of(st.integers(0, 12), st.integers(0, 2**32 - 1))


@given(
    st.tuples(sizes, sizes, sizes, st.integers(0, 255)),
    st.sampled_from(["16UC1", "32FC1", "mono16", "", "rgb8"]),
    arrays(np.uint8, st.integers(0, 300)),
)
def test_whatever_a_message_holds_it_is_read_or_refused(fields, encoding, data):
    height, width, step, big_endian = fields
    message = Image(
        height=height, width=width, step=step, is_bigendian=big_endian, encoding=encoding,
        data=array("B", data.tobytes()),
    )  # fmt: skip
    outcome = ""
    try:
        picture = DepthPicture(message, (height or 1, width or 1), "")
        found = picture.read(np.array([0, height - 1]), np.array([width - 1]))
    except ImageError as error:
        outcome = str(error)
    assert (outcome and "\n" not in outcome) or found.shape == (2, 1)

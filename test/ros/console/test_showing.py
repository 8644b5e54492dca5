"""From messages to what the page shows."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.errors import ImageError
from etam_ros.ros.console.pairing import FrameMessages
from etam_ros.ros.console.showing import Look, packet_of, shown_frame
from etam_ros.ros.image_conversion import compressed_message, image_message

LOOK = Look(width=64, quality=90)


def picture(hw):
    noise = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    return cv2.resize(noise, hw[::-1], interpolation=cv2.INTER_CUBIC)


def labels(hw):
    made = np.zeros(hw, np.uint16)
    made[2:8, 4:12] = 700
    return made


def test_a_raw_picture_becomes_a_jpeg_no_wider_than_asked_for():
    hw = (60, 128)
    image = image_message(picture(hw), "rgb8", Header())
    label_image = image_message(labels(hw), "16UC1", Header())
    frame = shown_frame(FrameMessages(5, image, None, label_image), LOOK)
    assert (frame.hw, frame.stamp_ns) == (hw, 5)
    assert (frame.labels.label_image() == labels(hw)).all()
    shown = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (30, 64, 3)
    packet = packet_of(frame, LOOK, 3, {"latency": 1.0})
    assert b'"size":[128,60]' in packet.data
    assert b'"labels":[64,30]' in packet.data


def test_a_jpeg_of_the_camera_is_passed_on_as_it_is():
    message = compressed_message(picture((30, 60)), Header(), jpeg_quality=90)
    frame = shown_frame(FrameMessages(5, message), LOOK)
    assert frame.jpeg == bytes(message.data)
    assert frame.hw == (30, 60)
    wide = compressed_message(picture((30, 90)), Header(), jpeg_quality=90)
    assert shown_frame(FrameMessages(5, wide), LOOK).jpeg != bytes(wide.data)


def test_labels_of_another_size_are_left_out_and_broken_ones_are_one_line():
    image = image_message(picture((30, 60)), "rgb8", Header())
    other = image_message(labels((20, 60)), "16UC1", Header())
    assert shown_frame(FrameMessages(5, image, None, other), LOOK).labels is None
    broken = Image(height=30, width=60, step=120, encoding="16UC1", data=[0] * 10)
    with pytest.raises(ImageError, match="16UC1 of step x height bytes"):
        shown_frame(FrameMessages(5, image, None, broken), LOOK)

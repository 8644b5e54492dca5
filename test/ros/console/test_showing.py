"""From messages to what the page shows."""

import sys

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from etam_ros.msg import TrackedObject, TrackedObjectArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.console.pictures import jpeg_of
from etam_ros.errors import ImageError, SourceError
from etam_ros.media.bags.definitions import TRACKED_OBJECT_ARRAY
from etam_ros.ros.console.packed import COMPRESSED_IMAGE, IMAGE, Packed
from etam_ros.ros.console.pairing import FrameMessages
from etam_ros.ros.console.showing import Look, made_of, packet_of, shown_object
from etam_ros.ros.image_conversion import (
    compressed_message,
    image_from_message,
    image_message,
)

LOOK = Look(width=64, quality=90)


def picture(hw):
    noise = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    return cv2.resize(noise, hw[::-1], interpolation=cv2.INTER_CUBIC)


def labels(hw):
    made = np.zeros(hw, np.uint16)
    made[2:8, 4:12] = 700
    return made


KINDS = {
    Image: IMAGE, CompressedImage: COMPRESSED_IMAGE, TrackedObjectArray: TRACKED_OBJECT_ARRAY,
}  # fmt: skip


def packed(message):
    """As the middleware brings it."""
    return Packed.of(KINDS[type(message)], serialize_message(message))


def shown_frame(messages, look):
    parts = (messages.picture, messages.objects, messages.labels)
    arrived = [None if each is None else packed(each) for each in parts]
    return made_of(FrameMessages(messages.stamp_ns, *arrived), look).frame


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "rgb16", "bayer_rggb8", "yuyv"])
@pytest.mark.parametrize("big", [0, 1])
def test_a_packed_message_is_shown_as_rclpy_reads_it(encoding, big):
    rng = np.random.default_rng(1)
    width = {"rgb8": 3, "bgr8": 3, "rgb16": 6, "yuyv": 2}.get(encoding, 1)
    step = 48 * width + 4  # rows are padded
    data = rng.integers(0, 255, (30, step), np.uint8)
    image = Image(
        header=Header(stamp=Time(sec=3, nanosec=9), frame_id="caméra"), height=30, width=48,
        encoding=encoding, is_bigendian=big, step=step, data=data.tobytes(),
    )  # fmt: skip
    expected = jpeg_of(image_from_message(image, max_pixels=10**6), 64, 90)
    assert shown_frame(FrameMessages(5, image), LOOK).jpeg == expected
    assert packed(image).stamp_ns == 3_000_000_009


def test_packed_objects_and_labels_are_shown_as_rclpy_reads_them():
    header = Header(stamp=Time(sec=3, nanosec=9), frame_id="camera")
    item = TrackedObject(id=700, label="cup", visibility=0.5, iou_score=0.25, occluded=False)
    item.box.x_offset, item.box.width, item.centroid.x = 4, 8, 7.5
    item.mask = image_message(np.ones((3, 8), np.uint8), "mono8", header)
    item.time_since_seen.sec, item.position.point.z = 2, 1.25
    objects = TrackedObjectArray(header=header, objects=[item, TrackedObject(id=2)])
    objects.objects += [TrackedObject(id=0), TrackedObject(id=2**32 - 1)]  # which no tracker has
    objects.latency_ms = 12.5
    native = image_message(labels((30, 60)), "16UC1", header)
    swapped = image_message(labels((30, 60)).byteswap(), "16UC1", header)
    swapped.is_bigendian = int(sys.byteorder != "big")
    image = image_message(picture((30, 60)), "rgb8", header)
    for label_image in (native, swapped):
        made = made_of(FrameMessages(5, *map(packed, (image, objects, label_image))), LOOK)
        assert made.latency_ms == 12.5
        assert made.frame.objects == tuple(map(shown_object, objects.objects[:2]))
        assert (made.frame.labels.label_image() == labels((30, 60))).all()


@pytest.mark.parametrize(("boxes", "pieces", "needed"), [
    ([(4, 2, 8, 6), (20, 2, 5, 5)], 1, False), ([(4, 2, 8, 6)], 2, True),
    ([(4, 2, 8, 6), (11, 7, 5, 5)], 1, True), ([], 0, False),
])  # fmt: skip
def test_masks_of_objects_are_enough_while_nothing_lies_before_another(boxes, pieces, needed):
    header, expected = Header(), np.zeros((30, 60), np.uint16)
    objects = TrackedObjectArray(header=header)
    for object_id, (x, y, width, height) in enumerate(boxes, 1):
        item = TrackedObject(id=object_id, pieces=pieces)
        item.box.x_offset, item.box.y_offset, item.box.width, item.box.height = x, y, width, height
        item.mask = image_message(np.full((height, width), 255, np.uint8), "mono8", header)
        objects.objects.append(item)
        expected[y : y + height, x : x + width] = object_id
    image = packed(image_message(picture((30, 60)), "rgb8", header))
    made = made_of(FrameMessages(5, image, packed(objects)), LOOK)
    assert made.in_pieces == needed
    assert (made.frame.labels.label_image() == expected).all()


@pytest.mark.parametrize("kept", [0, 1, 11, 12, 60, -1])
def test_what_is_no_message_is_one_line(kept):
    data = serialize_message(image_message(picture((30, 60)), "rgb8", Header()))[:kept]
    with pytest.raises(SourceError, match=f"a message of {len(data)} bytes is not a sensor_msgs"):
        Packed.of(IMAGE, data).read()


def test_a_raw_picture_becomes_a_jpeg_no_wider_than_asked_for():
    hw = (60, 128)
    image = image_message(picture(hw), "rgb8", Header())
    label_image = image_message(labels(hw), "16UC1", Header())
    frame = shown_frame(FrameMessages(5, image, TrackedObjectArray(), label_image), LOOK)
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
    assert shown_frame(FrameMessages(5, image, TrackedObjectArray(), other), LOOK).labels is None
    broken = Image(height=30, width=60, step=120, encoding="16UC1", data=[0] * 10)
    with pytest.raises(ImageError, match="16UC1 of step x height bytes"):
        shown_frame(FrameMessages(5, image, TrackedObjectArray(), broken), LOOK)

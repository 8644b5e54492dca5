"""The recorder puts messages together by stamp, in whatever order they come."""

from dataclasses import replace

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.context import Context  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from etam_ros.records import FrameResult, ObjectState  # noqa: E402
from etam_ros.ros.harness.isolation import isolated_domain  # noqa: E402
from etam_ros.ros.harness.recorder import Recorder, result_from_messages  # noqa: E402
from etam_ros.ros.image_conversion import image_message  # noqa: E402
from etam_ros.ros.messages import LastSeen, objects_message  # noqa: E402

HW = (40, 60)


def header(number):
    return Header(stamp=Time(sec=number), frame_id="camera")


def image(number):
    return np.full((*HW, 3), number, np.uint8)


def result(number):
    labels = np.zeros(HW, np.uint16)
    labels[5:15, 10 : 20 + number] = 3
    mask = np.ones((10, 10 + number), bool)
    mask[0, 0] = False
    labels[5, 10] = 0
    seen = ObjectState(
        3, "cup", False, 0.9, 0.8, int(mask.sum()), (10, 5, 20 + number, 15), (14.5, 9.5), mask,
        (10, 5, 20 + number, 15), mask, 0, 2.0, None, None,
    )  # fmt: skip
    nothing = (float("nan"), float("nan"))
    hidden = ObjectState(
        7, "", True, 0.1, 0.2, 0, (0, 0, 0, 0), nothing, np.zeros((0, 0), bool), (0, 0, 0, 0),
        np.zeros((0, 0), bool), 10**9, -2.0, None, None,
    )  # fmt: skip
    return FrameResult(number, number * 10**9, "camera", HW, (seen, hidden), labels)


def objects(number):
    last_seen = {each.object_id: LastSeen() for each in result(number).objects}
    return objects_message(
        result(number), header(number), last_seen=last_seen, positions={}, dropped_frames=0
    )


@pytest.fixture
def heard(monkeypatch):
    """A recorder that nobody talks to, and what it hands out."""
    with isolated_domain() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        context = Context()
        rclpy.init(context=context, args=[])
        sightings = []
        recorder = Recorder(context, "/tracker", sightings.append)
        yield recorder, sightings
        recorder.destroy_node()
        rclpy.try_shutdown(context=context)


def send(recorder, number, *parts):
    for part in parts:
        if part == "image":
            recorder._on_image(image_message(image(number), "rgb8", header(number)))
        elif part == "objects":
            recorder._on_objects(objects(number))
        else:
            labels = image_message(result(number).label_image, "16UC1", header(number))
            recorder._on_label_image(labels)


def test_a_result_comes_back_from_its_messages_as_it_was():
    before, message = result(4), objects(4)
    for labels in (before.label_image, None):
        after = result_from_messages(message, labels, HW)
        assert after.stamp_ns == 4 * 10**9
        assert np.array_equal(after.label_image, before.label_image)
        seen, hidden = after.objects
        assert (seen.object_id, seen.label, seen.occluded) == (3, "cup", False)
        assert seen.box == before.objects[0].box
        assert np.array_equal(seen.mask, before.objects[0].mask)
        assert hidden.occluded
        assert hidden.mask.size == 0
        assert hidden.time_since_seen_ns == 10**9


@pytest.mark.parametrize(
    "order", [("image", "objects", "labels"), ("labels", "objects", "image"),
              ("objects", "labels", "image")]
)  # fmt: skip
def test_the_order_of_topics_does_not_matter(heard, order):
    recorder, sightings = heard
    send(recorder, 1, *order)
    send(recorder, 2, *order)
    assert [sighting.index for sighting in sightings] == [0, 1]
    assert [int(sighting.image[0, 0, 0]) for sighting in sightings] == [1, 2]
    assert recorder.complete


def test_images_without_a_result_are_counted_and_forgotten(heard):
    recorder, sightings = heard
    for number in range(1, 9):
        send(recorder, number, "image")
    assert not recorder.complete
    send(recorder, 5, "labels", "objects")
    assert [sighting.index for sighting in sightings] == [4]
    assert recorder.images == 8
    assert len(recorder._waiting) == 3


def test_a_lost_label_image_is_painted_from_the_objects(heard):
    recorder, sightings = heard
    send(recorder, 1, "image", "objects")
    assert sightings == []  # it may still come
    send(recorder, 2, "image", "labels", "objects")
    assert [sighting.index for sighting in sightings] == [0, 1]
    assert np.array_equal(sightings[0].result.label_image, result(1).label_image)


def test_a_stray_piece_that_no_message_holds_comes_from_the_label_image():
    labels = np.zeros(HW, np.uint16)
    labels[5:15, 10:20] = labels[30:32, 40:44] = 3
    (seen, _), box = result(0).objects, (10, 5, 20, 15)
    whole = labels[5:32, 10:44] == 3
    split = replace(
        seen, box=box, mask=whole, extent=(10, 5, 44, 32), measured=whole[:10, :10], pieces=2,
        area=108, main_piece_share=100 / 108,
    )  # fmt: skip
    shown = FrameResult(1, 10**9, "camera", HW, (split,), labels)
    message = objects_message(
        shown, header(1), last_seen={3: LastSeen()}, positions={}, dropped_frames=0
    )
    (rebuilt,) = result_from_messages(message, labels, HW).objects
    assert (rebuilt.box, rebuilt.extent, rebuilt.pieces) == (box, (10, 5, 44, 32), 2)
    np.testing.assert_array_equal(rebuilt.mask, whole)
    (alone,) = result_from_messages(message, None, HW).objects
    assert alone.extent == box

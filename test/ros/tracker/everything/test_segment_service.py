"""`~/segment` as its users meet it: the model that ships, in a process, while frames stream."""

from __future__ import annotations

import time
from array import array

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from etam_ros.srv import Segment
from sensor_msgs.msg import Image
from std_msgs.msg import Header

NANO = (
    "-p", "everything.points_per_side:=4", "-p", "diagnostics.period_s:=0.1",
    "-p", "prompt_timeout_s:=30.0",
)  # fmt: skip
PACE_S = 0.3
"""Between frames where it does not matter how many come: they take half of the node's time."""
AT_ONCE_S = 0.0
THINGS = ((15, 12, 55, 42), (70, 20, 105, 80), (12, 58, 52, 80))
COLOURS = ((220, 40, 40), (40, 60, 220), (240, 220, 60))


@pytest.fixture(scope="module")
def process(start_tracker):
    return start_tracker(*NANO)


@pytest.fixture(scope="module")
def running(process, make_client):
    client = make_client()
    client.wait_for_camera()
    return client


@pytest.fixture
def tracker(running):
    running.reset()
    return running


def drawn(header, shift=0):
    """Three things of one colour each, (90, 120)."""
    pixels = np.random.RandomState(0).randint(90, 110, (90, 120, 3)).astype(np.uint8)
    for (x0, y0, x1, y1), colour in zip(THINGS, COLOURS, strict=True):
        pixels[y0:y1, x0 + shift : x1 + shift] = colour
    return Image(
        header=header, height=90, width=120, encoding="rgb8", step=360,
        data=array("B", pixels.tobytes()),
    )  # fmt: skip


def streamed_until(client, future, every_s=PACE_S):
    """The answer that comes while frames stream."""
    due = time.monotonic()

    def streaming():
        nonlocal due
        if time.monotonic() >= due:
            client.send(drawn(client.next_header()))
            due = time.monotonic() + every_s
        return future.done()

    client.wait_until(streaming, "answer of segment")
    return future.result()


def segmented(client, every_s=PACE_S, **fields):
    """The answer to ~/segment, with frames before, meanwhile, and how many results came then."""
    service = client.node.create_client(Segment, f"{client.tracker}/segment")
    client.wait_until(service.service_is_ready, "service segment")
    asked_on = client.track(drawn(client.next_header())).header
    before = len(client.objects)
    answer = streamed_until(client, service.call_async(Segment.Request(**fields)), every_s)
    client.node.destroy_client(service)
    return answer, asked_on, len(client.objects) - before


def mask_of(found):
    box, mask = found.box, np.zeros((90, 120), bool)
    pixels = np.frombuffer(found.mask.data, np.uint8).reshape(box.height, box.width)
    mask[box.y_offset :, box.x_offset :][: box.height, : box.width] = pixels > 0
    return mask


def overlaps(objects, thing, shift=0):
    x0, y0, x1, y1 = thing
    truth = np.zeros((90, 120), bool)
    truth[y0:y1, x0 + shift : x1 + shift] = True
    masks = [mask_of(each) for each in objects]
    return [(mask & truth).sum() / (mask | truth).sum() for mask in masks]


def test_everything_in_the_newest_frame_is_found_while_frames_go_on(tracker):
    answer, asked_on, results = segmented(tracker, AT_ONCE_S)
    assert answer.success, answer.message
    assert answer.message == f"found {len(answer.objects)} objects"
    assert answer.frame.stamp.sec >= asked_on.stamp.sec
    assert results > 1
    assert {each.id for each in answer.objects} == {0}
    areas = [each.area for each in answer.objects]
    assert areas == sorted(areas, reverse=True)
    for thing in THINGS:
        assert max(overlaps(answer.objects, thing)) > 0.85
    assert tracker.track(drawn(tracker.next_header())).objects == []


def test_what_is_found_is_followed_on_request_and_once(tracker):
    answer, _, _ = segmented(tracker, track=True, max_objects=20)
    assert answer.success, answer.message
    ids = [each.id for each in answer.objects if each.id]
    assert ids == list(range(1, len(ids) + 1))
    assert f"{len(ids)} newly tracked" in answer.message

    def arrived():
        found = tracker.track(drawn(tracker.next_header(), shift=2)).objects
        return found if [each.id for each in found] == ids else None

    followed = tracker.wait_until(arrived, "all of them to catch up")
    for thing in THINGS:
        assert max(overlaps(followed, thing, shift=2)) > 0.6
    again, _, _ = segmented(tracker, track=True, max_objects=20)
    assert "already tracked" in again.message
    known = {each.id for each in again.objects if 0 < each.id <= len(ids)}
    assert len(known) >= len(THINGS)


def begun(client, **fields):
    """A request whose search has begun: frames stream, and the answer is to come."""
    service = client.node.create_client(Segment, f"{client.tracker}/segment")
    client.wait_until(service.service_is_ready, "service segment")
    client.track(drawn(client.next_header()))
    future = service.call_async(Segment.Request(**{"points_per_side": 6, **fields}))
    for _ in range(3):
        client.track(drawn(client.next_header()))
    return future


def test_what_still_catches_up_is_not_followed_twice(tracker):
    first, _, _ = segmented(tracker, AT_ONCE_S, track=True)
    again, _, _ = segmented(tracker, AT_ONCE_S, track=True)
    same = {each.id for each in first.objects} & {each.id for each in again.objects}
    assert len(same) >= len(THINGS)  # a part of one of them may be seen otherwise by then


def test_what_was_clicked_on_meanwhile_is_not_followed_twice(tracker):
    future = begun(tracker, track=True)
    clicked = tracker.add_prompt(points=[(87, 50)], labels=[1])
    assert clicked.success
    answer = streamed_until(tracker, future)
    assert "1 already tracked" in answer.message
    (same,) = [each for each in answer.objects if each.id == clicked.object.id]
    assert overlaps([same], THINGS[1])[0] > 0.6


def test_nothing_is_followed_that_was_found_before_a_reset(tracker):
    assert tracker.add_prompt(points=[(87, 50)], labels=[1]).object.id == 1
    future = begun(tracker, track=True)
    tracker.reset()
    assert tracker.add_prompt(points=[(30, 30)], labels=[1]).object.id == 1
    refused = streamed_until(tracker, future)
    assert not refused.success
    assert "~/reset was called" in refused.message
    assert [each.id for each in tracker.track(drawn(tracker.next_header())).objects] == [1]


def test_no_more_are_followed_than_may_be(tracker):
    assert tracker.set_parameter("tracker.max_objects", 2).successful
    try:
        answer, _, _ = segmented(tracker, track=True, max_objects=3)
        assert answer.success, answer.message
        assert [each.id for each in answer.objects] == [1, 2, 0]
        assert "1 not tracked because of tracker.max_objects" in answer.message
        answer, _, _ = segmented(tracker)
        assert len(answer.objects) == 2
    finally:
        assert tracker.set_parameter("tracker.max_objects", 16).successful


def test_an_image_of_ones_own_is_looked_at(tracker):
    header = Header(stamp=Time(sec=7), frame_id="another_camera")
    image = drawn(header, shift=10)
    answer, _, _ = segmented(tracker, image=image, points_per_side=5)
    assert answer.success, answer.message
    assert answer.frame == header
    assert max(overlaps(answer.objects, THINGS[1], shift=10)) > 0.85
    refused, _, _ = segmented(tracker, image=image, track=True)
    assert not refused.success
    assert "another_camera" in refused.message
    image.header = Header(stamp=Time(sec=7), frame_id="camera")
    refused, _, _ = segmented(tracker, image=image, track=True)
    assert not refused.success
    assert "7.000000 s" in refused.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"points_per_side": 65}, "points_per_side is 65, expected 1..64"),
        ({"min_iou_score": 1.5}, "min_iou_score is 1.5, expected 0..1"),
        (
            {"image": Image(height=4, width=9, encoding="rgb8", data=[1])},
            "step 0, expected at least 27",
        ),
    ],
)
def test_a_wrong_request_is_refused_in_words(tracker, fields, words):
    refused, _, _ = segmented(tracker, **fields)
    assert not refused.success
    assert words in refused.message
    assert refused.objects == []


def test_images_without_stamps_are_not_followed_later(tracker):
    tracker.track(drawn(Header(frame_id="camera")))
    request = Segment.Request(track=True)
    refused = tracker.call(Segment, "segment", request)
    assert not refused.success
    assert "the image has no stamp" in refused.message
    assert tracker.call(Segment, "segment", Segment.Request(points_per_side=2)).success


def test_what_takes_too_long_is_given_up(tracker):
    assert tracker.set_parameter("everything.timeout_s", 0.1).successful
    try:
        refused, _, _ = segmented(tracker, points_per_side=64)
        assert not refused.success
        assert "no answer within everything.timeout_s = 0.1 s" in refused.message
    finally:
        assert tracker.set_parameter("everything.timeout_s", 120.0).successful
    assert segmented(tracker, points_per_side=2)[0].success


def test_an_inactive_node_refuses_and_deactivation_gives_up(tracker):
    tracker.track(drawn(tracker.next_header()))
    service = tracker.node.create_client(Segment, f"{tracker.tracker}/segment")
    tracker.wait_until(service.service_is_ready, "service segment")
    future = service.call_async(Segment.Request(points_per_side=64))
    tracker.wait_until(lambda: tracker.add_prompt(points=[(30, 30)], labels=[1]).success)
    assert tracker.change_state("deactivate")
    tracker.wait_until(future.done, "the answer of a request that is given up")
    assert "the tracker was deactivated during the request" in future.result().message
    refused = tracker.call(Segment, "segment", Segment.Request())
    assert (refused.success, refused.message) == (
        False, "the tracker is inactive: wait if it is still starting, otherwise activate it",
    )  # fmt: skip
    assert tracker.change_state("activate")


def test_a_node_that_ends_during_a_search_ends_at_once(tracker, process):
    begun(tracker, points_per_side=64)
    began = time.monotonic()
    assert process.end() == 0
    assert time.monotonic() - began < 10.0, "it takes a minute to finish"
    assert "Traceback" not in process.log
    assert "never retrieved" not in process.log

"""What the node says of what becomes of objects: on ~/events, in its log, and where they were."""

from array import array

import numpy as np
import pytest
from etam_ros.msg import Prompt, TrackEvent
from etam_ros.srv import AddPrompt
from geometry_msgs.msg import Point, PointStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

MANY = QoSProfile(depth=100)
BY_PROMPTS = (TrackEvent.ADDED, TrackEvent.REFINED)
HIDES_EVERYTHING = 32.0  # as mask threshold: no pixel is above it


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    process = start_tracker(*ros.tiny)
    client = make_client()
    client.wait_for_camera()
    events = []
    client.node.create_subscription(TrackEvent, "/tracker/events", events.append, MANY)
    client.wait_until(lambda: client.node.count_publishers("/tracker/events"))
    return process, client, events


@pytest.fixture
def tracker(running, ros):
    """The client of a tracker that knows no object, all events of tests before being heard."""
    _, client, events = running
    client.reset()
    client.track(ros.image(client.next_header()))
    assert client.add_prompt(points=[(5, 5)], labels=[1], label="last").success
    client.reset()
    client.wait_until(lambda: ("last", TrackEvent.REMOVED) in {(e.label, e.kind) for e in events})
    events.clear()
    return client


@pytest.fixture
def wait_for_events(running):
    """Wait for so many events, of all kinds or of these alone; all that were heard are taken."""
    _, client, events = running

    def wait(number, kinds=()):
        heard = lambda: [event for event in events if not kinds or event.kind in kinds]  # noqa: E731
        client.wait_until(lambda: len(heard()) >= number, f"{number} events")
        taken = heard()
        events.clear()
        return taken

    return wait


@pytest.fixture
def log(running):
    process, _, _ = running
    return lambda: process.log


def mask_of(rows, columns):
    pixels = np.zeros((96, 128), np.uint8)
    pixels[rows, columns] = 255
    data = array("B", pixels.tobytes())
    return Image(height=96, width=128, encoding="mono8", step=128, data=data)


def test_events_have_the_header_of_their_frame_and_stand_in_the_log(
    tracker, ros, wait_for_events, log
):
    first = ros.image(tracker.next_header())
    tracker.track(first)
    mask = mask_of(slice(8, 40), slice(16, 56))
    assert tracker.add_prompt(mask=mask, label="cup").object.id == 1
    (event,) = wait_for_events(1)
    assert (event.kind, event.object_id, event.label) == (TrackEvent.ADDED, 1, "cup")
    assert event.header == first.header
    assert event.reason == "mask from ~/add_prompt"

    second = ros.image(tracker.next_header())
    tracker.track(second)
    tracker.add_prompt(object_id=1, points=[(30, 20)], labels=[1], box=(10, 10, 60, 50.5))
    (event,) = wait_for_events(1)
    assert (event.kind, event.header) == (TrackEvent.REFINED, second.header)
    words = "box (10, 10, 60, 50.5) and click at (30, 20) from ~/add_prompt"
    assert event.reason == words

    assert tracker.remove(1).success
    (event,) = wait_for_events(1)
    assert (event.kind, event.header) == (TrackEvent.REMOVED, second.header)
    assert event.reason == "asked for by ~/remove_object"
    for line in (
        "object 1 (cup) added: mask from ~/add_prompt",
        f"object 1 (cup) refined: {words}",
        "object 1 (cup) removed: asked for by ~/remove_object",
    ):
        assert log().count(line) == 1


def test_an_object_that_hides_says_where_it_was_and_is_seen_again_or_forgotten(
    tracker, ros, wait_for_events
):
    track = lambda: tracker.track(ros.image(tracker.next_header()))  # noqa: E731
    track()
    assert tracker.add_prompt(points=[(30, 20)], labels=[1]).success
    (seen,) = track().objects
    assert seen.last_box == seen.box
    assert seen.last_centroid == seen.centroid
    try:
        assert tracker.set_parameter("tracker.mask_threshold", HIDES_EVERYTHING).successful
        hidden = track()
        assert hidden.objects[0].occluded
        assert hidden.objects[0].box.width == 0
        assert hidden.objects[0].last_box == seen.box
        assert hidden.objects[0].last_centroid == seen.centroid
        _, event = wait_for_events(2)
        assert (event.kind, event.header) == (TrackEvent.OCCLUDED, hidden.header)
        assert event.reason == "no pixel of it is left"

        assert tracker.set_parameter("tracker.mask_threshold", 0.0).successful
        back = track()
        (event,) = wait_for_events(1)
        assert (event.kind, event.header) == (TrackEvent.SEEN_AGAIN, back.header)
        assert "it was hidden for 1.0 s" in event.reason

        assert tracker.set_parameter("tracker.mask_threshold", HIDES_EVERYTHING).successful
        assert tracker.set_parameter("tracker.forget_after_s", 1.5).successful
        track()
        gone = track()
        assert gone.objects == []
        kinds = [(event.kind, event.header) for event in wait_for_events(2)]
        assert kinds[0][0] == TrackEvent.OCCLUDED
        assert kinds[1] == (TrackEvent.FORGOTTEN, gone.header)
    finally:
        tracker.set_parameter("tracker.mask_threshold", 0.0)
        tracker.set_parameter("tracker.forget_after_s", 0.0)


def test_prompts_of_every_source_at_the_same_moment_are_all_served_each_source_in_order(
    tracker, ros, wait_for_events
):
    tracker.track(ros.image(tracker.next_header()))
    assert tracker.add_prompt(mask=mask_of(slice(8, 40), slice(16, 56))).object.id == 1
    assert tracker.set_parameter("clicks.meaning", "new").successful
    prompt = tracker.publisher(Prompt, "prompt")
    click = tracker.publisher(PointStamped, "click")
    background = tracker.publisher(PointStamped, "click_background")
    mouse = {
        topic: tracker.node.create_publisher(Point, topic, 10)
        for topic in ("/mouse_left", "/tracker/overlay_mouse_left")
    }
    for publisher in mouse.values():
        tracker.wait_until(publisher.get_subscription_count, "subscription to clicks")
    wait_for_events(1)
    before = int(tracker.status("tracking", lambda *_: True)[1]["refused_prompts"])
    for x in (10, 20, 30):
        prompt.publish(ros.prompt(points=[(x, 50)], labels=[1]))
        click.publish(ros.click(x, 60))
        background.publish(ros.click(x, 70))
        for publisher in mouse.values():
            publisher.publish(Point(x=float(x), y=80.0))
    asked = tracker.add_prompt(points=[(10, 90)], labels=[1])
    assert asked.success, asked.message
    reasons = [event.reason for event in wait_for_events(16, BY_PROMPTS)]
    sources = {
        "~/prompt": ("click", 50),
        "~/click": ("click", 60),
        "~/click_background": ("background click", 70),
        "mouse_left": ("click", 80),
        "/tracker/overlay_mouse_left": ("click", 80),
    }
    for source, (what, y) in sources.items():
        expected = [f"{what} at ({x}, {y}) from {source}" for x in (10, 20, 30)]
        assert [reason for reason in reasons if reason.endswith(f"from {source}")] == expected
    assert "click at (10, 90) from ~/add_prompt" in reasons
    _, values = tracker.status("tracking", lambda *_: True)
    assert int(values["refused_prompts"]) == before
    assert values["objects"] == "14"
    assert tracker.set_parameter("clicks.meaning", "auto").successful
    for publisher in mouse.values():
        tracker.node.destroy_publisher(publisher)


def test_many_prompts_at_once_are_all_served(tracker, ros, wait_for_events):
    tracker.track(ros.image(tracker.next_header()))
    assert tracker.add_prompt(mask=mask_of(slice(8, 40), slice(16, 56))).object.id == 1
    wait_for_events(1, BY_PROMPTS)
    prompt = tracker.node.create_publisher(Prompt, "/tracker/prompt", 40)
    tracker.wait_until(prompt.get_subscription_count, "subscription to prompts")
    for x in range(40):
        prompt.publish(ros.prompt(object_id=1, points=[(x, 50)], labels=[1]))
    reasons = [event.reason for event in wait_for_events(40, BY_PROMPTS)]
    assert reasons == [f"click at ({x}, 50) from ~/prompt" for x in range(40)]
    tracker.node.destroy_publisher(prompt)


def test_services_of_many_operators_at_once_are_all_answered(tracker, ros, wait_for_events):
    tracker.track(ros.image(tracker.next_header()))
    assert tracker.add_prompt(mask=mask_of(slice(8, 40), slice(16, 56))).object.id == 1
    operators = [
        tracker.node.create_client(AddPrompt, "/tracker/add_prompt", qos_profile=MANY)
        for _ in range(4)
    ]
    for operator in operators:
        tracker.wait_until(operator.service_is_ready, "service add_prompt")
    answers = []
    for x in range(10):
        for y, operator in enumerate(operators):
            prompt = ros.prompt(object_id=1, points=[(x, y)], labels=[1])
            answers.append(operator.call_async(AddPrompt.Request(prompt=prompt)))
    tracker.wait_until(lambda: all(answer.done() for answer in answers), "all answers")
    assert all(answer.result().success for answer in answers)
    for operator in operators:
        tracker.node.destroy_client(operator)


def test_a_refusal_for_want_of_room_names_the_object_that_was_not_seen_for_longest(tracker, ros):
    track = lambda: tracker.track(ros.image(tracker.next_header()))  # noqa: E731
    mask = mask_of(slice(8, 40), slice(16, 56))
    try:
        assert tracker.set_parameter("tracker.max_objects", 2).successful
        # Masks are visible on the frame on which they were given, and nothing is later.
        assert tracker.set_parameter("tracker.mask_threshold", 5.0).successful
        track()
        assert not tracker.add_prompt(mask=mask, label="cup").object.occluded
        track()
        assert not tracker.add_prompt(mask=mask_of(slice(50, 90), slice(60, 90))).object.occluded
        track()
        for object_id in (0, 7):
            refused = tracker.add_prompt(mask=mask, object_id=object_id)
            assert not refused.success
            assert "tracker.max_objects is 2" in refused.message
            assert refused.message.endswith("object 1 (cup) was not seen for longest, for 2.0 s")
        assert tracker.remove(1).success
        assert tracker.set_parameter("tracker.max_objects", 1).successful
        assert tracker.add_prompt(mask=mask, object_id=2).success
        refused = tracker.add_prompt(mask=mask)
        assert refused.message.endswith("; all of them are visible")
    finally:
        tracker.set_parameter("tracker.max_objects", 16)
        tracker.set_parameter("tracker.mask_threshold", 0.0)


def test_an_object_whose_estimate_stays_low_is_doubtful_once(tracker, ros, wait_for_events):
    track = lambda: tracker.track(ros.image(tracker.next_header()))  # noqa: E731
    track()
    assert tracker.add_prompt(points=[(30, 20)], labels=[1]).success
    try:
        assert tracker.set_parameter("events.doubtful_below", 1.0).successful
        third = [track() for _ in range(4)][2]
        assert tracker.remove(1).success
        _, doubtful, removed = wait_for_events(3)
        assert (doubtful.kind, doubtful.header) == (TrackEvent.DOUBTFUL, third.header)
        assert f"{third.objects[0].iou_score:.2f}" in doubtful.reason
        assert removed.kind == TrackEvent.REMOVED
    finally:
        tracker.set_parameter("events.doubtful_below", 0.4)

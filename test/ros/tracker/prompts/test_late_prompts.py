"""Prompts that name a past frame, as operators meet them over a slow connection."""

from array import array
from dataclasses import replace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from etam_ros.msg import TrackEvent
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.config import HistoryConfig, NodeConfig
from etam_ros.errors import PromptError
from etam_ros.records import Frame, Prompt
from etam_ros.ros.messages import NS_PER_S, header_of
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.loading import load_tracking
from etam_ros.ros.tracker.prompts.actions import Click, apply_click


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    start_tracker(*ros.tiny, "-p", "history.seconds:=30.0")
    client = make_client()
    client.events = []
    client.listen(TrackEvent, "events", client.events)
    client.wait_for_camera()
    return client


@pytest.fixture
def tracker(running):
    running.reset()
    running.events.clear()
    return running


def see(tracker, ros, count):
    """Send images; their headers."""
    headers = [tracker.next_header() for _ in range(count)]
    for seed, header in enumerate(headers):
        tracker.track(ros.image(header, seed=seed))
    return headers


def square(left, top):
    """A mask of 24 x 24 pixels."""
    rows = np.zeros((96, 128), np.uint8)
    rows[top : top + 24, left : left + 24] = 255
    return Image(height=96, width=128, encoding="mono8", step=128, data=array("B", rows.tobytes()))


def wait_for_refusal(tracker, words):
    tracker.status("tracking", lambda _, values: words in values["last_refusal"])


def test_a_late_prompt_is_answered_on_its_frame_and_its_object_arrives(tracker, ros):
    headers = see(tracker, ros, 7)
    answer = tracker.add_prompt(points=[(30, 20)], labels=[1], header=headers[2], label="cup")
    assert answer.success, answer.message
    assert answer.frame == headers[2]
    seconds = headers[2].stamp.sec
    assert answer.message == f"following object 1, on the frame of {seconds}.000000 s"
    assert (answer.object.id, answer.object.label) == (1, "cup")
    for _ in range(6):
        (last,) = see(tracker, ros, 1)
    assert [found.id for found in tracker.objects[-1].objects] == [1]
    assert tracker.objects[-1].header == last
    tracker.wait_until(lambda: tracker.events, "an event")
    added = tracker.events[0]
    assert (added.kind, added.header, added.object_id) == (TrackEvent.ADDED, headers[2], 1)
    assert added.reason == "click at (30, 20) from ~/add_prompt"


def test_a_click_means_what_was_there_on_its_frame(tracker, ros):
    headers = see(tracker, ros, 1)
    assert tracker.add_prompt(mask=square(16, 8)).object.id == 1
    headers += see(tracker, ros, 2)
    assert tracker.add_prompt(mask=square(88, 60), object_id=1).object.id == 1
    click = tracker.publisher(PointStamped, "click")
    click.publish(ros.click(28, 20, headers[0]))
    tracker.wait_until(
        lambda: (
            [
                event.object_id
                for event in tracker.events
                if event.kind == TrackEvent.REFINED and event.header == headers[0]
            ]
            == [1]
        ),
        "a correction",
    )
    click.publish(ros.click(60, 80, headers[0]))
    tracker.wait_until(
        lambda: [e.object_id for e in tracker.events if e.kind == TrackEvent.ADDED] == [1, 2],
        "another object",
    )


def test_a_click_that_may_be_on_a_followed_object_starts_no_other():
    """What the object was on that frame is not kept, and that frame itself is."""
    tiny, long = NodeConfig(model="tiny_test", weights="random:0"), HistoryConfig(seconds=60.0)
    tracking = load_tracking(Settings(node=tiny, history=long), bool)
    frames = [Frame(np.full((96, 128, 3), 20 * n, np.uint8), n * NS_PER_S) for n in range(1, 9)]
    for frame in frames:
        tracking.history.add(frame.stamp_ns, 100, lambda frame=frame: frame)
    tracker, late = tracking.tracker, header_of(3 * NS_PER_S, "")
    for frame in frames:
        tracker.step(frame)
        tracking.newest = header_of(frame.stamp_ns, "")
        if frame is frames[0]:
            tracker.add_prompt(Prompt(points=[(30, 20)], point_labels=[1]))
        if frame is frames[4]:
            tracking.use(Settings(history=replace(long, max_mib=0)))
    for label, meaning in ((1, "auto"), (0, "auto"), (0, "new")):
        with pytest.raises(PromptError, match="the memories of object 1 at that time are gone"):
            apply_click(Click((30, 20), "~/click", label, late), meaning, tracking)
    assert tracker.object_ids == (1,)
    apply_click(Click((30, 20), "~/click", 1, late), "new", tracking)
    assert tracker.object_ids == (1, 2)
    tracking.close()


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        (Time(sec=1000), "goes back to"),
        (Time(sec=-5), "one clock"),
        (Time(sec=2**31 - 1, nanosec=999_999_999), "one clock"),
    ],
)
def test_stamps_without_a_frame_are_refused_with_both_times(tracker, ros, stamp, words):
    headers = see(tracker, ros, 3)
    stamps = [stamp.sec + stamp.nanosec / 1e9, headers[-1].stamp.sec]
    late = Header(stamp=stamp, frame_id="camera")
    if words == "goes back to" and headers[0].stamp.sec < 1000 + 32:
        late.stamp.sec = headers[0].stamp.sec - 20  # the history has all frames so far
        stamps[0] = late.stamp.sec
    answer = tracker.add_prompt(points=[(30, 20)], labels=[1], header=late)
    assert not answer.success
    assert words in answer.message
    assert all(f"{int(each)}." in answer.message for each in stamps), answer.message
    assert tracker.add_prompt(points=[(30, 20)], labels=[1], header=headers[-1]).success


def test_the_future_is_refused_and_the_nearest_frame_is_good_enough(tracker, ros):
    headers = see(tracker, ros, 2)
    stamp = headers[0].stamp
    soon = Header(stamp=Time(sec=headers[1].stamp.sec + 3), frame_id="camera")
    tracker.publisher(PointStamped, "click").publish(ros.click(30, 20, soon))
    wait_for_refusal(tracker, "is after the newest frame")
    near = Header(stamp=Time(sec=stamp.sec, nanosec=stamp.nanosec + 15_000_000))
    answer = tracker.add_prompt(points=[(30, 20)], labels=[1], header=near)
    assert answer.frame == headers[0]


def test_a_prompt_is_held_against_the_size_of_its_own_frame(tracker, ros):
    (small,) = see(tracker, ros, 1)
    tracker.track(ros.image(tracker.next_header(), height=192, width=256))
    answer = tracker.add_prompt(points=[(200, 150)], labels=[1], header=small)
    assert not answer.success
    assert "outside the frame of 128 x 96" in answer.message


def test_after_a_deactivation_its_frames_are_gone(tracker, ros):
    headers = see(tracker, ros, 2)
    assert tracker.change_state("deactivate")
    assert tracker.change_state("activate")
    tracker.wait_for_camera()
    see(tracker, ros, 1)
    assert not tracker.add_prompt(points=[(30, 20)], labels=[1], header=headers[0]).success

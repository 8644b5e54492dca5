"""Every topic of prompts, and whose a click is, as operators meet them."""

from array import array
from importlib.util import find_spec

import numpy as np
import pytest
from etam_ros.msg import Prompt, TrackEvent
from etam_ros.srv import AddPrompt, SelectObject
from geometry_msgs.msg import Point, PointStamped
from sensor_msgs.msg import Image

ON_OBJECT, ELSEWHERE = (30, 20), (100, 80)


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    start_tracker(*ros.tiny)
    client = make_client()
    client.wait_for_camera()
    return client


@pytest.fixture
def tracker(running):
    running.reset()
    assert running.set_parameter("clicks.meaning", "auto").successful
    return running


@pytest.fixture
def object_there(tracker, ros):
    """The client of a tracker that follows object 1, whose mask is known on the newest frame."""
    tracker.track(ros.image(tracker.next_header()))
    rows = np.zeros((96, 128), np.uint8)
    rows[8:40, 16:56] = 255
    mask = Image(height=96, width=128, encoding="mono8", step=128, data=array("B", rows.tobytes()))
    assert tracker.add_prompt(mask=mask).object.area > 0
    return tracker


def ids(tracker, ros):
    """Of the objects on a new frame."""
    return [found.id for found in tracker.track(ros.image(tracker.next_header())).objects]


def wait_for_objects(tracker, number):
    """Wait for that many objects without sending a frame."""
    tracker.status("tracking", lambda _, values: values["objects"] == str(number))


def wait_for_refusal(tracker, words):
    tracker.status("tracking", lambda _, values: words in values["last_refusal"])


def select(tracker, object_id):
    return tracker.call(SelectObject, "select", SelectObject.Request(object_id=object_id))


def mouse_publisher(tracker, topic):
    publisher = tracker.node.create_publisher(Point, topic, 10)
    tracker.wait_until(publisher.get_subscription_count, f"subscription to {topic}")
    return publisher


@pytest.mark.parametrize("topic", ["/mouse_left", "/tracker/overlay_mouse_left"])
def test_a_click_of_rqt_starts_an_object_also_where_it_is_rounded_up(tracker, ros, topic):
    tracker.track(ros.image(tracker.next_header()))
    mouse = mouse_publisher(tracker, topic)
    mouse.publish(Point(x=30.0, y=20.0))
    wait_for_objects(tracker, 1)
    tracker.reset()
    mouse.publish(Point(x=128.0, y=96.0))
    wait_for_objects(tracker, 1)
    mouse.publish(Point(x=129.0, y=20.0))
    wait_for_refusal(tracker, "click (129, 20) lies outside the frame of 128 x 96")
    tracker.node.destroy_publisher(mouse)


def test_other_clicks_are_not_taken_back_into_the_frame(tracker, ros):
    tracker.track(ros.image(tracker.next_header()))
    tracker.publisher(PointStamped, "click").publish(ros.click(128, 96))
    wait_for_refusal(tracker, "click (128, 96) lies outside")


def test_a_click_on_an_object_refines_it_and_one_elsewhere_starts_one(object_there, ros):
    click = object_there.publisher(PointStamped, "click")
    click.publish(ros.click(*ON_OBJECT))
    click.publish(ros.click(*ELSEWHERE))
    wait_for_objects(object_there, 2)
    assert ids(object_there, ros) == [1, 2]


def test_a_background_click_is_for_the_nearest_object(object_there, ros):
    background = object_there.publisher(PointStamped, "click_background")
    refused = int(object_there.status("tracking", lambda *_: True)[1]["refused_prompts"])
    background.publish(ros.click(*ELSEWHERE))
    background.publish(ros.click(-5, 80))  # is refused, after the one before was applied
    _, values = object_there.status("tracking", lambda _, v: "(-5, 80)" in v["last_refusal"])
    assert int(values["refused_prompts"]) == refused + 1
    object_there.reset()
    background.publish(ros.click(*ELSEWHERE))
    wait_for_refusal(object_there, "no object is visible that the background click could correct")


def test_prompts_of_all_sources_at_the_same_moment_are_all_served(object_there, ros):
    """Eight of each, and those of one source in their order."""
    tracker, events = object_there, []
    assert select(tracker, 1).success
    assert tracker.set_parameter("clicks.meaning", "target").successful
    subscription = tracker.node.create_subscription(
        TrackEvent, "/tracker/events", events.append, 100
    )
    mouse = mouse_publisher(tracker, "/mouse_left")
    overlay = mouse_publisher(tracker, "/tracker/overlay_mouse_left")
    click = tracker.publisher(PointStamped, "click")
    background = tracker.publisher(PointStamped, "click_background")
    prompt = tracker.publisher(Prompt, "prompt")
    service = tracker.node.create_client(AddPrompt, "/tracker/add_prompt")
    tracker.wait_until(service.service_is_ready)
    tracker.wait_until(lambda: tracker.node.count_publishers("/tracker/events"))
    answers = []
    for number in range(8):
        x, y = 20.0 + number, 20.0
        mouse.publish(Point(x=x, y=y))
        overlay.publish(Point(x=x, y=y))
        click.publish(ros.click(x, y))
        background.publish(ros.click(x, y))
        on_object = {"points": [(x, y)], "labels": [1], "object_id": 1}
        prompt.publish(ros.prompt(**on_object))
        request = AddPrompt.Request(prompt=ros.prompt(**on_object))
        answers.append(service.call_async(request))

    def served(source):
        asked = [event for event in events if event.kind == TrackEvent.REFINED]
        found = [each.reason for each in asked if each.reason.endswith(f" from {source}")]
        return [float(reason.split("(")[1].split(",")[0]) for reason in found]

    for source in (
        "mouse_left", "/tracker/overlay_mouse_left", "~/click", "~/click_background",
        "~/prompt", "~/add_prompt",
    ):  # fmt: skip
        tracker.wait_until(lambda s=source: len(served(s)) == 8, f"prompts of {source}")
        assert served(source) == [20.0 + number for number in range(8)]
    tracker.wait_until(lambda: all(each.done() for each in answers), "answers")
    assert all(each.result().success for each in answers)
    tracker.node.destroy_subscription(subscription)


def test_where_clicks_always_mean_something_new(object_there, ros):
    assert object_there.set_parameter("clicks.meaning", "new").successful
    object_there.publisher(PointStamped, "click").publish(ros.click(*ON_OBJECT))
    wait_for_objects(object_there, 2)


def test_where_clicks_mean_the_selected_object_until_it_is_removed(object_there, ros):
    assert object_there.set_parameter("clicks.meaning", "target").successful
    click = object_there.publisher(PointStamped, "click")
    mouse = mouse_publisher(object_there, "/mouse_left")
    click.publish(ros.click(*ELSEWHERE))
    wait_for_refusal(object_there, "no object is selected")

    answer = select(object_there, 1)
    assert answer.success
    assert answer.message == "selected object 1"
    object_there.status("tracking", lambda _, values: values["selected"] == "1")
    click.publish(ros.click(*ELSEWHERE))
    click.publish(ros.click(500, 1))
    wait_for_refusal(object_there, "click (500, 1) lies outside")
    mouse.publish(Point(x=100.0, y=80.0))
    mouse.publish(Point(x=501.0, y=1.0))
    wait_for_refusal(object_there, "click (501, 1) lies outside")
    assert ids(object_there, ros) == [1]

    assert object_there.remove(1).success
    object_there.status("tracking", lambda _, values: values["selected"] == "none")
    click.publish(ros.click(*ON_OBJECT))
    wait_for_refusal(object_there, "no object is selected")
    object_there.node.destroy_publisher(mouse)


def test_a_selection_does_not_pass_to_an_object_that_gets_its_id_after_a_reset(tracker, ros):
    tracker.track(ros.image(tracker.next_header()))
    assert tracker.set_parameter("clicks.meaning", "target").successful
    assert tracker.add_prompt(points=[ON_OBJECT], labels=[1]).object.id == 1
    assert select(tracker, 1).success
    tracker.reset()
    assert tracker.add_prompt(points=[ON_OBJECT], labels=[1]).object.id == 1
    refused = int(tracker.status("tracking", lambda *_: True)[1]["refused_prompts"])
    tracker.publisher(PointStamped, "click").publish(ros.click(*ON_OBJECT))
    tracker.status("tracking", lambda _, v: int(v["refused_prompts"]) == refused + 1)
    wait_for_refusal(tracker, "no object is selected")


def test_only_what_is_followed_can_be_selected(object_there):
    refused = select(object_there, 7)
    assert not refused.success
    assert refused.message == ("there is no object 7 to select, expected 0 for none, or one of: 1")
    assert select(object_there, 1).success
    answer = select(object_there, 0)
    assert (answer.success, answer.message) == (True, "no object is selected")


TOPICS = {
    "prompt": "tracker/prompt",
    "click": "tracker/click",
    "click_background": "tracker/click_background",
    "mouse_left": "mouse_left",
    "overlay_mouse_left": "picture_mouse_left",
    "clicked_point": "clicked_point",
    "detections": "detections",
    "markers": "tracker/clicks/feedback",
}
THERE = [name for name in TOPICS if name != "detections" or find_spec("vision_msgs")]


@pytest.mark.parametrize("first", [0, 1])
def test_each_source_can_be_switched_off(start_tracker, make_client, ros, first):
    """Every second one, in one tracker these and in another the others."""
    namespace, off = f"/off_{first}", list(TOPICS)[first::2]
    arguments = ["-r", f"__ns:={namespace}", "-r", "~/overlay:=picture"]
    for name in off:
        arguments += ["-p", f"sources.{name}:=false"]
    start_tracker(*ros.tiny, *arguments)
    client = make_client(namespace)
    client.wait_for_state("active")
    expected = [name for name in THERE if name not in off]

    def subscribed():
        return [n for n in TOPICS if client.node.count_subscribers(f"{namespace}/{TOPICS[n]}")]

    client.wait_until(lambda: len(subscribed()) >= len(expected), f"sources but {off}")
    assert subscribed() == expected

"""The node as its users meet it: one process for all tests of this file, reset before each."""

from array import array

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from etam_ros.msg import Prompt
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    process = start_tracker(*ros.tiny)
    client = make_client()
    client.wait_for_camera()
    return process, client


@pytest.fixture
def tracker(running):
    """The client of a tracker that has seen one image and knows no object."""
    _, client = running
    client.reset()
    return client


@pytest.fixture
def log(running):
    process, _ = running
    return lambda: process.log


def decode(image):
    return np.frombuffer(image.data, np.uint8).reshape(image.height, image.width)


def test_objects_carry_the_header_of_their_frame(tracker, ros):
    frames = tracker.track(ros.image(tracker.next_header())).frame_number
    for number in (1, 2, 3):
        image = ros.image(tracker.next_header(frame_id=f"camera_{number}"), seed=number)
        message = tracker.track(image)
        assert message.header == image.header
        assert message.frame_number == frames + number
        assert message.objects == []
        assert message.latency_ms > 0


def test_a_prompt_by_service_answers_with_the_object_and_is_followed(tracker, ros):
    first = ros.image(tracker.next_header())
    tracker.track(first)
    answer = tracker.add_prompt(points=[(40, 30)], labels=[Prompt.FOREGROUND], label="cup")
    assert answer.success, answer.message
    assert answer.frame == first.header
    assert (answer.object.id, answer.object.label) == (1, "cup")
    followed = tracker.track(ros.image(tracker.next_header(), seed=1))
    assert [(o.id, o.label) for o in followed.objects] == [(1, "cup")]


def test_a_prompt_by_topic_is_in_the_next_objects(tracker, ros):
    tracker.track(ros.image(tracker.next_header()))
    tracker.publisher(Prompt, "prompt").publish(ros.prompt(box=(10, 10, 60, 50), object_id=7))
    frame = lambda: tracker.track(ros.image(tracker.next_header()))  # noqa: E731
    tracker.wait_until(lambda: [o.id for o in frame().objects] == [7], "object 7")


def test_clicks_start_and_refine_objects(tracker, ros):
    image = ros.image(tracker.next_header())
    tracker.track(image)
    click = tracker.publisher(PointStamped, "click")
    background = tracker.publisher(PointStamped, "click_background")
    click.publish(ros.click(30, 20, image.header))
    tracker.status("tracking", lambda _, values: values["objects"] == "1")
    frame = lambda: tracker.track(ros.image(tracker.next_header()))  # noqa: E731
    assert [o.id for o in frame().objects] == [1]
    click.publish(ros.click(90, 70))
    tracker.wait_until(lambda: [o.id for o in frame().objects] == [1, 2], "object 2")
    refused = int(tracker.status("tracking", lambda *_: True)[1]["refused_prompts"])
    background.publish(ros.click(100, 80))
    background.publish(ros.click(-5, 80))  # is refused, after the one before was applied
    _, values = tracker.status("tracking", lambda _, v: int(v["refused_prompts"]) == refused + 1)
    assert "(-5, 80)" in values["last_refusal"]
    assert values["last_refusal"].endswith("(~/click_background)")
    assert [o.id for o in frame().objects] == [1, 2]


def test_a_mask_prompt_of_any_step_is_taken(tracker, ros):
    tracker.track(ros.image(tracker.next_header(), height=48, width=64))
    rows = np.zeros((48, 70), np.uint8)
    rows[10:30, 20:40] = 9
    rows[:, 64:] = 255  # padding, no part of the mask
    mask = Image(height=48, width=64, encoding="mono8", step=70, data=array("B", rows.tobytes()))
    answer = tracker.add_prompt(mask=mask)
    assert answer.success, answer.message
    assert answer.object.area > 0
    box = answer.object.box
    assert box.x_offset >= 15
    assert box.x_offset + box.width <= 45


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"points": [(500, 10)], "labels": [1]}, "outside the frame of 128 x 96"),
        ({"points": [(5, 10)], "labels": []}, "1 points and 0 labels"),
        ({"box": (1, 2, 3)}, "box has 3 values"),
        ({}, "empty"),
        ({"points": [(5, 10)], "labels": [1], "object_id": 70000}, "65535"),
        ({"points": [(5, 10)], "labels": [1], "header": Header(frame_id="map")}, "'map'"),
        ({"points": [(5, 10)], "labels": [1], "header": Header(stamp=Time(sec=3))}, "3.000000 s"),
    ],
)
def test_a_wrong_prompt_is_refused_with_words(tracker, ros, fields, words):
    tracker.track(ros.image(tracker.next_header()))
    answer = tracker.add_prompt(**fields)
    assert not answer.success
    assert words in answer.message
    assert tracker.track(ros.image(tracker.next_header())).objects == []


def test_a_prompt_with_the_stamp_of_the_newest_frame_is_applied(tracker, ros):
    tracker.track(ros.image(tracker.next_header()))
    new = ros.image(tracker.next_header())
    tracker.track(new)
    answer = tracker.add_prompt(points=[(5, 10)], labels=[1], header=new.header)
    assert (answer.success, answer.frame) == (True, new.header)


def test_images_without_stamps_work_and_take_prompts_without_stamps(tracker, ros):
    image = ros.image(Header(frame_id="camera"))
    assert tracker.track(image).header.stamp == Time()
    click = {"points": [(5, 10)], "labels": [1]}
    refused = tracker.add_prompt(**click, header=Header(stamp=Time(sec=5)))
    assert "frames have no stamps" in refused.message
    assert tracker.add_prompt(**click).success


def test_remove_and_reset(tracker, ros):
    tracker.track(ros.image(tracker.next_header()))
    for point in ((20, 20), (60, 60)):
        assert tracker.add_prompt(points=[point], labels=[1]).success
    assert tracker.remove(1).success
    assert [o.id for o in tracker.track(ros.image(tracker.next_header())).objects] == [2]
    for unknown in (0, 1, 99):
        answer = tracker.remove(unknown)
        assert not answer.success
        assert str(unknown) in answer.message
    tracker.reset()
    assert tracker.track(ros.image(tracker.next_header())).objects == []
    assert tracker.add_prompt(points=[(20, 20)], labels=[1]).object.id == 1


def test_while_paused_frames_are_ignored_and_services_work(tracker, ros):
    frames = tracker.track(ros.image(tracker.next_header())).frame_number
    assert tracker.pause(True).success
    ignored = ros.image(tracker.next_header())
    tracker.send(ignored)
    received = int(tracker.status("images", lambda *_: True)[1]["received"])
    tracker.send(ros.image(tracker.next_header()))
    tracker.status("images", lambda _, values: int(values["received"]) > received)
    assert tracker.add_prompt(points=[(20, 20)], labels=[1]).success
    assert tracker.pause(False).success
    message = tracker.track(ros.image(tracker.next_header()))
    assert (message.frame_number, len(message.objects)) == (frames + 1, 1)
    assert all(m.header != ignored.header for m in tracker.objects)


def test_a_bad_image_in_the_middle_is_reported_and_tracking_goes_on(tracker, ros, log):
    tracker.track(ros.image(tracker.next_header()))
    assert tracker.add_prompt(points=[(20, 20)], labels=[1]).success
    for spoil in ({"encoding": "cmyk99"}, {"height": 4000}, {"step": 3}, {"width": 2**31}):
        bad = ros.image(tracker.next_header())
        for name, value in spoil.items():
            setattr(bad, name, value)
        before = int(tracker.status("images", lambda *_: True)[1]["bad_images"])
        tracker.send(bad)
        tracker.status("images", lambda _, v, n=before: int(v["bad_images"]) == n + 1)
        message = tracker.track(ros.image(tracker.next_header()))
        assert [o.id for o in message.objects] == [1]
    assert "bad image: " in log()
    _, values = tracker.status("images", lambda *_: True)
    assert values["last_bad_image"]


def test_label_image_and_masks_agree(tracker, ros):
    labels = []
    subscription = tracker.listen(Image, "label_image", labels)
    tracker.track(ros.image(tracker.next_header(), height=120, width=160))
    for point in ((30, 30), (120, 80), (80, 60)):
        assert tracker.add_prompt(points=[point], labels=[1]).success

    def both():
        last = tracker.track(ros.image(tracker.next_header(), height=120, width=160))
        stamps = {i.header.stamp.sec: i for i in labels}
        found = (m for m in tracker.objects if len(m.objects) == len(last.objects))
        return next(((stamps[s], m) for m in found if (s := m.header.stamp.sec) in stamps), None)

    image, message = tracker.wait_until(both, "label image and objects of one frame")
    assert (image.encoding, image.height, image.width, image.step) == ("16UC1", 120, 160, 320)
    label_image = np.frombuffer(image.data, np.uint16).reshape(120, 160)
    assert len(message.objects) == 3
    for found in message.objects:
        drawn = label_image == found.id
        assert found.area == drawn.sum()
        if found.occluded:
            assert np.isnan(found.centroid.x)
            assert (found.box.width, len(found.mask.data)) == (0, 0)
            continue
        box = found.box
        rows = slice(box.y_offset, box.y_offset + box.height)
        columns = slice(box.x_offset, box.x_offset + box.width)
        assert found.mask.header == message.header
        assert set(np.unique(decode(found.mask))) <= {0, 255}
        np.testing.assert_array_equal(decode(found.mask) > 0, drawn[rows, columns])
        count, pieces, sizes, _ = cv2.connectedComponentsWithStats(drawn.view(np.uint8))
        assert found.pieces == count - 1
        main = pieces == pieces[round(found.centroid.y), round(found.centroid.x)]
        assert (main & drawn).any(), "the centroid lies on the object"
        assert found.main_piece_share == pytest.approx(main.sum() / drawn.sum())
        assert main.sum() >= 0.5 * sizes[1:, cv2.CC_STAT_AREA].max()
        assert main[rows, columns].sum() == main.sum()
        assert np.isnan(found.position.point.x)
    tracker.node.destroy_subscription(subscription)


def test_overlays_are_drawn_for_subscribers_at_source_size(tracker, ros):
    raw, compressed = [], []
    subscriptions = [
        tracker.listen(Image, "overlay", raw),
        tracker.listen(CompressedImage, "overlay/compressed", compressed),
    ]
    tracker.track(ros.image(tracker.next_header()))
    assert tracker.add_prompt(box=(10, 10, 100, 80)).success

    def both():
        tracker.track(ros.image(tracker.next_header()))
        return {i.header.stamp.sec for i in raw} & {i.header.stamp.sec for i in compressed}

    tracker.wait_until(both, "both overlays of one frame")
    assert (raw[-1].encoding, raw[-1].height, raw[-1].width) == ("rgb8", 96, 128)
    assert bytes(compressed[-1].data[:2]) == b"\xff\xd8"
    assert "jpeg" in compressed[-1].format
    for subscription in subscriptions:
        tracker.node.destroy_subscription(subscription)


def test_an_overlay_that_cannot_be_made_is_no_bad_image_and_no_lost_frame(tracker, ros, log):
    pictures = []
    subscription = tracker.listen(CompressedImage, "overlay/compressed", pictures)
    topic = f"{tracker.tracker}/overlay/compressed"
    tracker.wait_until(lambda: tracker.node.count_subscribers(topic), "subscription")

    def too_wide_for_a_jpeg():
        tracker.track(ros.image(tracker.next_header(), height=8, width=66000))
        return "overlay lost" in log()

    tracker.wait_until(too_wide_for_a_jpeg, "an overlay that fails")
    _, values = tracker.status("tracking", lambda _, v: int(v["failed_overlays"]) > 0)
    assert values["failed_frames"] == "0"
    assert "66000" in values["last_failed_overlay"]
    images, values = tracker.status("images", lambda *_: True)
    assert images.level != DiagnosticStatus.WARN
    assert "66000" not in values["last_bad_image"]
    tracker.wait_until(lambda: tracker.track(ros.image(tracker.next_header())) and pictures)
    tracker.node.destroy_subscription(subscription)


def test_stamps_that_go_back_keep_the_objects_and_warn_once(tracker, ros, log):
    for _ in range(3):
        tracker.track(ros.image(tracker.next_header()))
    assert tracker.add_prompt(points=[(20, 20)], labels=[1]).success
    warnings = log().count("stamps went back")
    for second in (10, 11, 12):
        header = Header(stamp=Time(sec=second), frame_id="camera")
        assert [o.id for o in tracker.track(ros.image(header)).objects] == [1]
    assert log().count("stamps went back") == warnings + 1


def test_live_parameters_change_at_run_time_and_the_others_do_not(tracker, ros):
    tracker.track(ros.image(tracker.next_header()))
    assert tracker.set_parameter("tracker.max_objects", 1).successful
    try:
        assert tracker.add_prompt(points=[(20, 20)], labels=[1]).success
        assert not tracker.add_prompt(points=[(60, 20)], labels=[1]).success
    finally:
        assert tracker.set_parameter("tracker.max_objects", 16).successful
    assert tracker.add_prompt(points=[(60, 20)], labels=[1]).success
    refused = tracker.set_parameter("model", "efficienttam_s")
    assert not refused.successful
    assert "clean up" in refused.reason
    refused = tracker.set_parameter("tracker.overlap", "blend")
    assert "settle, keep" in refused.reason
    assert not tracker.set_parameter("overlay.opacity", 1.5).successful


def test_diagnostics_tell_of_rate_latency_stages_and_memory(tracker, ros):
    for seed in range(5):
        tracker.track(ros.image(tracker.next_header(), seed=seed))
    status, values = tracker.status("tracking", lambda s, v: v["latency_p50_ms"] != "none")
    assert status.name == "/tracker: tracking"
    assert float(values["latency_p99_ms"]) >= float(values["latency_p50_ms"]) > 0
    assert float(values["encode_image_p50_ms"]) > 0
    assert float(values["overhead_p50_ms"]) > 0
    _, values = tracker.status("engine", lambda *_: True)
    assert values["engine"].startswith("tiny_test on torch")
    assert float(values["memory_mb"]) > 10


def test_a_silent_camera_makes_images_stale(tracker, ros):
    assert tracker.set_parameter("image_timeout_s", 0.2).successful
    try:
        tracker.track(ros.image(tracker.next_header()))
        stale = lambda status, _: status.level == DiagnosticStatus.STALE  # noqa: E731
        status, _ = tracker.status("images", stale)
        assert "the camera is silent" in status.message
    finally:
        assert tracker.set_parameter("image_timeout_s", 3600.0).successful
    tracker.status("images", lambda status, _: status.level == DiagnosticStatus.OK)
    assert tracker.set_parameter("image_timeout_s", 2.0).successful

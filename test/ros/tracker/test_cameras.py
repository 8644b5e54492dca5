"""Cameras of all kinds in front of real nodes, and two nodes side by side."""

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CompressedImage, Image

from etam_ros.ros.transport import variables_read


@pytest.fixture(scope="module")
def remapped(start_tracker, make_client, ros):
    """A tracker in a namespace, on a remapped camera."""
    remaps = ("-r", "__ns:=/front", "-r", "image:=/cam/image_raw")
    process = start_tracker(*ros.tiny, *remaps)
    client = make_client("/front")
    client.wait_for_state("active")
    return process, client


def frames_of(client, frame_id, count):
    def enough():
        found = [m for m in client.objects if m.header.frame_id == frame_id]
        return len(found) >= count and found

    client.objects.clear()
    return client.wait_until(enough, f"{count} frames of {frame_id}")


def test_an_ordinary_reliable_720p_camera_is_followed_by_a_reliable_subscription(
    remapped, start_camera
):
    _, client = remapped
    start_camera("/cam/image_raw", "raw", "reliable", 1280, 720)
    client.status("images", lambda _, v: v["reliability"] == "reliable")
    messages = frames_of(client, "plain_camera", 10)
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in messages]
    assert stamps == sorted(set(stamps)), "each frame once, in order"
    assert client.add_prompt(points=[(600, 300)], labels=[1]).success
    answer = frames_of(client, "plain_camera", 3)[-1]
    assert [o.id for o in answer.objects] == [1]


def test_a_best_effort_camera_is_followed_by_a_best_effort_subscription(remapped, start_camera):
    _, client = remapped
    start_camera("/cam/image_raw", "raw", "best_effort", 320, 240)
    client.status(
        "images", lambda _, v: (v["reliability"], v["publishers"]) == ("best_effort", "1")
    )
    assert len(frames_of(client, "plain_camera", 3)) >= 3


def test_reliable_beside_best_effort_means_best_effort(remapped, start_camera):
    _, client = remapped
    start_camera("/cam/image_raw", "raw", "reliable", 320, 240)
    client.status("images", lambda _, v: v["reliability"] == "reliable")
    start_camera("/cam/image_raw", "raw", "best_effort", 320, 240)
    client.status(
        "images", lambda _, v: (v["reliability"], v["publishers"]) == ("best_effort", "2")
    )
    frames_of(client, "plain_camera", 3)


def test_publishers_that_send_nothing_are_warned_of_once(remapped):
    process, client = remapped
    silent = client.node.create_publisher(Image, "/cam/image_raw", 1)
    _, values = client.status("images", lambda _, v: "no image for" in v["problem"])
    assert "reliable" in values["problem"]
    assert variables_read()[0] in values["problem"]
    stale = lambda status, _: status.level == DiagnosticStatus.STALE  # noqa: E731
    status, _ = client.status("images", stale)
    assert status.name == "/front/tracker: images"
    assert process.log.count("but no image for") == 1
    client.node.destroy_publisher(silent)
    client.status("images", lambda status, _: "nobody publishes" in status.message)


def test_a_publisher_of_another_type_is_named(remapped):
    process, client = remapped
    other = client.node.create_publisher(CompressedImage, "/cam/image_raw", 1)
    _, values = client.status("images", lambda _, v: "CompressedImage" in v["problem"])
    assert "change image_transport" in values["problem"]
    assert values["publishers"] == "0"
    client.node.destroy_publisher(other)
    client.status("images", lambda _, v: "CompressedImage on" not in v["problem"])
    assert process.log.count("change image_transport") == 1


def test_a_topic_on_which_nobody_publishes_is_logged_with_what_is_on_offer(
    start_tracker, make_client, ros
):
    process = start_tracker(
        *ros.tiny, "-p", "image_timeout_s:=0.3", "-r", "__ns:=/lonely", "-r", "image:=/nowhere"
    )
    client = make_client("/lonely")
    client.wait_for_state("active")
    offer = client.node.create_publisher(Image, "/cam7/image_raw", 1)
    _, values = client.status("images", lambda _, v: "/cam7/image_raw (Image)" in v["problem"])
    assert "nobody publishes on /nowhere; on offer: " in values["problem"]
    assert "-r image:=/" in values["problem"]
    assert "/lonely/tracker/label_image" not in values["problem"], "our own"
    assert values["problem"] in process.log
    client.node.destroy_publisher(offer)


def test_what_was_clicked_is_in_the_log_with_object_and_pixel(remapped, start_camera):
    process, client = remapped
    start_camera("/cam/image_raw", "raw", "reliable", 320, 240)
    frames_of(client, "plain_camera", 1)
    client.reset()
    answer = client.add_prompt(points=[(160, 120), (5, 6)], labels=[1, 0], label="cup")
    assert answer.success, answer.message
    words = "click at (160, 120) and background click at (5, 6) from ~/add_prompt"
    process.wait_for_log(words)
    (line,) = (line for line in process.log.splitlines() if words in line)
    assert "cup" in line


def test_a_remapped_image_with_compressed_transport(start_tracker, make_client, start_camera, ros):
    start_tracker(
        *ros.tiny, "-p", "image_transport:=compressed", "-r", "__ns:=/zipped",
        "-r", "image:=/cam2/image_raw",
    )  # fmt: skip
    client = make_client("/zipped")
    client.wait_for_state("active")
    start_camera("/cam2/image_raw/compressed", "compressed", "reliable", 320, 240)
    frames_of(client, "plain_camera", 3)
    assert client.add_prompt(points=[(300, 200)], labels=[1]).success


def test_reliable_on_demand_names_the_best_effort_camera(
    start_tracker, make_client, start_camera, ros
):
    process = start_tracker(*ros.tiny, "-p", "image_reliability:=reliable", "-r", "__ns:=/strict")
    client = make_client("/strict")
    client.wait_for_state("active")
    start_camera("/strict/image", "raw", "best_effort", 64, 64)
    _, values = client.status("images", lambda _, v: "best effort" in v["problem"])
    assert "/plain_camera" in values["problem"]
    assert "image_reliability" in values["problem"]
    assert process.log.count("offers best effort") == 1


def test_two_trackers_in_two_namespaces_do_not_meet(start_tracker, make_client, ros):
    clients = []
    for namespace in ("/left", "/right"):
        start_tracker(*ros.tiny, "-r", f"__ns:={namespace}")
        clients.append(make_client(namespace))
    left, right = clients
    for client in clients:
        client.wait_for_camera()
        client.track(ros.image(client.next_header(frame_id=client.tracker)))
    assert left.add_prompt(points=[(30, 30)], labels=[1], object_id=5).success
    assert right.add_prompt(points=[(60, 60)], labels=[1], object_id=6).success
    for client, expected in ((left, 5), (right, 6)):
        message = client.track(ros.image(client.next_header(frame_id=client.tracker)))
        assert [o.id for o in message.objects] == [expected]
        assert {m.header.frame_id for m in client.objects} == {client.tracker}
        status, _ = client.status("tracking", lambda *_: True)
        assert status.hardware_id == client.tracker

"""A run of the real node, recorded and repeated by `etam track`: the same masks, bit for bit."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from etam_ros.msg import Prompt, TrackedObjectArray, TrackEvent
from geometry_msgs.msg import PointStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from etam_ros.cli.main import run
from etam_ros.media.bags.results import RecordedFrame, RecordedObject, RecordedRun
from etam_ros.ros.messages import stamp_ns

rosbags = pytest.importorskip("rosbags")
from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: E402

from etam_ros.media.bags.definitions import known_types  # noqa: E402

TOPICS = {
    "/image": Image, "/tracker/objects": TrackedObjectArray, "/tracker/label_image": Image,
    "/tracker/applied_prompts": Prompt, "/tracker/events": TrackEvent,
}  # fmt: skip


class BagRecorder:
    """Writes what comes on TOPICS, byte for byte, as `ros2 bag record` does."""

    def __init__(self, node, path: Path) -> None:
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self.counts = dict.fromkeys(TOPICS, 0)
        self._subscriptions = [
            node.create_subscription(
                kind, topic, self._callback(topic, kind), QoSProfile(depth=200), raw=True
            )
            for topic, kind in TOPICS.items()
        ]

    def _callback(self, topic: str, kind: type):
        package, _, name = kind.__module__.partition(".msg.")
        del name
        message_type = f"{package}/msg/{kind.__name__}"
        connection = self._writer.add_connection(topic, message_type, typestore=known_types())

        def write(data: bytes) -> None:
            self._writer.write(connection, time.time_ns(), data)
            self.counts[topic] += 1

        return write

    def finish(self, node) -> None:
        for subscription in self._subscriptions:
            node.destroy_subscription(subscription)
        self._writer.close()


@pytest.fixture(scope="module")
def recording(start_tracker, make_client, ros, tmp_path_factory):
    """A bag with prompts of two sources, a correction, a removal, a reset and frames left out."""
    path = tmp_path_factory.mktemp("recording") / "bag"
    start_tracker(*ros.tiny)
    client = make_client()
    recorder = BagRecorder(client.node, path)
    client.wait_for_camera()
    client.wait_until(lambda: client.node.count_publishers("/tracker/applied_prompts"))
    clicks = client.publisher(PointStamped, "click")
    sent = 0

    def follow(count: int, at_once: int = 1) -> None:
        nonlocal sent
        for _ in range(count):
            images = [ros.image(client.next_header(), seed=sent + n) for n in range(at_once)]
            sent += at_once
            for image in images[:-1]:  # of these most are dropped for a newer one
                client.send(image)
            client.track(images[-1])

    follow(2)
    client.pause(True)
    for number in range(2):  # recorded, and never processed
        heard = recorder.counts["/image"]
        client.send(ros.image(client.next_header(), seed=100 + number))
        client.wait_until(lambda heard=heard: recorder.counts["/image"] > heard, "an image")
    client.pause(False)
    assert client.add_prompt(points=[(30, 20)], labels=[1], label="cup").success
    follow(3, at_once=4)
    clicks.publish(ros.click(90.0, 70.0))
    client.wait_until(lambda: recorder.counts["/tracker/applied_prompts"] == 2, "a click")
    follow(3)
    assert client.add_prompt(object_id=1, box=(20, 10, 70, 60)).success
    follow(2, at_once=3)
    assert client.remove(1).success
    follow(2)
    client.reset()
    follow(1)
    assert client.add_prompt(points=[(64, 48)], labels=[1]).object.id == 1  # anew
    follow(3, at_once=2)
    objects = [stamp_ns(message.header.stamp) for message in client.objects]
    assert recorder.counts["/image"] >= len(objects) + 2
    for topic in ("/tracker/objects", "/tracker/label_image"):
        client.wait_until(lambda topic=topic: recorder.counts[topic] >= len(objects), topic)
    client.wait_until(lambda: recorder.counts["/tracker/applied_prompts"] == 4, "all prompts")
    recorder.finish(client.node)
    return path, objects


def by_stamp(path: Path) -> dict[int, RecordedFrame]:
    return {frame.stamp_ns: frame for frame in RecordedRun(path).frames()}


def test_the_rerun_of_a_recorded_run_gives_the_same_masks(recording, tmp_path):
    path, processed = recording
    again = tmp_path / "again"
    arguments = [
        "track", path, "--out", tmp_path / "out", "--out-bag", again, "--frames", "processed",
        "--model", "tiny_test", "--weights", "random:0", "--backend", "torch", "--no-overlay",
    ]  # fmt: skip
    assert run([str(each) for each in arguments]) == 0
    first, second = by_stamp(path), by_stamp(again)
    assert list(first) == list(second) == list(dict.fromkeys(processed))
    prompted = RecordedRun(path).prompted()
    assert len(prompted) == 4
    assert prompted == RecordedRun(again).prompted()
    changed = RecordedRun(path).changed_stamps()
    unchanged = [stamp for stamp in first if stamp not in changed]
    assert len(unchanged) >= 9
    for stamp in unchanged:
        one, other = first[stamp], second[stamp]
        assert [described(item) for item in one.objects] == [
            described(item) for item in other.objects
        ]
        np.testing.assert_array_equal(one.label_image, other.label_image)
        assert one.label_image is not None


def described(item: RecordedObject) -> tuple:
    return (
        item.object_id, item.label, item.occluded, item.visibility, item.iou_score, item.area,
        item.origin, item.mask.tobytes(),
    )  # fmt: skip

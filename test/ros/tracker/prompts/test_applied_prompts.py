"""~/applied_prompts: what came from any source, with the id and the frame it was applied to."""

from array import array

import numpy as np
import pytest
from etam_ros.msg import Prompt
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import Image


@pytest.fixture(scope="module")
def tracker(start_tracker, make_client, ros):
    start_tracker(*ros.tiny, "-p", "history.seconds:=30.0")
    client = make_client()
    client.applied = []
    client.listen(Prompt, "applied_prompts", client.applied)
    client.wait_until(lambda: client.node.count_publishers("/tracker/applied_prompts"))
    client.wait_for_camera()
    return client


def next_applied(tracker):
    tracker.wait_until(lambda: tracker.applied, "a prompt that was applied")
    return tracker.applied.pop(0)


def test_every_source_and_nothing_that_was_refused(tracker, ros):
    headers = [tracker.next_header() for _ in range(3)]
    for header in headers:
        tracker.track(ros.image(header))
    answer = tracker.add_prompt(points=[(30, 20)], labels=[1], label="cup")
    assert answer.success, answer.message
    found = next_applied(tracker)
    assert (found.header, found.object_id, found.label) == (headers[2], 1, "cup")
    assert [(point.x, point.y) for point in found.points] == [(30, 20)]
    assert list(found.point_labels) == [1]
    assert not tracker.add_prompt(points=[(999, 20)], labels=[1]).success
    clicks = tracker.publisher(PointStamped, "click")
    clicks.publish(ros.click(90.0, 80.0))
    clicked = next_applied(tracker)
    assert clicked.header == headers[2]
    assert clicked.object_id in {1, 2}
    rows = np.zeros((96, 128), np.uint8)
    rows[8:20, 16:40] = 7
    mask = Image(height=96, width=128, encoding="mono8", step=128, data=array("B", rows.tobytes()))
    late = tracker.add_prompt(mask=mask, header=headers[0])  # a past frame
    found = next_applied(tracker)
    assert (found.header, found.object_id) == (headers[0], late.object.id)
    shown = np.frombuffer(found.mask.data, np.uint8).reshape(96, 128)
    np.testing.assert_array_equal(shown > 0, rows > 0)
    assert not tracker.applied

"""What an operator does to the markers in RViz, with a real tracker and a client like RViz's."""

import math
import threading
from array import array
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from etam_ros.msg import TrackEvent
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import InteractiveMarkerFeedback as Feedback
from visualization_msgs.msg import InteractiveMarkerUpdate

from etam_ros.records import FrameResult
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.rviz.click_markers import ClickMarkers
from etam_ros.ros.tracker.rviz.scene import UNNAMED_FRAME
from etam_ros.ros.tracker.rviz.shapes import MARK_DEPTH, MenuItem

FRAME = "camera"
MODEL = CameraModel.assumed((96, 128))
ON_OBJECT, ELSEWHERE = (30, 20), (100, 80)
NAN = (math.nan, 0.0, 1.0)
DEADLINE_S = 60.0


def on_plane(pixel, depth_m=0.995):
    """The point of the pane at which a pixel is seen."""
    return MODEL.rays(np.array([pixel], float))[0] * depth_m


@pytest.fixture(scope="module")
def running(start_tracker, make_client, ros):
    start_tracker(*ros.tiny, "-p", "markers.max_rate_hz:=100.0")
    client = make_client()
    client.wait_for_camera()
    return client


@pytest.fixture
def tracker(running, ros):
    running.reset()
    assert running.set_parameter("clicks.meaning", "auto").successful
    running.track(ros.image(running.next_header(FRAME)))
    return running


@pytest.fixture
def rviz(tracker, make_rviz):
    rviz = make_rviz(tracker, "/tracker/clicks").start()
    rviz.wait_for("picture")
    return rviz


@pytest.fixture
def events(tracker):

    found = []
    subscription = tracker.listen(TrackEvent, "events", found)
    tracker.wait_until(lambda: tracker.node.count_publishers("/tracker/events"), "events")
    yield found
    tracker.node.destroy_subscription(subscription)


def test_markers_that_wait_for_their_time_hold_nothing_up(ros_context, make_client):
    """The next ones are due in days: that is what `max_rate_hz` may ask for."""
    client, node = make_client(), Node("rare", context=ros_context, use_global_arguments=False)
    rare = replace(Settings(), markers=SimpleNamespace(max_rate_hz=1e-6))
    updates, frame = [], ProcessedFrame(
        FrameResult(1, 1, FRAME, (96, 128), (), np.zeros((96, 128), np.uint16)),
        {}, np.zeros((96, 128, 3), np.uint8), Header(frame_id=FRAME), 0,
    )  # fmt: skip
    with Endpoints(node) as endpoints:
        markers = ClickMarkers(
            endpoints, camera=Camera(lambda: rare.camera, print), settings=lambda: rare,
            ask=print, on_refused=print, on_fault=print,
        )  # fmt: skip
        client.node.create_subscription(
            InteractiveMarkerUpdate, "/rare/clicks/update", updates.append, 10
        )
        client.wait_until(lambda: node.count_subscribers("/rare/clicks/update"), "a listener")

        def shown():
            markers.offer(frame)
            return updates

        client.wait_until(shown, "the first markers")
        drained = threading.Thread(target=markers.drain, daemon=True)
        drained.start()
        drained.join(DEADLINE_S)
        assert not drained.is_alive()
        markers.stop()
        assert markers.join(DEADLINE_S)
    node.destroy_node()


def mask_at(left, top):
    rows = np.zeros((96, 128), np.uint8)
    rows[top : top + 32, left : left + 40] = 255
    return Image(height=96, width=128, encoding="mono8", step=128, data=array("B", rows.tobytes()))


def follow(tracker, ros, left=16, top=8, **fields):
    """Follow what is under a rectangle; its mask is what the label image of the next frame has."""
    answer = tracker.add_prompt(mask=mask_at(left, top), **fields)
    assert answer.success, answer.message
    return answer.object


def send_frame(tracker, ros, seed=0):
    return tracker.track(ros.image(tracker.next_header(FRAME), seed=seed)).objects


def marks_of(found):
    """Names of the markers that there are for these objects."""
    return ["picture", *(f"object_{each.id}" for each in found if not each.occluded)]


def wait_for_event(tracker, events, kind, object_id, words):
    def there():
        return [e for e in events if (e.kind, e.object_id) == (kind, object_id)]

    tracker.wait_until(there, f"event {kind} of object {object_id}")
    assert words in there()[-1].reason


def click(rviz, name, point, **fields):
    rviz.act(name, Feedback.BUTTON_CLICK, point, frame_id=FRAME, **fields)


def choose(rviz, name, item, point=None, **fields):
    rviz.act(name, Feedback.MENU_SELECT, point, frame_id=FRAME, entry=int(item), **fields)


def test_the_pane_covers_the_picture_and_stays_in_the_cameras_frame(rviz):
    picture = rviz.markers["picture"]
    assert picture.header.frame_id == FRAME
    assert (picture.header.stamp.sec, picture.header.stamp.nanosec) == (0, 0)
    (control,) = picture.controls
    (mesh,) = control.markers
    assert control.interaction_mode == control.BUTTON
    assert 0 < mesh.color.a < 0.05
    corners = np.array([(p.x, p.y, p.z) for p in mesh.points])
    assert len(corners) % 3 == 0
    pixels = MODEL.project(corners)
    assert np.allclose(pixels.min(axis=0), (-0.5, -0.5))
    assert np.allclose(pixels.max(axis=0), (127.5, 95.5))


def test_a_click_on_the_pane_starts_an_object_at_its_pixel_and_its_mark_comes(
    rviz, tracker, events, ros
):
    click(rviz, "picture", on_plane(ON_OBJECT))
    wait_for_event(tracker, events, TrackEvent.ADDED, 1, "click at (30, 20) from ~/clicks")
    found = send_frame(tracker, ros)
    assert [each.id for each in found] == [1]


def pixel_of(found):
    """One that belongs to the mask."""
    rows = np.frombuffer(found.mask.data, np.uint8).reshape(found.mask.height, found.mask.step)
    row, column = np.argwhere(rows)[0]
    return found.box.x_offset + int(column), found.box.y_offset + int(row)


def text_of(mark):
    return mark.controls[0].markers[1].text


def test_a_mark_follows_its_object_is_renamed_and_vanishes_with_it(rviz, tracker, ros):
    follow(tracker, ros)
    (found,) = send_frame(tracker, ros)
    assert not found.occluded
    rviz.wait_for("picture", "object_1")

    def stands_on(state):
        mark = rviz.markers["object_1"].pose.position
        seen = MODEL.project(np.array([(mark.x, mark.y, mark.z)]))[0]
        near = np.abs(seen - (state.centroid.x, state.centroid.y)).max() <= 0.3
        return near and math.isclose(mark.z, MARK_DEPTH)

    tracker.wait_until(lambda: stands_on(found), "the mark on the centroid")
    moved = found
    for seed in range(1, 9):  # another picture moves the mask
        if abs(moved.centroid.x - found.centroid.x) <= 1:
            (moved,) = send_frame(tracker, ros, seed)
    assert abs(moved.centroid.x - found.centroid.x) > 1
    tracker.wait_until(lambda: stands_on(moved), "the mark on the new centroid")
    follow(tracker, ros, object_id=1, label="cup\nred")
    send_frame(tracker, ros)
    tracker.wait_until(lambda: text_of(rviz.markers["object_1"]) == "1 cup red", "the new name")
    assert tracker.remove(1).success
    send_frame(tracker, ros)
    rviz.wait_for("picture")


def test_menus_ask_for_a_new_object_background_and_removal(rviz, tracker, events, ros):
    follow(tracker, ros)
    choose(rviz, "picture", MenuItem.NEW, on_plane(ON_OBJECT))  # on an object, and yet a new one
    wait_for_event(tracker, events, TrackEvent.ADDED, 2, "click at (30, 20) from ~/clicks")
    choose(rviz, "picture", MenuItem.BACKGROUND, on_plane(ELSEWHERE))
    tracker.wait_until(
        lambda: [e for e in events if e.kind == TrackEvent.REFINED], "a refined object"
    )
    assert "background click at (100, 80) from ~/clicks" in events[-1].reason
    choose(rviz, "picture", MenuItem.RESET)
    wait_for_event(tracker, events, TrackEvent.REMOVED, 1, "asked for by ~/clicks")
    wait_for_event(tracker, events, TrackEvent.REMOVED, 2, "asked for by ~/clicks")


def test_what_is_at_a_place_is_selected_or_removed(rviz, tracker, events, ros):
    follow(tracker, ros)
    (found,) = send_frame(tracker, ros)
    rviz.wait_for("picture", "object_1")
    there = pixel_of(found)
    assert tracker.set_parameter("clicks.meaning", "target").successful
    choose(rviz, "picture", MenuItem.SELECT, on_plane(there))
    click(rviz, "picture", on_plane(ELSEWHERE))  # for the object that is selected
    wait_for_event(tracker, events, TrackEvent.REFINED, 1, "click at (100, 80) from ~/clicks")
    choose(rviz, "picture", MenuItem.REMOVE, on_plane(there))
    wait_for_event(tracker, events, TrackEvent.REMOVED, 1, "asked for by ~/clicks")


def test_a_mark_selects_its_object_and_has_a_menu_for_it(rviz, tracker, events, ros):
    for left in (16, 16, 40):
        follow(tracker, ros, left=left)
    found = send_frame(tracker, ros)
    rviz.wait_for(*marks_of(found))
    one, other = [each.id for each in found if not each.occluded][:2]
    assert [entry.title for entry in rviz.markers[f"object_{other}"].menu_entries] == [
        f"Select {other}",
        f"Background here: not {other}",
        f"Remove {other}",
        "Reset: forget all objects",
    ]
    assert tracker.set_parameter("clicks.meaning", "target").successful
    click(rviz, f"object_{other}", on_plane(ON_OBJECT))
    click(rviz, "picture", on_plane(ELSEWHERE))
    wait_for_event(tracker, events, TrackEvent.REFINED, other, "click at (100, 80) from ~/clicks")
    choose(rviz, f"object_{one}", MenuItem.BACKGROUND, on_plane((20, 20), MARK_DEPTH))
    words = "background click at (20, 20) from ~/clicks"
    wait_for_event(tracker, events, TrackEvent.REFINED, one, words)
    choose(rviz, f"object_{one}", MenuItem.REMOVE)
    wait_for_event(tracker, events, TrackEvent.REMOVED, one, "asked for by ~/clicks")


BAD = {
    "a point that is no number": (
        lambda rviz: click(rviz, "picture", NAN), "click is at (nan, 0, 1) m"),
    "behind the camera": (
        lambda rviz: click(rviz, "picture", (0, 0, -1)), "a point in front of the camera"),
    "far away": (
        lambda rviz: click(rviz, "picture", (1e300, 0, 1e-300)), "click on the image"),
    "beside the picture": (
        lambda rviz: click(rviz, "picture", (3, 0, 1)), "expected one in the frame of 128 x 96"),
    "no valid point": (
        lambda rviz: click(rviz, "picture", None), "click has no valid point"),
    "another frame": (
        lambda rviz: rviz.act("picture", Feedback.BUTTON_CLICK, (0, 0, 1), frame_id="map"),
        "click is in frame 'map', expected 'camera'"),
    "an unknown marker": (
        lambda rviz: click(rviz, "x" * 9999, (0, 0, 1)), "expected one of: picture"),
    "an unknown menu entry": (
        lambda rviz: choose(rviz, "picture", 77, (0, 0, 1)), "menu entry 77, expected one of 1"),
    "an unknown event": (
        lambda rviz: rviz.act("picture", 200, (0, 0, 1), frame_id=FRAME), "event type 200"),
    "nothing there to remove": (
        lambda rviz: choose(rviz, "picture", MenuItem.REMOVE, on_plane(ELSEWHERE)),
        "no object is at (100, 80) to remove"),
    "no object to take the background off": (
        lambda rviz: choose(rviz, "picture", MenuItem.BACKGROUND, on_plane(ELSEWHERE)),
        "no object is visible that the background click could correct"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_feedback_is_refused_in_words(rviz, tracker, what):
    act, words = BAD[what]
    refused = int(tracker.status("tracking", lambda *_: True)[1]["refused_prompts"])
    act(rviz)
    _, values = tracker.status("tracking", lambda _, v: words in v["last_refusal"])
    assert int(values["refused_prompts"]) == refused + 1
    assert values["objects"] == "0"
    assert len(values["last_refusal"]) < 300
    assert values["last_refusal"].endswith("(~/clicks)")


def test_two_operators_see_the_same_and_miss_nothing(rviz, tracker, ros, make_rviz):
    follow(tracker, ros)
    send_frame(tracker, ros)
    rviz.wait_for("picture", "object_1")
    second = make_rviz(tracker, "/tracker/clicks").start()
    second.wait_for("picture", "object_1")
    for seed in range(1, 9):  # `MarkerClient` fails where a number or a marker is missing
        send_frame(tracker, ros, seed)
    tracker.wait_until(lambda: second.markers == rviz.markers, "both the same")
    assert rviz.starts == second.starts == 1


def test_images_that_name_no_frame_are_shown_in_the_one_of_the_configuration(
    rviz, tracker, events, ros
):
    tracker.track(ros.image(tracker.next_header("")))

    def frame():
        return rviz.markers["picture"].header.frame_id

    tracker.wait_until(lambda: frame() == UNNAMED_FRAME, "the frame of the configuration")
    where = on_plane(ON_OBJECT)
    rviz.act("picture", Feedback.BUTTON_CLICK, where, frame_id=UNNAMED_FRAME)
    wait_for_event(tracker, events, TrackEvent.ADDED, 1, "click at (30, 20) from ~/clicks")


def test_deactivation_takes_the_markers_back(rviz, tracker, ros, make_rviz):
    assert tracker.change_state("deactivate")
    tracker.wait_until(lambda: not rviz.offered(), "the service to go")
    rviz.close()
    assert tracker.change_state("activate")
    tracker.wait_for_camera()
    again = make_rviz(tracker, "/tracker/clicks").start()
    assert again.markers == {}
    send_frame(tracker, ros)
    again.wait_for("picture")

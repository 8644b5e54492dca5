"""Recorded results and label images, from real bags with our own messages."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etam_ros.errors import SourceError
from etam_ros.media.bags.definitions import known_types
from etam_ros.media.bags.labels import frames_with_labels
from etam_ros.media.bags.results import RecordedRun
from etam_ros.media.sources import open_source

rosbags = pytest.importorskip("rosbags")

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from bag_files import (  # noqa: E402
    HW,
    MCAP,
    SQLITE,
    header,
    pictures,
    raw,
    shade_number,
    stamp_ns,
    write_bag,
)

TYPES: Any = known_types().types


def labels_at(number: int) -> np.ndarray:
    labels = np.zeros(HW, np.uint16)
    labels[20:40, 10 + number : 50 + number] = 300
    return labels


def objects_at(number: int, *, occluded: bool = False) -> Any:
    """One object, 20 x 40 pixels large, as the tracker publishes it."""
    make = {name.rpartition("/")[2]: kind for name, kind in TYPES.items()}
    nowhere = make["Point"](x=math.nan, y=math.nan, z=math.nan)
    region = make["RegionOfInterest"]
    none = region(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    box = region(x_offset=10 + number, y_offset=20, height=20, width=40, do_rectify=False)
    mask = raw(np.full((20, 40), 255, np.uint8), stamp_ns(number), "mono8")
    empty = raw(np.zeros((0, 0), np.uint8), stamp_ns(number), "mono8")
    state = make["TrackedObject"](
        id=300, label="cup", occluded=occluded, visibility=0.75, iou_score=0.5,
        area=0 if occluded else 800, pieces=1, main_piece_share=1.0,
        box=none if occluded else box, mask=empty if occluded else mask,
        centroid=nowhere if occluded else make["Point"](x=29.5 + number, y=29.5, z=0.0),
        bearing=make["Vector3"](x=math.nan, y=math.nan, z=math.nan),
        position=make["PointStamped"](header=header(stamp_ns(number)), point=nowhere),
        position_spread=math.nan, time_since_seen=make["Duration"](sec=0, nanosec=0),
        last_box=box, last_centroid=nowhere,
    )  # fmt: skip
    return make["TrackedObjectArray"](
        header=header(stamp_ns(number)), objects=[state], frame_number=number + 1,
        latency_ms=12.5, dropped_frames=number,
    )  # fmt: skip


def recording(count: int = 6, tracker: str = "/tracker") -> list[tuple[str, Any]]:
    """A camera of which every second frame was processed; frame 4 shows nothing."""
    messages: list[tuple[str, Any]] = []
    for number, picture in enumerate(pictures(count)):
        messages.append(picture)
        if number % 2 == 0:
            hidden = number == 4
            labels = labels_at(number) * (not hidden)
            messages.append((f"{tracker}/objects", objects_at(number, occluded=hidden)))
            label = raw(labels.astype(np.uint16), stamp_ns(number), "16UC1")
            messages.append((f"{tracker}/label_image", label))
    return messages


@pytest.mark.parametrize("plugin", [MCAP, SQLITE], ids=["mcap", "sqlite3"])
def test_recorded_results_come_back(tmp_path, plugin):
    path = write_bag(tmp_path / "bag", recording(), plugin, store=known_types())
    run = RecordedRun(path)
    assert run.tracker == "/tracker"
    assert run.stamps() == {stamp_ns(0), stamp_ns(2), stamp_ns(4)}
    frames = list(run.frames())
    assert [frame.stamp_ns for frame in frames] == [stamp_ns(0), stamp_ns(2), stamp_ns(4)]
    frame = frames[1]
    assert (frame.frame_id, frame.frame_number, frame.latency_ms) == ("camera", 3, 12.5)
    assert (frame.image_hw, frame.dropped_frames) == (HW, 2)
    (item,) = frame.objects
    assert (item.object_id, item.label, item.visibility, item.area) == (300, "cup", 0.75, 800)
    assert item.centroid == (31.5, 29.5)
    np.testing.assert_array_equal(item.mask_in(HW), labels_at(2) == 300)
    np.testing.assert_array_equal(frame.label_image, labels_at(2))
    assert frames[2].objects[0].occluded
    assert not frames[2].objects[0].mask_in(HW).any()
    assert math.isnan(frames[2].objects[0].centroid[0])


def test_label_images_and_objects_may_come_in_any_order(tmp_path):
    results = [each for each in recording() if each[0] != "/camera/image"]
    mixed = [results[at] for at in (1, 0, 2, 4, 3, 5)]
    path = write_bag(
        tmp_path / "bag", mixed, store=known_types(), received_ns=[stamp_ns(n) for n in range(6)]
    )
    frames = list(RecordedRun(path).frames())
    assert [frame.stamp_ns for frame in frames] == [stamp_ns(0), stamp_ns(2), stamp_ns(4)]
    assert [frame.label_image is not None for frame in frames] == [True] * 3
    np.testing.assert_array_equal(frames[1].label_image, labels_at(2))


def test_results_without_label_images_still_have_masks(tmp_path):
    messages = [each for each in recording() if not each[0].endswith("label_image")]
    first, *_ = RecordedRun(write_bag(tmp_path / "bag", messages, store=known_types())).frames()
    assert first.label_image is None
    assert first.image_hw is None
    assert first.objects[0].mask_in(HW).sum() == 800


def test_results_without_stamps_do_not_say_which_frames_they_are_of(tmp_path):
    messages = recording(1)
    messages[1][1].header = header(0)
    path = write_bag(tmp_path / "bag", messages, store=known_types())
    with pytest.raises(SourceError, match="results without stamps"):
        RecordedRun(path).stamps()
    assert len(list(RecordedRun(path).frames())) == 1


def test_of_several_trackers_one_is_chosen(tmp_path):
    messages = recording() + recording(tracker="/front/tracker")[1::2]
    path = write_bag(tmp_path / "bag", messages, store=known_types())
    with pytest.raises(SourceError, match="with --tracker one of /front/tracker, /tracker"):
        RecordedRun(path)
    assert RecordedRun(path, tracker="/front/tracker").tracker == "/front/tracker"
    with pytest.raises(SourceError, match="holds nothing from a tracker '/rear'"):
        RecordedRun(path, tracker="/rear")


def test_of_several_cameras_that_is_found_which_was_followed(tmp_path):
    messages = recording()
    for number in range(6):  # on the same stamps, as the other half of a stereo camera
        other = raw(np.zeros((*HW, 3), np.uint8), stamp_ns(number), frame_id="right")
        messages.append(("/another/image", other))
    path = write_bag(tmp_path / "bag", messages, store=known_types())
    with open_source(path) as source:
        assert source.topic == "/camera/image"


def test_a_bag_without_results_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no results of a tracker"):
        RecordedRun(write_bag(tmp_path / "bag", pictures(2)))


def test_frames_come_with_the_label_image_of_their_stamp(tmp_path):
    path = write_bag(tmp_path / "bag", recording(), store=known_types())
    found = list(frames_with_labels(path))
    assert [shade_number(frame.image) for frame, _ in found] == [0, 1, 2, 3, 4, 5]
    assert [labels is not None for _, labels in found] == [True, False] * 3
    np.testing.assert_array_equal(found[2][1], labels_at(2))


def test_our_messages_have_the_hashes_that_ros_gives_them():
    messages = pytest.importorskip("etam_ros.msg")
    import json

    from etam_ros.paths import share_file

    assert messages.Prompt
    for name in ("Prompt", "TrackEvent", "TrackedObject", "TrackedObjectArray"):
        described = json.loads(share_file(f"msg/{name}.json").read_text())
        hashes = {each["type_name"]: each["hash_string"] for each in described["type_hashes"]}
        ours = known_types().hash_rihs01(f"etam_ros/msg/{name}")
        assert ours == hashes[f"etam_ros/msg/{name}"]

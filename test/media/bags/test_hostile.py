"""Bags that somebody made to do harm, or that a disk has made so: one line, or what is left."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etam_ros.errors import SourceError
from etam_ros.media.sources import open_source
from etam_ros.media.unpacking import unpacked_lz4, unpacked_zstd

pytest.importorskip("rosbags")
zstandard = pytest.importorskip("zstandard")
from rosbags.rosbag2 import CompressionMode, Writer  # noqa: E402

from etam_ros.evaluation.recorded import compare_recorded  # noqa: E402
from etam_ros.media.bags import messages  # noqa: E402
from etam_ros.media.bags.definitions import TRACKED_OBJECT_ARRAY, known_types  # noqa: E402
from etam_ros.media.bags.reader import Bag  # noqa: E402
from etam_ros.media.bags.writer import BagWriter  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from bag_files import (  # noqa: E402
    IMAGE,
    MCAP,
    SQLITE,
    STORE,
    part_of,
    pictures,
    raw,
    shade,
    stamp_ns,
    write_bag,
)

HW = (24, 32)
TOPIC = "/camera/image"
BOTH = pytest.mark.parametrize("plugin", [MCAP, SQLITE], ids=["mcap", "sqlite3"])
_ENDLESS = (
    "CREATE VIEW messages AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) "
    "SELECT i AS id, 1 AS topic_id, i AS timestamp, x'00' AS data FROM r"
)
_BOMB = 'a0: &a0 ["x", "x"]\n' + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


def small_bag(path: Path, plugin: Any = MCAP, count: int = 3, **options: Any) -> Path:
    return write_bag(path, pictures(count, hw=HW), plugin, **options)


def count_of(path: Path, **options: Any) -> int:
    with open_source(path, **options) as source:
        return len(list(source))


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(SourceError) as caught:
        count_of(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("found", "put"),
    [
        ("- small.mcap", "- *a11"),
        ("type: sensor_msgs/msg/Image", "type: *a11"),
        ("version: 9", "version: .inf"),
        ("version: 9", f"version: {'[' * 5000}"),
        ("version: 9", "version: 9\nx: !!python/object/apply:os.getpid []"),
    ],
    ids=["bomb of files", "bomb of types", "infinite", "deep", "code"],
)
def test_metadata_that_would_do_harm_is_done_without(tmp_path, found, put):
    bag = small_bag(tmp_path / "small")
    metadata = bag / "metadata.yaml"
    metadata.write_text(_BOMB + metadata.read_text().replace(found, put))
    assert Bag(bag).notes[0].endswith("the bag is read without it")
    assert count_of(bag) == 3


@pytest.mark.parametrize("name", ["../small/small.mcap", "/etc/small.mcap", "x/../small.mcap"])
def test_files_that_metadata_lists_lie_in_the_folder_and_are_read_once(tmp_path, name):
    bag = small_bag(tmp_path / "small")
    metadata = bag / "metadata.yaml"
    listed = f"- {name}\n  - small.mcap"
    metadata.write_text(metadata.read_text().replace("- small.mcap", listed))
    assert count_of(bag) == 3


@BOTH
def test_a_topic_whose_messages_are_of_another_type_is_one_line(tmp_path, plugin):
    bag = small_bag(tmp_path / "small", plugin)
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("msg/Image", "msg/CompressedImage"))
    assert "is a sensor_msgs/msg/Image, where the topic has" in refusal(bag)
    assert count_of(bag, recover=True) == 3  # by what is in it


@pytest.mark.parametrize(
    "text",
    [
        "uint32 height\nuint32 width\n",
        "string header\nuint32 height\n",
        "std_msgs/Header header\nstring height\nuint32 width\n",
        "uint8[4000000000] data\n",
    ],
    ids=["fewer fields", "another header", "text as height", "huge array"],
)
@BOTH
def test_a_definition_that_contradicts_ours_is_one_line(tmp_path, plugin, text):
    header = "=" * 80 + "\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n"
    time = "=" * 80 + "\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n"
    bag = _defined(tmp_path / "bag", text + header + time, plugin)
    assert "the definition of sensor_msgs/msg/Image in the bag has the field" in refusal(bag)


@pytest.mark.parametrize("text", ["string[4000000] data\n", "sensor_msgs/Image image\n"])
def test_a_definition_that_cannot_be_is_done_without(tmp_path, text):
    assert count_of(_defined(tmp_path / "bag", text, MCAP)) == 2


def _defined(path: Path, text: str, plugin: Any) -> Path:
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection(TOPIC, IMAGE, msgdef=text, rihs01="x")
        for number in range(2):
            picture = raw(shade(number, HW), stamp_ns(number))
            writer.write(connection, 10 + number, STORE.serialize_cdr(picture, IMAGE))
    return path


@given(st.binary(max_size=2000), st.integers(0, 3000))
@settings(deadline=None)
def test_nothing_is_unpacked_to_more_than_was_asked_for(data, most):
    lz4 = pytest.importorskip("lz4.frame")
    for packed, unpacked in (
        (zstandard.ZstdCompressor().compress(data), unpacked_zstd),
        (lz4.compress(data), unpacked_lz4),
    ):
        if len(data) <= most:
            assert unpacked(packed, most) == data
        else:
            with pytest.raises(ValueError, match="more than"):
                unpacked(packed, most)
    with contextlib.suppress(ValueError):
        assert len(unpacked_zstd(data, most)) <= most
    with contextlib.suppress(ValueError):
        assert len(unpacked_lz4(data, most)) <= most


def test_a_message_that_unpacks_to_gigabytes_is_one_line(tmp_path):
    packer = zstandard.ZstdCompressor().compressobj()
    piece = bytes(2**20)
    bomb = b"".join(packer.compress(piece) for _ in range(600)) + packer.flush()
    with Writer(tmp_path / "bag", version=9, storage_plugin=SQLITE) as writer:
        connection = writer.add_connection(TOPIC, IMAGE, typestore=STORE)
        writer.write(connection, 1, bomb)
        picture = raw(shade(1, HW), stamp_ns(1))
        writer.write(connection, 2, STORE.serialize_cdr(picture, IMAGE))
    assert "unpacks to more than" in refusal(tmp_path / "bag")
    assert count_of(tmp_path / "bag", recover=True) == 1


@pytest.mark.parametrize("size", [2**62, 2**32])
def test_a_chunk_that_claims_gigabytes_is_one_line(tmp_path, size):
    bag = small_bag(tmp_path / "bag", compression=CompressionMode.STORAGE)
    data = bytearray(part_of(bag).read_bytes())
    place = 8
    while data[place] != 6:  # a chunk
        place += 9 + struct.unpack_from("<Q", data, place + 1)[0]
    struct.pack_into("<Q", data, place + 9 + 16, size)
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(data[:-20])
    assert "holds no images" in refusal(cut)
    assert any(f"it says that it holds {size} bytes" in note for note in Bag(cut).notes)


@pytest.mark.parametrize(
    "statements",
    [
        [
            "ALTER TABLE messages RENAME TO old",
            _ENDLESS,
        ],
        ["UPDATE messages SET timestamp = 'soon'"],
        ["UPDATE messages SET data = 'text'"],
        [
            "CREATE TABLE n AS SELECT id, topic_id, timestamp, NULL AS data FROM messages",
            "DROP TABLE messages",
            "ALTER TABLE n RENAME TO messages",
        ],
        ["UPDATE topics SET name = CAST(x'fffe2f' AS TEXT)"],
    ],
    ids=["endless view", "times of text", "data of text", "no data", "not utf-8"],
)
def test_sqlite_of_another_kind_is_one_line(tmp_path, statements):
    bag = small_bag(tmp_path / "bag", SQLITE)
    database = sqlite3.connect(part_of(bag))
    for each in statements:
        database.execute(each)
    database.commit()
    database.close()
    (bag / "metadata.yaml").unlink()
    refusal(bag)
    refusal(bag, recover=True)


@BOTH
@pytest.mark.parametrize("name", ["run #3", "what?", "50%20", "é\n"])
def test_a_bag_may_have_any_name(tmp_path, plugin, name):
    small_bag(tmp_path / "bag", plugin).rename(tmp_path / name)
    assert count_of(tmp_path / name) == 3


@pytest.mark.parametrize("name", ["pipe.mcap", "pipe.mp4", "pictures/pipe.png"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    assert "pipe" in refusal(path if path.parent == tmp_path else path.parent)


def tracked(path: Path, count: int = 3, **changed: Any) -> Path:
    """A bag of one object on each frame, without label images; `changed` on the second one."""
    types = known_types().types
    with BagWriter(path) as writer:
        for number in range(count):
            head = messages.header(stamp_ns(number), "camera")
            region = types["sensor_msgs/msg/RegionOfInterest"](
                x_offset=1, y_offset=1, height=2, width=2, do_rectify=False
            )
            point = types["geometry_msgs/msg/Point"](x=1.0, y=1.0, z=0.0)
            fields = {
                "id": 1, "label": "", "occluded": False, "visibility": 1.0, "iou_score": 1.0,
                "area": 4, "pieces": 1, "main_piece_share": 1.0, "box": region,
                "mask": messages.image(np.full((2, 2), 255, np.uint8), "mono8", head),
                "centroid": point,
                "bearing": types["geometry_msgs/msg/Vector3"](x=0.0, y=0.0, z=1.0),
                "position": types["geometry_msgs/msg/PointStamped"](header=head, point=point),
                "position_spread": 0.0,
                "time_since_seen": types["builtin_interfaces/msg/Duration"](sec=0, nanosec=0),
                "last_box": region, "last_centroid": point,
            } | (changed if number == 1 else {})  # fmt: skip
            item = types["etam_ros/msg/TrackedObject"](**fields)
            whole = types[TRACKED_OBJECT_ARRAY](
                header=head, objects=[item], frame_number=number, latency_ms=1.0, dropped_frames=0
            )
            writer.write("/tracker/objects", whole, stamp_ns(number))
    return path


def _far() -> Any:
    return known_types().types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=2**32 - 1, y_offset=2**32 - 1, height=2, width=2, do_rectify=False
    )


def _coloured() -> Any:
    head = messages.header(0, "camera")
    return messages.image(np.zeros((2, 2, 3), np.uint8), "rgb8", head)


@pytest.mark.parametrize(
    "changed",
    [{"id": 70000}, {"id": 0}, {"box": _far()}, {"mask": _coloured()}],
    ids=["id too high", "no id", "box far out", "mask of colours"],
)
def test_results_that_cannot_be_are_one_line_and_can_be_left_out(tmp_path, changed):
    bag = tracked(tmp_path / "bag", **changed)
    with pytest.raises(SourceError, match="/tracker/objects: ") as caught:
        compare_recorded(bag, bag)
    assert "\n" not in str(caught.value)
    assert compare_recorded(bag, bag, recover=True).shared == 2


@pytest.mark.parametrize("seconds", [2**31, -(2**31) - 1, 2**62 // 10**9])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_stamp_that_no_message_holds_is_one_line(tmp_path, storage, seconds):
    ns = seconds * 10**9
    labels = messages.image(np.ones(HW, np.uint16), "16UC1", messages.header(ns, "camera"))

    def write() -> None:
        with BagWriter(tmp_path / "b", storage) as writer:
            writer.write("/l", labels, ns)

    with pytest.raises(SourceError, match="1901 to 2038"):
        write()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_two_writers_of_one_bag_do_not_mix(tmp_path, storage):
    first = BagWriter(tmp_path / "bag", storage)
    with pytest.raises(SourceError, match="being written by another run"):
        BagWriter(tmp_path / "bag", storage)
    first.abandon()
    with BagWriter(tmp_path / "bag", storage) as writer:  # what is left is taken away
        head = messages.header(0, "camera")
        writer.write("/l", messages.image(np.ones(HW, np.uint16), "16UC1", head), 0)
    assert Bag(tmp_path / "bag").topics["/l"].count == 1
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


@pytest.mark.parametrize("name", ["n" * 300, "x/.."])
def test_a_name_that_no_bag_can_have_is_one_line(tmp_path, name):
    with pytest.raises(SourceError) as caught:
        BagWriter(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_sqlite_takes_no_path_for_an_address(tmp_path):
    with pytest.raises(SourceError, match=re.escape("?, # or %")):
        BagWriter(tmp_path / "run #3", "sqlite3")

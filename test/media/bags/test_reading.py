"""Bags as sources of frames: real bags of both storages, whole, compressed, split, and broken."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etam_ros.errors import SourceError
from etam_ros.media.sources import open_source

rosbags = pytest.importorskip("rosbags")
from rosbags.rosbag2 import CompressionMode  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from bag_files import (  # noqa: E402
    COMPRESSED,
    IMAGE,
    MCAP,
    PACKET,
    SQLITE,
    VIDEO,
    jpeg,
    packets,
    part_of,
    pictures,
    raw,
    shade,
    shade_number,
    stamp_ns,
    write_bag,
)  # fmt: skip

BOTH = pytest.mark.parametrize("plugin", [MCAP, SQLITE], ids=["mcap", "sqlite3"])


def numbers_of(path: Path, **options: Any) -> list[int]:
    """What the frames of a source show, which must be on the stamps of those numbers."""
    with open_source(path, **options) as source:
        frames = list(source)
    numbers = [shade_number(frame.image) for frame in frames]
    assert [frame.stamp_ns for frame in frames] == [stamp_ns(number) for number in numbers]
    return numbers


def refusal(path: Path, **options: Any) -> str:
    """The one line with which a bag is refused, when opened or read."""
    with pytest.raises(SourceError) as caught, open_source(path, **options) as source:
        list(source)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 700
    return line


@BOTH
def test_frames_come_with_their_stamps_and_coordinate_frame(tmp_path, plugin):
    path = write_bag(tmp_path / "bag", pictures(6), plugin)
    with open_source(path) as source:
        assert (source.name, source.fps, source.frame_count) == ("bag:/camera/image", 10, 6)
        assert not source.live
        for _ in range(2):  # each iteration starts over
            frames = list(source)
            assert [frame.stamp_ns for frame in frames] == [stamp_ns(n) for n in range(6)]
            assert {frame.frame_id for frame in frames} == {"camera"}
            for number, frame in enumerate(frames):
                np.testing.assert_array_equal(frame.image, shade(number))
        assert source.notes == []


@BOTH
@pytest.mark.parametrize("mode", list(CompressionMode), ids=lambda mode: mode.name)
def test_compression(tmp_path, plugin, mode):
    if plugin == SQLITE and mode == CompressionMode.STORAGE:
        pytest.skip("SQLite compresses nothing itself")
    path = write_bag(tmp_path / "bag", pictures(8), plugin, compression=mode)
    assert numbers_of(path) == list(range(8))
    (path / "metadata.yaml").unlink()
    assert numbers_of(path) == list(range(8))
    assert numbers_of(part_of(path)) == list(range(8))


def split_bag(folder: Path, plugin: Any, mode: CompressionMode = CompressionMode.NONE) -> Path:
    """A bag of twelve parts with two frames each, as a recorder that splits leaves it."""
    bag = folder / "bag"
    bag.mkdir(parents=True)
    said: dict[str, Any] = {}
    names = []
    for part in range(12):
        pieces = pictures(24)[2 * part : 2 * part + 2]
        written = write_bag(folder / f"bag_{part}", pieces, plugin, compression=mode)
        said = yaml.safe_load((written / "metadata.yaml").read_text())
        names.append(part_of(written).name)
        part_of(written).rename(bag / names[-1])
    information = said["rosbag2_bagfile_information"]
    information["relative_file_paths"] = names
    information["message_count"] = 24
    information["topics_with_message_count"][0]["message_count"] = 24
    (bag / "metadata.yaml").write_text(yaml.safe_dump(said))
    return bag


@BOTH
@pytest.mark.parametrize("mode", [CompressionMode.NONE, CompressionMode.FILE])
def test_a_bag_of_several_files_is_read_in_their_order(tmp_path, plugin, mode):
    path = split_bag(tmp_path, plugin, mode)
    assert numbers_of(path) == list(range(24))
    (path / "metadata.yaml").unlink()
    assert numbers_of(path) == list(range(24))  # _10 after _9


@BOTH
def test_a_part_that_is_missing_is_named(tmp_path, plugin):
    path = split_bag(tmp_path, plugin)
    (gone,) = path.glob("bag_3.*")
    gone.unlink()
    assert gone.name in refusal(path)
    with open_source(path, recover=True) as source:
        assert [shade_number(frame.image) for frame in source] == [*range(6), *range(8, 24)]
        assert gone.name in source.notes[0]


@pytest.mark.parametrize("damage", ["", "a: [", "rosbag2_bagfile_information: 3", "\x00\x01"])
def test_metadata_that_says_nothing_is_done_without(tmp_path, damage):
    path = write_bag(tmp_path / "bag", pictures(3))
    (path / "metadata.yaml").write_text(damage)
    assert numbers_of(path) == [0, 1, 2]


@BOTH
@pytest.mark.parametrize("tenth", range(10))
def test_a_bag_that_was_cut_off_is_one_line_and_what_is_left_is_read(tmp_path, plugin, tenth):
    path = write_bag(tmp_path / "bag", pictures(25), plugin)
    file = part_of(path)
    size = file.stat().st_size * tenth // 10
    with file.open("r+b") as opened:
        opened.truncate(size)
    assert "damaged" in refusal(path)
    assert "--recover" in refusal(path)
    least = 25 * tenth // 10 - 2  # of a part of a chunk, or behind a page that is gone
    if tenth == 0 or (plugin == SQLITE and least <= 0):
        assert "no images" in refusal(path, recover=True) or tenth
        return
    with open_source(path, recover=True) as source:
        frames = list(source)
        assert source.notes[0].startswith("lost: ")
    numbers = [shade_number(frame.image) for frame in frames]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= least


def test_a_recorder_that_was_killed_left_an_mcap_without_its_end(tmp_path):
    path = write_bag(tmp_path / "bag", pictures(20))
    (path / "metadata.yaml").unlink()
    file = part_of(path)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size * 7 // 10)
    with open_source(path) as source:
        numbers = [shade_number(frame.image) for frame in source]
        assert numbers == list(range(source.frame_count))
        assert len(numbers) >= 12
        (note,) = source.notes
        assert "its recorder did not finish it" in note


def test_a_recorder_that_was_killed_left_a_write_ahead_log(tmp_path):
    path = write_bag(tmp_path / "bag", pictures(4), SQLITE)
    (path / "metadata.yaml").unlink()
    file = part_of(path)
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("UPDATE messages SET timestamp = timestamp + 1")
        database.execute("DELETE FROM messages WHERE id = 4")
        database.commit()
        killed = tmp_path / "killed"  # as the disk looks while the recorder still runs
        shutil.copytree(path, killed)
    (killed / f"{file.name}-shm").unlink(missing_ok=True)
    before = {each.name: each.read_bytes() for each in killed.iterdir()}
    with open_source(killed) as source:
        assert [shade_number(frame.image) for frame in source] == [0, 1, 2]
        assert "put together" in source.notes[0]
    assert {each.name: each.read_bytes() for each in killed.iterdir()} == before


def test_a_recorder_that_was_killed_left_a_journal(tmp_path):
    path = write_bag(tmp_path / "bag", pictures(4), SQLITE)
    (path / "metadata.yaml").unlink()
    with sqlite3.connect(part_of(path)) as database:
        database.execute("PRAGMA cache_size=1")  # half of what changes is on disk already
        database.execute("UPDATE messages SET data = zeroblob(length(data)), timestamp = 0")
        killed = tmp_path / "killed"
        shutil.copytree(path, killed)
        database.rollback()
    assert list(killed.glob("*-journal"))
    with open_source(killed) as source:
        assert [shade_number(frame.image) for frame in source] == [0, 1, 2, 3]
        assert "put together" in source.notes[0]


def test_a_bag_of_ros_1(tmp_path):
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    path = tmp_path / "old.bag"
    with Writer(path) as writer:
        connection = writer.add_connection("/image", IMAGE, typestore=store)
        for number in range(3):
            stamp = store.types["builtin_interfaces/msg/Time"](5, number)
            head = store.types["std_msgs/msg/Header"](number, stamp, "camera")
            message = raw(shade(number), stamp_ns(number))
            fields = {**vars(message), "header": head}
            fields.pop("__msgtype__", None)
            data = store.serialize_ros1(store.types[IMAGE](**fields), IMAGE)
            writer.write(connection, stamp_ns(number), data)
    with open_source(path) as source:
        frames = list(source)
    assert [shade_number(frame.image) for frame in frames] == [0, 1, 2]
    assert [frame.stamp_ns for frame in frames] == [5_000_000_000 + n for n in range(3)]


def test_a_bag_without_definitions_is_read_by_those_that_are_known(tmp_path):
    items = [("/image/ffmpeg", packet) for packet in packets(3, PACKET)]
    path = write_bag(tmp_path / "bag", items, SQLITE)
    with sqlite3.connect(part_of(path)) as database:
        database.execute("DELETE FROM message_definitions")
    assert numbers_of(path) == [0, 1, 2]


def rewritten(bag: Path, file: Path, order: list[int], **options: Any) -> Path:
    """The messages of a bag in an MCAP file that another library writes."""
    from mcap.reader import make_reader
    from mcap.writer import Writer as McapWriter

    with part_of(bag).open("rb") as opened, file.open("wb") as out:
        writer = McapWriter(out, **options)
        writer.start(profile="ros2")
        found = list(make_reader(opened).iter_messages())
        schema = found[0][0]
        schema_id = writer.register_schema(schema.name, schema.encoding, schema.data)
        channel_id = writer.register_channel("/camera/image", "cdr", schema_id)
        for number in order:
            message = found[number][2]
            writer.add_message(channel_id, message.log_time, message.data, message.log_time)
        writer.finish()
    return file


def test_an_mcap_without_index_or_chunks_is_read(tmp_path):
    bag = write_bag(tmp_path / "bag", pictures(5))
    order = [1, 0, 2, 4, 3]  # not that of receipt
    file = rewritten(bag, tmp_path / "plain.mcap", order, use_chunking=False)
    assert sorted(numbers_of(file)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["NONE", "LZ4", "ZSTD"])
def test_an_mcap_of_another_library_whole_and_cut_off(tmp_path, name):
    from mcap.writer import CompressionType

    bag = write_bag(tmp_path / "bag", pictures(20))
    file = rewritten(
        bag, tmp_path / "other.mcap", list(range(20)), compression=CompressionType[name],
        chunk_size=500_000,
    )  # fmt: skip
    assert numbers_of(file) == list(range(20))
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size * 7 // 10)
    numbers = numbers_of(file)  # nobody ever said that it was finished
    assert numbers == list(range(len(numbers)))
    assert 12 <= len(numbers) <= 14


@BOTH
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_frames_or_one_line(tmp_path_factory, plugin, data):
    path = tmp_path_factory.mktemp("damaged") / "bag"
    write_bag(path, pictures(4, hw=(8, 8)), plugin)
    file = part_of(path)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        run = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + len(run)] = run
    file.write_bytes(content)
    for recover in (False, True):
        line = ""
        with contextlib.suppress(SourceError), open_source(path, recover=recover) as source:
            try:
                assert all(frame.image.ndim == 3 for frame in source)
            except SourceError as error:
                line = str(error)
        assert "\n" not in line
    shutil.rmtree(path)


def test_cameras_are_told_apart(tmp_path):
    messages = []
    for number in range(3):
        messages += [
            ("/left/image", raw(shade(number), stamp_ns(number))),
            ("/left/image/compressed", jpeg(shade(number), stamp_ns(number))),
            ("/left/depth", raw(np.full((4, 4), 900, np.uint16), stamp_ns(number), "16UC1")),
            ("/right/image/compressed", jpeg(shade(number + 9), stamp_ns(number + 9))),
        ]
    path = write_bag(tmp_path / "bag", messages)
    line = refusal(path)
    assert "2 cameras" in line
    assert "/left/image (3 Image), /right/image/compressed (3 CompressedImage)" in line
    assert numbers_of(path, topic="/left/image/compressed") == [0, 1, 2]
    assert numbers_of(path, topic="/right/image/compressed") == [9, 10, 11]
    assert "/right/image/compressed" in refusal(path, topic="/right/image")


def test_of_one_camera_the_raw_images_are_taken(tmp_path):
    messages = [("/image/compressed", jpeg(shade(0), stamp_ns(0))), *pictures(1, "/image")]
    with open_source(write_bag(tmp_path / "bag", messages)) as source:
        assert source.topic == "/image"


def test_a_bag_without_images_says_what_it_holds(tmp_path):
    depth = raw(np.full((4, 4), 900, np.uint16), stamp_ns(0), "16UC1")
    line = refusal(write_bag(tmp_path / "bag", [("/depth", depth)]))
    assert "holds no images of a camera" in line
    assert "/depth (1 Image)" in line
    assert "no topics at all" in refusal(write_bag(tmp_path / "empty", []))


def test_images_may_change_in_size_and_encoding(tmp_path):
    sizes = [(48, 64), (64, 48), (48, 64)]
    messages = [
        ("/image", raw(shade(number, hw), stamp_ns(number), "rgb8"))
        for number, hw in enumerate(sizes)
    ]
    grey = np.full((10, 12), 20 + 24, np.uint8)
    messages.append(("/image", raw(grey, stamp_ns(3), "mono8")))
    with open_source(write_bag(tmp_path / "bag", messages)) as source:
        assert [frame.hw for frame in source] == [*sizes, (10, 12)]


def test_a_zero_stamp_is_the_time_of_receipt_and_repeated_ones_stay(tmp_path):
    stamps = [0, 0, stamp_ns(5), stamp_ns(5), stamp_ns(4)]
    received = [stamp_ns(number) for number in range(5)]
    messages = [("/image", raw(shade(number), ns)) for number, ns in enumerate(stamps)]
    with open_source(write_bag(tmp_path / "bag", messages, received_ns=received)) as source:
        frames = list(source)
    assert [shade_number(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.stamp_ns for frame in frames] == [*received[:2], *stamps[2:]]


def test_a_message_that_is_no_picture_is_named_and_can_be_left_out(tmp_path):
    bad = raw(shade(1), stamp_ns(1))
    bad.data = bad.data[:100]
    messages = [*pictures(1), ("/camera/image", bad), *pictures(3)[2:]]
    path = write_bag(tmp_path / "bag", messages)
    assert "message 1 on /camera/image" in refusal(path)
    with open_source(path, recover=True) as source:
        assert [shade_number(frame.image) for frame in source] == [0, 2]
        assert "message 1 on /camera/image" in source.notes[0]


def test_what_is_told_of_many_losses_is_not_endless(tmp_path):
    messages = [each for _ in range(3) for each in pictures(20, hw=(8, 8))]
    for _, message in messages[1:]:
        message.data = message.data[:10]
    with open_source(write_bag(tmp_path / "bag", messages), recover=True) as source:
        assert len(list(source)) == 1
        assert len(source.notes) == 21
        assert source.notes[-1] == "and 39 more things of that kind"


def test_a_message_whose_compression_is_damaged_can_be_left_out(tmp_path):
    path = write_bag(tmp_path / "bag", pictures(4), SQLITE, compression=CompressionMode.MESSAGE)
    with sqlite3.connect(part_of(path)) as database:
        database.execute("UPDATE messages SET data = substr(data, 1, 300) WHERE id = 2")
        database.execute("UPDATE messages SET data = x'28b52ffd00ff' WHERE id = 3")
    assert "damaged" in refusal(path) or "is no" in refusal(path)
    with open_source(path, recover=True) as source:
        assert [shade_number(frame.image) for frame in source] == [0, 3]
        assert len(source.notes) == 2


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_compressed_images(tmp_path, suffix):
    messages = [("/image", jpeg(shade(n), stamp_ns(n), suffix)) for n in range(3)]
    assert messages[0][1].__msgtype__ == COMPRESSED
    assert numbers_of(write_bag(tmp_path / "bag", messages)) == [0, 1, 2]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("kind", [VIDEO, PACKET], ids=["foxglove", "ffmpeg"])
def test_video_packets_from_the_first_key_frame_on(tmp_path, codec, kind):
    messages = [("/image/ffmpeg", packet) for packet in packets(12, kind, codec, gop=5)]
    assert numbers_of(write_bag(tmp_path / "whole", messages)) == list(range(12))
    path = write_bag(tmp_path / "middle", messages[2:])
    assert numbers_of(path) == list(range(5, 12))
    with open_source(path) as source:
        list(source)
        assert "3 frames before the first key frame" in source.notes[0]


def test_a_damaged_packet_costs_the_frames_up_to_the_next_key_frame(tmp_path):
    coded = packets(12, PACKET, gop=5)
    coded[6].data = np.frombuffer(b"\x00\x00\x00\x01\x67no video at all", np.uint8)
    path = write_bag(tmp_path / "bag", [("/image/ffmpeg", packet) for packet in coded])
    with open_source(path, recover=True) as source:
        numbers = [shade_number(frame.image) for frame in source]
    assert numbers[:6] == [0, 1, 2, 3, 4, 5]
    assert numbers[-2:] == [10, 11]


def test_without_the_packages_one_line_names_the_extra(tmp_path, monkeypatch):

    path = write_bag(tmp_path / "bag", pictures(1))
    monkeypatch.setitem(sys.modules, "rosbags", None)
    assert "pip install 'etam_ros[bags]'" in refusal(path)


def test_a_folder_of_several_bags_is_not_one(tmp_path):
    for name in ("monday", "tuesday"):
        part_of(write_bag(tmp_path / name, pictures(1))).rename(tmp_path / f"{name}.mcap")
        shutil.rmtree(tmp_path / name)
    assert "monday.mcap, tuesday.mcap" in refusal(tmp_path)
    assert numbers_of(tmp_path / "monday.mcap") == [0]


def test_a_topic_of_what_is_no_bag_is_refused(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    assert "is not a bag" in refusal(tmp_path / "clip.mp4", topic="/image")


def test_real_bags(shared):
    with open_source(shared / "data/bags/roboto-tiny-svo-ros2/bag") as source:
        assert (source.topic, source.frame_count) == ("/camera/image_raw", 10)
        assert source.fps == pytest.approx(30, abs=0.1)
        frames = list(source)
    assert {frame.hw for frame in frames} == {(480, 752)}
    assert {frame.frame_id for frame in frames} == {"/camera"}
    assert frames[0].stamp_ns == 1363639135456904576
    two = shared / "data/bags/roboto-tiny-ros2/bag"
    assert "/dvs/image_raw (4 Image), /dvs1/image_raw (3 Image)" in refusal(two)
    with open_source(two, topic="/dvs1/image_raw") as source:
        assert len(list(source)) == 3


@pytest.mark.parametrize("kind", ["raw", "png"])
def test_pictures_of_few_bits_are_noted_once(tmp_path, kind):
    greys = np.linspace(0, 4095, 48 * 64).reshape(48, 64).astype(np.uint16)
    stored = [
        raw(greys, stamp_ns(number), "mono16") if kind == "raw"
        else jpeg(greys, stamp_ns(number), ".png")
        for number in range(3)
    ]  # fmt: skip
    path = write_bag(tmp_path / "dark", [("/camera", each) for each in stored])
    with open_source(str(path)) as source:
        assert len(list(source)) == 3
        (note,) = source.notes
    assert "use 12 of 16 bits, and come out nearly black" in note

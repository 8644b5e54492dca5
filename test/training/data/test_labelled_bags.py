"""Real bags, written with rosbags: images with label images on their stamps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run as etam
from etam_ros.errors import SourceError
from etam_ros.training.data.clip_sources import open_clips
from etam_ros.training.data.labelled_bags import read_labelled_bag
from etam_ros.training.run import main as run

rosbags = pytest.importorskip("rosbags")
from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: E402
from rosbags.typesys import Stores, get_typestore  # noqa: E402

STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
HW = (48, 64)


def labels_at(index: int) -> np.ndarray:
    labels = np.zeros(HW, np.uint16)
    labels[10:30, 5 + 3 * index : 25 + 3 * index] = 300
    return labels


def picture_at(index: int) -> np.ndarray:
    picture = np.full((*HW, 3), 90, np.uint8)
    picture[labels_at(index) > 0] = (230, 40, 30)
    return picture


def header(index: int) -> Any:
    time = STORE.types["builtin_interfaces/msg/Time"](sec=5, nanosec=index * 33_000_000)
    return STORE.types["std_msgs/msg/Header"](stamp=time, frame_id="camera")


def raw(index: int, pixels: np.ndarray, encoding: str, padding: int = 0) -> Any:
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return STORE.types[IMAGE](
        header=header(index), height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
        is_bigendian=int(pixels.dtype.byteorder == ">"), step=rows.shape[1], data=rows.reshape(-1),
    )  # fmt: skip


def write_bag(path: Path, messages: list[tuple[str, Any]], plugin: Any = StoragePlugin.MCAP):
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections = {}
        for number, (topic, message) in enumerate(messages):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], number, STORE.serialize_cdr(message, kind))
    return path


def camera(index: int) -> tuple[str, Any]:
    return "/camera/image", raw(index, picture_at(index), "rgb8")


def label(index: int) -> tuple[str, Any]:
    return "/tracker/label_image", raw(index, labels_at(index), "16UC1")


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_pictures_and_ids_come_back_by_their_stamps(tmp_path: Path, plugin: Any) -> None:
    messages = [camera(0), camera(1), label(1), camera(2), camera(3), label(3), label(9)]
    bag = read_labelled_bag(write_bag(tmp_path / "bag", messages, plugin))
    assert len(bag) == 2
    for number, index in enumerate((1, 3)):
        picture, labels = bag.read(number)
        np.testing.assert_array_equal(labels, labels_at(index))
        assert np.abs(picture.astype(int) - picture_at(index)).mean() < 3  # JPEG


def test_a_bag_is_training_data(tmp_path: Path) -> None:
    messages = [message for index in range(6) for message in (camera(index), label(index))]
    path = write_bag(tmp_path / "bag", messages)
    source = open_clips([path])
    clip = source.clip(2, frames=4, size=48)
    assert clip.images.shape == (4, 48, 48, 3)
    assert clip.masks[0, 0].any()
    np.testing.assert_array_equal(open_clips([path]).clip(2, frames=4, size=48).masks, clip.masks)


def test_the_cameras_topic_is_found_among_others(tmp_path: Path) -> None:
    messages: list[tuple[str, Any]] = []
    for index in range(3):
        messages += [
            ("/tracker/overlay", raw(index, np.zeros((*HW, 3), np.uint8), "rgb8")),
            ("/camera/depth", raw(index, np.full(HW, 2000, np.uint16), "16UC1")),
            ("/other/image", raw(index + 50, np.zeros((*HW, 3), np.uint8), "rgb8")),
            camera(index), label(index),
        ]  # fmt: skip
    picture, labels = read_labelled_bag(write_bag(tmp_path / "bag", messages)).read(1)
    np.testing.assert_array_equal(labels, labels_at(1))
    assert np.abs(picture.astype(int) - picture_at(1)).mean() < 3


@pytest.mark.parametrize("encoding", ["bgr8", "mono8", "rgba8", "compressed"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    picture = picture_at(0)
    if encoding == "compressed":
        _, data = cv2.imencode(".jpg", picture[..., ::-1])
        message = STORE.types[COMPRESSED](header=header(0), format="jpeg", data=data.reshape(-1))
    else:
        code = {
            "bgr8": cv2.COLOR_RGB2BGR,
            "mono8": cv2.COLOR_RGB2GRAY,
            "rgba8": cv2.COLOR_RGB2RGBA,
        }
        message = raw(0, np.asarray(cv2.cvtColor(picture, code[encoding])), encoding, padding=5)
    path = write_bag(tmp_path / "bag", [("/camera/image", message), label(0)])
    read, _ = read_labelled_bag(path).read(0)
    expected = picture
    if encoding == "mono8":
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        expected = np.repeat(grey[..., None], 3, axis=2)
    assert np.abs(read.astype(int) - expected).mean() < 6


def test_big_endian_ids(tmp_path: Path) -> None:
    message = raw(0, labels_at(0).astype(">u2"), "16UC1")
    path = write_bag(tmp_path / "bag", [camera(0), ("/tracker/label_image", message)])
    np.testing.assert_array_equal(read_labelled_bag(path).read(0)[1], labels_at(0))


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([camera(0)], "holds no label images, expected a topic of 16UC1 or 8UC1"),
        ([label(0)], "holds no images"),
        ([camera(0), label(5)], "looked at /camera/image"),
        (
            [camera(0), ("/a/ids", label(0)[1]), ("/b/ids", label(0)[1])],
            r"2 topics that may be label images, /a/ids \(1 Image\), /b/ids \(1 Image\), exp",
        ),
    ],
)
def test_bags_without_labels_say_what_they_hold(tmp_path: Path, messages, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        read_labelled_bag(write_bag(tmp_path / "bag", messages))
    assert "\n" not in str(caught.value)


def test_a_damaged_bag_is_one_line(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", [camera(0), label(0)])
    (file,) = path.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    with pytest.raises(SourceError, match="is damaged") as caught:
        read_labelled_bag(path)
    assert "\n" not in str(caught.value)


def test_what_is_left_of_a_damaged_bag_is_read_on_request(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", [m for n in range(40) for m in (camera(n), label(n))])
    (file,) = path.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert 15 <= len(read_labelled_bag(path, recover=True)) <= 20
    notes: list[str] = []
    clips = open_clips([tmp_path], recover=True, on_note=notes.append)
    assert clips.clip(2, frames=4, size=48).masks[0, 0].any()
    (note,) = notes
    assert note.startswith(f"{path}: lost: bag.mcap: it ends after")


@pytest.mark.parametrize("start", ["etam train", "plain command"])
def test_whoever_trains_on_a_damaged_bag_is_told(
    tmp_path: Path, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_bag(tmp_path / "bag", [m for n in range(40) for m in (camera(n), label(n))])
    (file,) = path.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    options = [
        "--data", str(path), "--out", str(tmp_path / "out"), "--recover", "--model", "tiny_test",
        "--size", "32", "--frames", "2", "--batch", "1", "--steps", "1", "--workers", "0",
    ]  # fmt: skip
    code = etam(["train", *options]) if start == "etam train" else run(options)
    assert code == 0
    assert f"note: {path}: lost: bag.mcap: it ends after" in capsys.readouterr().err

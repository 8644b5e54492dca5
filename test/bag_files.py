"""Real bags for tests, written with rosbags: pictures that tell their number, on any storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
VIDEO, PACKET = "foxglove_msgs/msg/CompressedVideo", "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"
HW = (240, 320)
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
_VIDEO_TEXT = "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"
_PACKET_TEXT = (
    "std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\n"
    "uint8 flags\nbool is_bigendian\nuint8[] data\n"
)
STORE = get_typestore(Stores.ROS2_JAZZY)
STORE.register(get_types_from_msg(_VIDEO_TEXT, VIDEO))
STORE.register(get_types_from_msg(_PACKET_TEXT, PACKET))


def shade(number: int, hw: tuple[int, int] = HW) -> np.ndarray:
    """A picture (H, W, 3) uint8 RGB whose brightness tells its number, red at its left edge.

    Noise keeps it from being compressed to nothing.
    """
    noise = np.random.default_rng(number).integers(0, 4, (*hw, 1), np.uint8)
    image = np.repeat(noise, 3, 2) + np.uint8(20 + 8 * number)
    image[:, : hw[1] // 4] = (250, 0, 0)
    return image


def shade_number(image: np.ndarray) -> int:
    return round((float(image[:, image.shape[1] // 2 :].mean()) - 21.5) / 8)


def stamp_ns(number: int) -> int:
    return START_NS + number * STEP_NS


def time_of(ns: int) -> Any:
    return STORE.types["builtin_interfaces/msg/Time"](sec=ns // 10**9, nanosec=ns % 10**9)


def header(ns: int, frame_id: str = "camera") -> Any:
    return STORE.types["std_msgs/msg/Header"](stamp=time_of(ns), frame_id=frame_id)


def raw(pixels: np.ndarray, ns: int, encoding: str = "rgb8", frame_id: str = "camera") -> Any:
    rows = (
        np.ascontiguousarray(pixels)
        .view(np.uint8)
        .reshape(pixels.shape[0], -1 if pixels.size else 0)
    )
    return STORE.types[IMAGE](
        header=header(ns, frame_id), height=pixels.shape[0], width=pixels.shape[1],
        encoding=encoding, is_bigendian=int(pixels.dtype.byteorder == ">"),
        step=rows.shape[1], data=rows.reshape(-1),
    )  # fmt: skip


def jpeg(pixels: np.ndarray, ns: int, suffix: str = ".jpg") -> Any:
    _, data = cv2.imencode(suffix, pixels[..., ::-1])
    kind = suffix[1:].replace("jpg", "jpeg")
    text = f"rgb8; {kind} compressed bgr8"
    return STORE.types[COMPRESSED](header=header(ns), format=text, data=data.reshape(-1))


def pictures(
    count: int, topic: str = "/camera/image", hw: tuple[int, int] = HW
) -> list[tuple[str, Any]]:
    """Messages of a camera: (topic, message)."""
    return [(topic, raw(shade(number, hw), stamp_ns(number))) for number in range(count)]


def packets(count: int, kind: str = VIDEO, codec: str = "libx264", gop: int = 5) -> list[Any]:
    """Messages with a packet of video each, the first of every `gop` a key frame."""
    name = {"libx264": "h264", "libx265": "hevc"}[codec]
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = HW[1], HW[0], "yuv420p"
    context.gop_size, context.max_b_frames, context.framerate = gop, 0, 10
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "10"}
    if codec == "libx265":
        context.options |= {"x265-params": f"keyint={gop}:log-level=none"}
    coded = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(shade(number)).reformat(format="yuv420p")
        frame.pts = number
        coded += context.encode(frame)
    coded += context.encode(None)
    assert len(coded) == count
    messages = []
    for number, packet in enumerate(coded):
        data, ns = np.frombuffer(bytes(packet), np.uint8), stamp_ns(number)
        if kind == VIDEO:
            text = {"hevc": "h265"}.get(name, name)
            fields = {"timestamp": time_of(ns), "frame_id": "camera", "data": data, "format": text}
        else:
            fields = {
                "header": header(ns), "width": HW[1], "height": HW[0],
                "encoding": f"{name};yuv420p;bgr8;bgr8", "pts": number,
                "flags": int(packet.is_keyframe), "is_bigendian": False, "data": data,
            }  # fmt: skip
        messages.append(STORE.types[kind](**fields))
    return messages


def write_bag(
    path: Path,
    messages: Iterable[tuple[str, Any]],
    plugin: StoragePlugin = MCAP,
    *,
    compression: CompressionMode = CompressionMode.NONE,
    store: Any = STORE,
    received_ns: Sequence[int] = (),
) -> Path:
    """Write (topic, message) pairs, received one millisecond after their stamp or as told."""
    with _writer(path, plugin, compression) as writer:
        connections: dict[str, Any] = {}
        last = START_NS
        for number, (topic, message) in enumerate(messages):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            last = received_ns[number] if received_ns else max(last + 1, _received_ns(message))
            writer.write(connections[topic], last, store.serialize_cdr(message, kind))
    return path


def _writer(path: Path, plugin: StoragePlugin, compression: CompressionMode) -> Writer:
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    return writer


def _received_ns(message: Any) -> int:
    stamp = message.header.stamp if hasattr(message, "header") else message.timestamp
    return stamp.sec * 10**9 + stamp.nanosec + 1_000_000


def part_of(bag: Path) -> Path:
    """The one file of a bag beside its metadata.yaml."""
    (file,) = (each for each in bag.iterdir() if each.suffix not in (".yaml", ".json"))
    return file

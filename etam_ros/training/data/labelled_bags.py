"""Labelled bags: images, and on the same stamps a 16UC1 image of object ids.

Such a bag is what `ros2 bag record` makes of a camera and the tracker's `~/label_image`. Read with
rosbags: needs no ROS. Images that have no label image of their stamp are left out.

Letters: H, W height and width of a picture in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError

_RAW: Final = "sensor_msgs/msg/Image"
_COMPRESSED: Final = "sensor_msgs/msg/CompressedImage"
_LABEL_ENCODING: Final = "16UC1"
_LABEL_TOPIC: Final = "label_image"
_QUALITY: Final = 95
_NS_PER_S: Final = 1_000_000_000
# Channels as they lie in memory, and how OpenCV makes BGR of them.
_TO_BGR: Final = {
    "bgr8": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "8UC1": (1, cv2.COLOR_GRAY2BGR),
    "8UC3": (3, None),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "bayer_rggb8": (1, cv2.COLOR_BayerRGGB2BGR),
    "bayer_bggr8": (1, cv2.COLOR_BayerBGGR2BGR),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGBRG2BGR),
    "bayer_grbg8": (1, cv2.COLOR_BayerGRBG2BGR),
}


class BagFrames:
    """The labelled frames of a bag as LabelledFrames, kept compressed in memory.

    Args:
        pairs: a JPEG picture and a PNG of 16-bit object ids each, in the order of their stamps.
    """

    def __init__(self, name: str, pairs: list[tuple[bytes, bytes]]) -> None:
        self.name = name
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
        """A picture (H, W, 3) uint8 RGB and its ids (H, W) uint16."""
        picture, ids = (np.frombuffer(data, np.uint8) for data in self._pairs[index])
        bgr = np.asarray(cv2.imdecode(picture, cv2.IMREAD_COLOR), np.uint8)
        labels = np.asarray(cv2.imdecode(ids, cv2.IMREAD_UNCHANGED), np.uint16)
        return np.ascontiguousarray(bgr[..., ::-1]), labels


def read_labelled_bag(path: Path) -> BagFrames:
    """Read every image that has a label image of its stamp.

    Label images are the 16UC1 topic that ends in `label_image`, or the only one; images the topic
    that shares most stamps with them, and is not beside them in the tracker's namespace, as its
    overlay is.

    Raises:
        SourceError: the bag cannot be read, or has no such topics or no equal stamps.
    """
    with _opened(path) as reader:
        label_topic = _label_topic(reader, path)
        ids = {stamp: _label_png(message) for stamp, message in _messages(reader, label_topic)}
        candidates = _image_topics(reader, label_topic)
        shared = {
            topic: sum(stamp in ids for stamp, _ in _messages(reader, topic))
            for topic in candidates
        }
        best = max(candidates, key=lambda topic: shared[topic], default="")
        if not shared.get(best):
            raise SourceError(
                f"bag {path} has no image with the stamp of a message on {label_topic}, expected "
                "the camera that was tracked to be recorded too; looked at "
                f"{', '.join(candidates) or 'nothing: it holds no images'}"
            )
        pictures = {
            stamp: _picture_bytes(message, best)
            for stamp, message in _messages(reader, best)
            if stamp in ids
        }
    return BagFrames(str(path), [(pictures[stamp], ids[stamp]) for stamp in sorted(pictures)])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A reader of the bag; what goes wrong in the block with the bag becomes a SourceError."""
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.highlevel.anyreader import AnyReaderError
        from rosbags.rosbag1 import ReaderError as Rosbag1Error
        from rosbags.rosbag2 import ReaderError as Rosbag2Error
        from rosbags.serde import SerdeError
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise SourceError(
            f"bag {path} cannot be read without the package rosbags ({error}): "
            "pip install 'etam_ros[bags]'"
        ) from None
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
            yield reader
    except (AnyReaderError, Rosbag1Error, Rosbag2Error, SerdeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(
            f"bag {path} cannot be read ({reason}), expected a whole rosbag2 folder, .mcap or "
            ".db3: repair it with `ros2 bag reindex`"
        ) from error


def _messages(reader: Any, topic: str) -> Iterator[tuple[int, Any]]:
    """Stamps in nanoseconds and messages of a topic."""
    chosen = [connection for connection in reader.connections if connection.topic == topic]
    for connection, _, data in reader.messages(connections=chosen):
        message = reader.deserialize(data, connection.msgtype)
        stamp = message.header.stamp
        yield stamp.sec * _NS_PER_S + stamp.nanosec, message


def _label_topic(reader: Any, path: Path) -> str:
    """The topic of 16UC1 images that are ids and not depth."""
    raw = {item.topic for item in reader.connections if item.msgtype == _RAW and item.msgcount}
    sixteen = [topic for topic in sorted(raw) if _first(reader, topic) == _LABEL_ENCODING]
    named = [topic for topic in sixteen if topic.rsplit("/", 1)[-1] == _LABEL_TOPIC]
    for topics in (named, [topic for topic in sixteen if "depth" not in topic]):
        if len(topics) == 1:
            return str(topics[0])
    held = f"{len(sixteen)} topics of 16UC1 images ({', '.join(sixteen)})" if sixteen else "none"
    raise SourceError(
        f"bag {path} holds {held}, expected one with object ids, such as the tracker's "
        "~/label_image: record it beside the camera"
    )


def _first(reader: Any, topic: str) -> str:
    """Encoding of the first message of a topic."""
    return str(next((message.encoding for _, message in _messages(reader, topic)), ""))


def _image_topics(reader: Any, label_topic: str) -> list[str]:
    """Topics that may be the camera's, raw ones first; the tracker's own come last."""
    kinds = {item.topic: item.msgtype for item in reader.connections if item.topic != label_topic}
    topics = [topic for topic, kind in sorted(kinds.items()) if kind in (_RAW, _COMPRESSED)]
    depth = ("16UC1", "32FC1")  # registered depth comes on the camera's own stamps
    topics = [topic for topic in topics if "compressedDepth" not in topic]
    coloured = [
        topic
        for topic in topics
        if kinds[topic] == _COMPRESSED or _first(reader, topic) not in depth
    ]
    topics = coloured or topics
    own = label_topic.rsplit("/", 1)[0] + "/"
    theirs = [topic for topic in topics if not topic.startswith(own)] if own != "/" else topics
    return sorted(theirs or topics, key=lambda topic: kinds[topic] == _COMPRESSED)


def _label_png(message: Any) -> bytes:
    """Object ids of a 16UC1 message as a PNG."""
    order = ">" if message.is_bigendian else "<"
    rows = _rows(message, np.dtype(f"{order}u2"), 1, "a label image")
    return _coded(".png", rows.astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _picture_bytes(message: Any, topic: str) -> bytes:
    """The picture of a message as a JPEG, or as the file that the message is."""
    if not hasattr(message, "encoding"):
        data = bytes(message.data)
        if not data or cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is None:
            raise SourceError(
                f"a compressed image on {topic} cannot be decoded, expected JPEG or PNG"
            )
        return data
    if message.encoding not in _TO_BGR:
        raise SourceError(
            f"images on {topic} have encoding {message.encoding!r}, expected one of "
            f"{', '.join(_TO_BGR)}: record it as rgb8 or compressed"
        )
    channels, code = _TO_BGR[message.encoding]
    rows = _rows(message, np.dtype(np.uint8), channels, f"an image on {topic}")
    bgr = rows if code is None else cv2.cvtColor(rows, code)
    return _coded(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


def _rows(message: Any, dtype: np.dtype[Any], channels: int, what: str) -> NDArray[Any]:
    """(H, W) or (H, W, channels) of a raw message, without the padding of its rows."""
    height, width, step = message.height, message.width, message.step
    used = width * channels * dtype.itemsize
    data = np.asarray(message.data, np.uint8)
    if not height or not width or step < used or data.size < height * step:
        raise SourceError(
            f"{what} of {width}x{height} pixels has {data.size} bytes in rows of {step}, "
            f"expected rows of at least {used}: it was damaged while recording"
        )
    rows = data[: height * step].reshape(height, step)[:, :used]
    pixels = np.ascontiguousarray(rows).view(dtype)
    return pixels.reshape((height, width, channels) if channels > 1 else (height, width))


def _coded(suffix: str, picture: NDArray[Any], options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, picture, options)
    if not done:
        raise SourceError(f"a picture of shape {picture.shape} cannot be kept as {suffix}")
    return data.tobytes()

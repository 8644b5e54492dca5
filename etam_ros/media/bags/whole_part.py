"""A complete file of a bag, read through rosbags: MCAP, SQLite, or a bag of ROS 1."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from etam_ros.errors import SourceError
from etam_ros.media.bags.definitions import MessageReader, one_line
from etam_ros.media.bags.parts import ROSBAG1, BagTopic, storage_of
from etam_ros.media.files import Closing
from etam_ros.media.unpacking import LARGEST_CHUNK


class StoredMessage(NamedTuple):
    """A message as stored in a bag.

    Attributes:
        topic: its topic.
        type: such as sensor_msgs/msg/Image.
        received_ns: when the recorder received it, in nanoseconds.
        data: its uncompressed bytes.
    """

    topic: str
    type: str
    received_ns: int
    data: bytes


class DamagedPartError(SourceError):
    """A file of a bag cannot be read, or not any further; the message gives the reason."""


class WholePart(Closing):
    """A complete file of a bag, read in order of receipt.

    Args:
        path: of the file.
        reader: gets the definitions in the file.

    Attributes:
        topics: topics of the file.
        in_order: it can be read in order of receipt. An MCAP without an index cannot, unless it
            was written in that order.

    Raises:
        DamagedPartError: it is incomplete.
    """

    def __init__(self, path: Path, reader: MessageReader) -> None:
        self._path = path
        self._rosbags: Any = None
        try:
            self._rosbags = _opened(path)
            connections = list(self._rosbags.connections)
            for each in connections:
                form = each.msgdef.format.name.lower()
                reader.learn(each.msgtype, form, each.msgdef.data)
        except Exception as error:  # any error of rosbags on a damaged file
            self.close()
            raise DamagedPartError(f"{path.name}: {one_line(error)}") from error
        chunks = getattr(getattr(self._rosbags, "storage", None), "chunks", None)
        self._check_chunks(chunks or [])
        self.in_order = chunks != []
        counts: dict[tuple[str, str], int] = {}
        for each in connections:
            kind = (each.topic, each.msgtype)
            counts[kind] = counts.get(kind, 0) + each.msgcount
        self.topics = [BagTopic(topic, kind, count) for (topic, kind), count in counts.items()]

    def _check_chunks(self, chunks: Collection[Any]) -> None:
        """Raise DamagedPartError if a chunk claims to be larger than is reasonable."""
        largest = max((each.uncompressed_size for each in chunks), default=0)
        if largest > LARGEST_CHUNK:
            self.close()
            raise DamagedPartError(
                f"{self._path.name}: a chunk says that it holds {largest} bytes"
            )

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """The messages of these topics, in order of receipt.

        Raises:
            DamagedPartError: it cannot be read any further.
        """
        wanted = [each for each in self._rosbags.connections if each.topic in topics]
        if not wanted:
            return
        found = self._rosbags.messages(connections=wanted)
        while True:
            try:
                connection, received_ns, data = next(found)
                content = memoryview(data).tobytes()  # SQLite may hold text or nothing there
            except StopIteration:
                return
            except Exception as error:
                raise DamagedPartError(f"{self._path.name}: {one_line(error)}") from error
            yield StoredMessage(connection.topic, connection.msgtype, received_ns, content)

    def close(self) -> None:
        opened, self._rosbags = self._rosbags, None
        if opened is not None:
            with suppress(Exception):
                opened.close()


def _opened(path: Path) -> Any:
    if storage_of(path) == ROSBAG1:
        from rosbags.rosbag1 import Reader as Rosbag1Reader

        opened: Any = Rosbag1Reader(path)
    else:
        from rosbags.rosbag2 import Reader as Rosbag2Reader

        opened = Rosbag2Reader(path)
    opened.open()
    return opened

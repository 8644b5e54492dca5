"""Messages as the middleware brings them: only what is shown is read, and pictures in place.

rclpy makes a Python object of every field, and copies a picture several times on the way; most
of what comes is never shown.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

from etam_ros.errors import SourceError
from etam_ros.media.bags.definitions import MessageReader, known_types
from etam_ros.ros.messages import NS_PER_S

IMAGE: Final = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE: Final = "sensor_msgs/msg/CompressedImage"
_STAMP: Final = {0: struct.Struct(">4xiI"), 1: struct.Struct("<4xiI")}
"""By the second byte of a message; all kinds here begin with a header, and that with its stamp."""
_READER: Final = MessageReader()


def prepare() -> None:
    """Get ready to read: half a second, which nobody should wait for who begins to look."""
    known_types()


@dataclass(frozen=True, eq=False)
class Packed:
    """A message with a header, in CDR.

    Attributes:
        kind: its type, such as IMAGE.
        data: as it came.
        stamp_ns: of its header.
    """

    kind: str
    data: bytes = field(repr=False)
    stamp_ns: int

    @classmethod
    def of(cls, kind: str, data: bytes) -> Packed:
        """A message of a type.

        Raises:
            SourceError: it has not even a stamp.
        """
        layout = _STAMP.get(data[1]) if len(data) >= 2 else None
        if layout is None or len(data) < layout.size:
            raise SourceError(
                f"a message of {len(data)} bytes is not a {kind}, expected one in CDR with a "
                "header"
            )
        seconds, nanoseconds = layout.unpack_from(data)
        return cls(kind, data, seconds * NS_PER_S + nanoseconds)

    def read(self) -> Any:
        """All fields by their names; arrays of bytes are views of `data`.

        Raises:
            SourceError: it is damaged.
        """
        return _READER.read(memoryview(self.data), self.kind)

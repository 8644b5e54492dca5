"""Reading an MCAP file record by record from its beginning, as far as possible.

For files without an end, whose recorder was killed; for damaged ones; and for files that are
compressed as a whole, which have no random access. https://mcap.dev/spec
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from etam_ros.media.bags.definitions import MessageReader, one_line
from etam_ros.media.bags.parts import ZSTD, BagTopic
from etam_ros.media.bags.whole_part import DamagedPartError, StoredMessage
from etam_ros.media.files import Closing
from etam_ros.media.unpacking import LARGEST_CHUNK, unpacked_lz4, unpacked_zstd

MAGIC: Final = b"\x89MCAP0\r\n"
_RECORD: Final = struct.Struct("<BQ")  # opcode, length
_CHUNK: Final = struct.Struct("<QQQI")  # first and last time, size, checksum
_LARGEST_RECORD: Final = 2 * 2**30
"""Limit in bytes; a longer record is only found in the middle of a damaged file."""
_PIECE: Final = 2**20
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK_OPCODE = 0x03, 0x04, 0x05, 0x06
_DATA_END, _FOOTER = 0x0F, 0x02
_FORMS: Final = {"ros2msg": "msg", "ros2idl": "idl", "omgidl": "idl"}


class _Record(NamedTuple):
    """A record; `whole` is False if the file ends within it."""

    opcode: int
    body: bytes
    whole: bool


class _Channel(NamedTuple):
    topic: str
    type: str


class StreamedMcap(Closing):
    """A part of a bag that is read from the beginning, without its index.

    Args:
        path: of the file: .mcap, or .mcap.zstd.
        reader: gets the definitions in the file, as they are found.
        on_loss: called with a message about anything that cannot be read; reading continues. None
            raises instead.

    Attributes:
        topics: topics of the file; known after `look_through`.
    """

    def __init__(
        self, path: Path, reader: MessageReader, on_loss: Callable[[str], None] | None
    ) -> None:
        self._path = path
        self._reader = reader
        self._on_loss = on_loss
        self.topics: list[BagTopic] = []

    def look_through(self) -> None:
        """Read it once to find its topics, and the number of messages of each.

        Raises:
            DamagedPartError: it is damaged, and there is no `on_loss`.
        """
        counts: dict[_Channel, int] = {}
        for channel, message in self._walk(None):
            counts[channel] = counts.get(channel, 0) + (message is not None)
        self.topics = [BagTopic(*channel, count) for channel, count in counts.items()]

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """The messages of these topics, in the order in which they were written.

        Raises:
            DamagedPartError: it is damaged, and there is no `on_loss`.
        """
        for _, message in self._walk(topics):
            if message is not None:
                yield message

    def close(self) -> None:
        """Does nothing: no file stays open between two calls."""

    def _walk(
        self, topics: Collection[str] | None
    ) -> Iterator[tuple[_Channel, StoredMessage | None]]:
        """Channels as they are found, and messages of these topics, or of all but without data."""
        schemas: dict[int, str] = {}
        channels: dict[int, _Channel] = {}
        for record in self._records():
            if record.opcode in (_SCHEMA, _CHANNEL):
                try:
                    number, channel = self._learn(record, schemas)
                except Exception as error:  # any error of mcap on damaged bytes
                    self._lose(f"a description of messages is damaged ({one_line(error)})")
                    continue
                if channel is not None and number not in channels:
                    channels[number] = channel
                    yield channel, None
            elif record.opcode == _MESSAGE and len(record.body) >= 22:
                number, _, received_ns = struct.unpack_from("<HIQ", record.body)
                found = channels.get(number)
                if found is not None and (topics is None or found.topic in topics):
                    data = b"" if topics is None else record.body[22:]
                    yield found, StoredMessage(found.topic, found.type, received_ns, data)

    def _learn(self, record: _Record, schemas: dict[int, str]) -> tuple[int, _Channel | None]:
        """Record a schema; for a channel, return its number and content, None if not of ROS 2."""
        from mcap.data_stream import ReadDataStream
        from mcap.records import Channel, Schema

        stream = ReadDataStream(io.BytesIO(record.body))
        if record.opcode == _CHANNEL:
            channel = Channel.read(stream)
            if channel.message_encoding != "cdr" or channel.schema_id not in schemas:
                return channel.id, None
            return channel.id, _Channel(channel.topic, schemas[channel.schema_id])
        schema = Schema.read(stream)
        schemas[schema.id] = schema.name
        if schema.encoding in _FORMS:
            text = schema.data.decode("utf-8", "replace")
            self._reader.learn(schema.name, _FORMS[schema.encoding], text)
        return schema.id, None

    def _records(self) -> Iterator[_Record]:
        """All relevant records, including those within chunks."""
        try:
            with ExitStack() as stack:
                file = stack.enter_context(self._path.open("rb"))
                stream: IO[bytes] = file
                if self._path.suffix == ZSTD:
                    stream = stack.enter_context(_unpacked(file))
                if stream.read(len(MAGIC)) != MAGIC:
                    self._lose("it does not begin as an MCAP file")
                    return
                yield from self._of_stream(stream)
        except DamagedPartError:
            raise
        except Exception as error:  # any error of zstd or of a broken record
            self._lose(one_line(error))

    def _of_stream(self, stream: IO[bytes]) -> Iterator[_Record]:
        read = len(MAGIC)
        for record in _split(stream):
            read += _RECORD.size + len(record.body)
            if record.opcode in (_DATA_END, _FOOTER):
                return
            if record.opcode == _CHUNK_OPCODE:
                yield from self._of_chunk(record, read)
            elif record.whole:
                yield record
            if not record.whole:
                break
        self._lose(f"it ends after {read} bytes, in the middle of what was recorded")

    def _of_chunk(self, record: _Record, read: int) -> Iterator[_Record]:
        try:
            content = _content(record)
        except Exception as error:
            self._lose(f"a chunk that ends at byte {read} is damaged ({one_line(error)})")
            return
        yield from (each for each in _split(io.BytesIO(content)) if each.whole)

    def _lose(self, what: str) -> None:
        if self._on_loss is None:
            raise DamagedPartError(f"{self._path.name}: {what}")
        self._on_loss(f"{self._path.name}: {what}")


def is_unfinished_mcap(path: Path) -> bool:
    """Whether a file starts as MCAP but has no end: its recorder was killed, or it was cut off."""
    with path.open("rb") as file:
        begin = file.read(len(MAGIC))
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - len(MAGIC)))
        return MAGIC.startswith(begin) and not (size > len(MAGIC) and file.read() == MAGIC)


def _unpacked(file: IO[bytes]) -> io.BufferedReader:
    import zstandard

    packed: Any = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(packed, _PIECE)


def _split(stream: IO[bytes]) -> Iterator[_Record]:
    """Records of a stream; the last one may be cut off or invalid."""
    while True:
        head = stream.read(_RECORD.size)
        if not head:
            return
        if len(head) < _RECORD.size:
            yield _Record(0, b"", False)
            return
        opcode, length = _RECORD.unpack(head)
        if length > _LARGEST_RECORD or not opcode:
            yield _Record(0, b"", False)
            return
        body = stream.read(length)
        yield _Record(opcode, body, len(body) == length)
        if len(body) < length:
            return


def _content(chunk: _Record) -> bytes:
    """The records of a chunk, as far as possible. Raises the errors of its decompressor."""
    _, _, size, checksum = _CHUNK.unpack_from(chunk.body)
    at = _CHUNK.size
    (length,) = struct.unpack_from("<I", chunk.body, at)
    compression = chunk.body[at + 4 : at + 4 + length].decode("ascii")
    data = chunk.body[at + 4 + length + 8 :]
    if size > LARGEST_CHUNK:
        raise ValueError(f"it says that it holds {size} bytes")
    if compression == "zstd":
        content = unpacked_zstd(data, size)
    elif compression == "lz4":
        content = unpacked_lz4(data, size)
    elif not compression:
        content = data
    else:
        raise ValueError(f"compression {compression!r} is not known")
    if chunk.whole and len(content) != size:
        raise ValueError(f"it holds {len(content)} of {size} bytes")
    if chunk.whole and checksum and zlib.crc32(content) != checksum:
        raise ValueError("its checksum is wrong")
    return content

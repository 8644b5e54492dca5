"""All parts of a bag as one: its topics, and its messages in recorded order."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol

from etam_ros.errors import SourceError
from etam_ros.media.bags.definitions import MessageReader
from etam_ros.media.bags.mcap_stream import StreamedMcap, is_unfinished_mcap
from etam_ros.media.bags.parts import ROSBAG1, ZSTD, BagTopic, find_parts, storage_of
from etam_ros.media.bags.sqlite_rescue import RescuedSqlite, left_behind, put_together
from etam_ros.media.bags.whole_part import DamagedPartError, StoredMessage, WholePart
from etam_ros.media.files import Closing
from etam_ros.media.unpacking import LARGEST_MESSAGE, unpacked_zstd

_MOST_NOTES: Final = 20
_OF_ADDRESSES: Final = re.compile(r"[?#%]")
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""No CDR message starts with this, because its first byte is zero."""


class _AnyPart(Protocol):
    topics: list[BagTopic]

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]: ...

    def close(self) -> None: ...


class Bag(Closing):
    """A rosbag2 with any storage, or a bag of ROS 1; only one message or chunk is in memory.

    A bag that its recorder did not finish is read as far as possible, with a note. A bag that was
    finished and damaged later is refused, unless `recover` is set.

    Args:
        path: a rosbag2 folder, with or without metadata.yaml, or one file.
        recover: read a damaged bag as far as possible, with notes about the rest.

    Attributes:
        recover: as given.
        topics: of all parts, by name.
        notes: messages about anything unusual; more are added while a damaged bag is read.
        duration_s: in seconds, 0 if its metadata does not contain it.

    Raises:
        SourceError: there is no bag, it is damaged, or rosbags is not installed.
    """

    def __init__(self, path: Path, *, recover: bool = False) -> None:
        check_installed(path)
        self.path = path
        self.recover = recover
        self._parts = find_parts(path)
        self.notes: list[str] = list(self._parts.notes)
        self._unsaid = 0
        self.duration_s = self._parts.duration_s
        self._reader = MessageReader(ros1=storage_of(self._parts.files[0]) == ROSBAG1)
        if self._parts.missing:
            what = f"{', '.join(self._parts.missing)} of its metadata.yaml is not there"
            self.lose(what) if recover else self._refuse(what)
        self.topics: dict[str, BagTopic] = {}
        for topic in self._all_topics():
            self.topics.setdefault(topic.name, topic)

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """The messages of these topics: the parts in order, and each part in order of receipt.

        Raises:
            SourceError: the bag is damaged, after the messages before the damage.
        """
        for file in self._parts.files:
            with self._reading(), self._opened(file) as part:
                for message in part.messages(topics):
                    try:
                        self._check_type(message)
                        unpacked = self._unpacked(message)
                    except DamagedPartError as error:
                        if not self.recover:
                            raise
                        self.lose(str(error))
                        continue
                    yield unpacked

    def fields(
        self, topics: Collection[str], *, peek: bool = False
    ) -> Iterator[tuple[StoredMessage, Any]]:
        """The same messages with their fields; damaged ones are left out with a note.

        Args:
            topics: of the messages.
            peek: leave out damaged messages without a note; a complete reading adds them.

        Raises:
            SourceError: the bag or a message is damaged, and `recover` is not set.
        """
        for message in self.messages(topics):
            try:
                fields = self.read(message)
            except SourceError as error:
                if peek:
                    continue
                if not self.recover:
                    raise
                self.lose(str(error))
                continue
            yield message, fields

    def read(self, message: StoredMessage) -> Any:
        """The fields of a message, by name.

        Raises:
            SourceError: it is damaged, or its definition is missing.
        """
        try:
            return self._reader.read(message.data, message.type)
        except SourceError as error:
            raise SourceError(f"bag {self.path}, topic {message.topic}: {error}") from error

    def close(self) -> None:
        """Does nothing: no file stays open between two calls."""

    def _all_topics(self) -> list[BagTopic]:
        """Topics from metadata.yaml if it can be trusted, otherwise from the files."""
        if self._parts.topics and not self.recover:
            return list(self._parts.topics)
        counts: dict[tuple[str, str], list[int | None]] = {}
        for file in self._parts.files:
            with self._reading(), self._opened(file) as part:
                if isinstance(part, StreamedMcap):
                    part.look_through()
                for topic in part.topics:
                    counts.setdefault((topic.name, topic.type), []).append(topic.count)
        return [BagTopic(*kind, _sum(each)) for kind, each in counts.items()]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn errors of a part into one line."""
        try:
            yield
        except DamagedPartError as error:
            self._refuse(str(error))
        except OSError as error:
            raise SourceError(
                f"bag {self.path} cannot be read: {error.strerror or error}"
            ) from error

    def _refuse(self, what: str) -> None:
        raise SourceError(
            f"bag {self.path} is damaged ({what}), expected an intact one: read the rest of it "
            "with --recover"
        ) from None

    @contextmanager
    def _opened(self, file: Path) -> Iterator[_AnyPart]:
        with ExitStack() as stack:
            part = self._open(file, stack)
            stack.callback(part.close)
            yield part

    def _open(self, file: Path, stack: ExitStack) -> _AnyPart:
        """A reader for one file; its temporary files are removed when the stack is closed."""
        storage, packed = storage_of(file), file.suffix == ZSTD
        if storage == ".mcap":
            if packed or self.recover:
                return StreamedMcap(file, self._reader, self.lose if self.recover else None)
            if not self._parts.finished and is_unfinished_mcap(file):
                return StreamedMcap(file, self._reader, self._on_unfinished)
        elif storage == ".db3":
            if packed:
                file = self._unpack(file, self._room(stack))
            elif left_behind(file):
                file = put_together(file, self._room(stack))
                self.note(f"{file.name} was not finished by its recorder: put together from two")
            if self.recover:
                return RescuedSqlite(file, self._reader, self.lose)
            file = _plainly_named(file, stack)
        part = WholePart(file, self._reader)
        if not part.in_order:
            part.close()
            return StreamedMcap(file, self._reader, None)
        return part

    def _unpack(self, file: Path, folder: Path) -> Path:
        """Unpack a file that cannot be read otherwise."""
        import zstandard

        unpacked = folder / file.stem
        try:
            with file.open("rb") as packed, unpacked.open("wb") as plain:
                reader = zstandard.ZstdDecompressor().stream_reader(
                    packed, read_across_frames=True
                )
                shutil.copyfileobj(reader, plain, 2**20)
        except zstandard.ZstdError as error:
            if not self.recover:
                raise DamagedPartError(f"{file.name}: {error}") from error
            self.lose(f"{file.name}: {error}")
        return unpacked

    def _room(self, stack: ExitStack) -> Path:
        return Path(stack.enter_context(TemporaryDirectory(prefix="etam_bag_")))

    def _check_type(self, message: StoredMessage) -> None:
        """Raise DamagedPartError if the message does not have the type of its topic."""
        expected = self.topics[message.topic].type
        if message.type != expected:
            raise DamagedPartError(
                f"a message on {message.topic} is a {message.type}, where the topic has {expected}"
            )

    def _unpacked(self, message: StoredMessage) -> StoredMessage:
        """Undo the compression of single messages, even if metadata.yaml does not mention it."""
        if not message.data.startswith(_ZSTD_MAGIC):
            return message
        try:
            data = unpacked_zstd(message.data, LARGEST_MESSAGE)
        except ValueError as error:
            raise DamagedPartError(f"a message on {message.topic}: {error}") from error
        return message._replace(data=data)

    def _on_unfinished(self, what: str) -> None:
        self.note(f"{what}: its recorder did not finish it, it is read as far as it goes")

    def lose(self, what: str) -> None:
        """Add a note about something recorded that cannot be read."""
        self.note(f"lost: {what}")

    def note(self, what: str) -> None:
        """Add a note about anything unusual, once."""
        if what in self.notes:
            return
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(what)
            return
        self._unsaid += 1
        self.notes[_MOST_NOTES:] = [f"and {self._unsaid} more things of that kind"]


def _plainly_named(file: Path, stack: ExitStack) -> Path:
    """The file under a name that rosbags can pass to SQLite, which parses it as a URI."""
    if not _OF_ADDRESSES.search(str(file)):
        return file
    room = Path(stack.enter_context(TemporaryDirectory(prefix="etam_bag_")))
    link = room / _OF_ADDRESSES.sub("_", file.name)
    link.symlink_to(file.resolve())
    return link


def check_installed(path: Path) -> None:
    """Raise SourceError if the packages that read bags are missing."""
    try:
        import mcap
        import rosbags  # noqa: F401
        import zstandard  # noqa: F401
    except ImportError as error:
        raise SourceError(
            f"bag {path} needs the packages rosbags and mcap ({error}), expected them to be "
            "installed: pip install 'etam_ros[bags]'"
        ) from None
    del mcap


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum over all parts; None if one is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None

"""SQLite files of bags that cannot be read directly.

A killed recorder leaves a log (-wal) or journal next to its file, without which the file is
incomplete: both are copied and merged. A damaged file is read as far as possible.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from etam_ros.media.bags.definitions import MessageReader, one_line
from etam_ros.media.bags.parts import BagTopic
from etam_ros.media.bags.whole_part import DamagedPartError, StoredMessage
from etam_ros.media.files import Closing

_LEFT_BEHIND: Final = ("-wal", "-journal")
_TABLES: Final = ("messages", "topics", "message_definitions")
_HOLES: Final = 64
"""How often reading resumes after something unreadable, before it is given up."""


def left_behind(path: Path) -> list[Path]:
    """Files that a killed recorder left next to an SQLite file."""
    beside = [path.with_name(path.name + suffix) for suffix in _LEFT_BEHIND]
    return [each for each in beside if each.is_file() and each.stat().st_size]


def put_together(path: Path, folder: Path) -> Path:
    """Copy an SQLite file with its log or journal, and let SQLite merge them there.

    Args:
        path: of the file, which is not changed.
        folder: for the copy.

    Returns:
        the copy.

    Raises:
        DamagedPartError: the two do not belong together.
        OSError: there is no room for the copy.
    """
    for each in (path, *left_behind(path)):
        shutil.copyfile(each, folder / each.name)
    copy = folder / path.name
    try:
        with closing(sqlite3.connect(copy)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            database.execute("PRAGMA journal_mode=DELETE").fetchall()
    except sqlite3.Error as error:
        raise DamagedPartError(f"{path.name}: {one_line(error)}") from error
    return copy


class RescuedSqlite(Closing):
    """The readable parts of a damaged SQLite file, in the order in which they were written.

    Args:
        path: of the file.
        reader: gets the definitions in the file.
        on_loss: called with a message about anything that cannot be read.

    Attributes:
        topics: topics of the file, with unknown counts.
    """

    def __init__(self, path: Path, reader: MessageReader, on_loss: Callable[[str], None]) -> None:
        self._path = path
        self._on_loss = on_loss
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)
        self._names: dict[int, tuple[str, str]] = {}
        # Without this, SQLite refuses a file that is shorter than its first page claims.
        try:
            self._database.execute("PRAGMA writable_schema=ON")
            self._check_tables()
            rows = self._database.execute("SELECT id, name, type FROM topics").fetchall()
            self._names = {number: (str(name), str(kind)) for number, name, kind in rows}
            self._learn(reader)
        except sqlite3.Error as error:
            self._on_loss(f"{path.name}: {one_line(error)}")
        self.topics = [BagTopic(name, kind) for name, kind in self._names.values()]

    def _check_tables(self) -> None:
        """Raise sqlite3.Error for anything that is not a table: a view can be endless."""
        query = "SELECT name FROM sqlite_master WHERE type != 'table' AND name IN (?, ?, ?)"
        found = self._database.execute(query, _TABLES).fetchone()
        if found is not None:
            raise sqlite3.DatabaseError(f"{found[0]} is not a table")

    def _learn(self, reader: MessageReader) -> None:
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        try:
            for kind, form, text in self._database.execute(query):
                reader.learn(str(kind), "idl" if form == "ros2idl" else "msg", str(text))
        except sqlite3.Error:  # older files have none
            return

    def messages(self, topics: Collection[str]) -> Iterator[StoredMessage]:
        """The readable messages of these topics."""
        after = -1
        for hole in range(_HOLES):
            read = iter(self._rows(after))
            while True:
                try:
                    row, number, received_ns, data = next(read)
                except StopIteration:
                    return
                except sqlite3.Error as error:
                    if not hole:
                        where = f"behind row {after}" if after >= 0 else "from the start"
                        self._on_loss(f"{self._path.name}: {one_line(error)} {where}")
                    break
                after = row
                name, kind = self._names.get(number, ("", ""))
                if name in topics and isinstance(data, bytes) and isinstance(received_ns, int):
                    yield StoredMessage(name, kind, received_ns, data)
            after += 1

    def _rows(self, after: int) -> Iterator[tuple[int, int, int, bytes]]:
        query = "SELECT id, topic_id, timestamp, data FROM messages WHERE id > ? ORDER BY id"
        yield from self._database.execute(query, (after,))

    def close(self) -> None:
        self._database.close()

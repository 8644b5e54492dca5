"""Writing a rosbag2 message by message, through rosbags.

The bag is in a hidden folder next to its destination until it is finished, so that an incomplete
one never looks complete. If the writer is interrupted, this folder can be read like the bag of a
killed recorder.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from etam_ros import __version__
from etam_ros.errors import SourceError
from etam_ros.media.bags.definitions import PACKAGE, known_types
from etam_ros.media.bags.parts import STATE, STOPPED
from etam_ros.media.bags.reader import check_installed
from etam_ros.media.files import Closing, lock_folder, writing

_METADATA_VERSION: Final = 8
"""Version of metadata.yaml: the newest that Humble can read; it has QoS profiles as text."""


class BagWriter(Closing):
    """Writes one bag; a context manager.

    Leaving the block finishes the bag, unless an error was raised in it.

    Args:
        path: its folder, which must not exist yet.
        storage: mcap, with compressed chunks, or sqlite3.

    Attributes:
        path: as given.
        replaces: the remains of an interrupted writer were removed.
        beside: other files to be added to its folder, by name.

    Raises:
        SourceError: it exists already, cannot be written, or rosbags is not installed.
    """

    def __init__(self, path: Path, storage: str = "mcap") -> None:
        check_new(path)
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

        self.path = path
        self.beside: dict[str, bytes] = {}
        if storage == "sqlite3" and set("?#%") & set(str(path)):
            raise SourceError(
                f"--out-bag {path} contains ?, # or %, which SQLite does not allow, expected "
                "another path, or --bag-storage mcap"
            )
        self.replaces = False
        self._lock: int | None = None
        self._folder = path.with_name(f".{path.name}.part")
        self._topics: dict[str, Any] = {}
        self._open = False
        with ExitStack() as undo, _appending(path):
            undo.callback(self._unlock)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
            self._check_ours()
            for left in self._folder.iterdir():
                shutil.rmtree(left)
                self.replaces = True
            self._writer = Writer(
                self.unfinished,
                version=_METADATA_VERSION,
                storage_plugin=StoragePlugin[storage.upper()],
            )
            self._writer.set_custom_data(PACKAGE, __version__)
            if storage == "mcap":
                self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
            self._open = True
            undo.pop_all()

    def add_topic(self, topic: str, message_type: str) -> None:
        """Add a topic to the bag, even if it gets no messages."""
        if topic not in self._topics:
            self._topics[topic] = self._writer.add_connection(
                topic, message_type, typestore=known_types()
            )

    def write(self, topic: str, message: Any, time_ns: int) -> None:
        """Append a message.

        Args:
            topic: its topic.
            message: made by `known_types`.
            time_ns: time for playback, in nanoseconds, from 0.

        Raises:
            SourceError: it cannot be written.
        """
        kind = message.__msgtype__
        self.add_topic(topic, kind)
        with _appending(self.path):
            data = known_types().serialize_cdr(message, kind)
            self._writer.write(self._topics[topic], max(0, time_ns), data)

    def flush(self) -> None:
        """Write everything to disk, so that it can be read if the run is killed.

        Raises:
            SourceError: it cannot be written.
        """
        storage: Any = self._writer.storage
        with _appending(self.path):
            if hasattr(storage, "conn"):
                storage.conn.commit()
            elif hasattr(storage, "chunk"):
                if storage.chunk.bio.tell():
                    storage.close_chunk()
                storage.bio.flush()

    def mark_stopped(self) -> None:
        """Mark the bag as made from a part of its source only."""
        self._writer.set_custom_data(STATE, STOPPED)

    @property
    def unfinished(self) -> Path:
        """The folder of the bag until it is finished."""
        return self._folder / self.path.name

    def close(self) -> None:
        """Finish the bag and rename it; nothing more can be written."""
        if not self._open:
            return
        self._open = False
        with _appending(self.path):
            self._writer.close()
            for name, content in self.beside.items():
                (self._folder / self.path.name / name).write_bytes(content)
            check_new(self.path)  # an empty folder would be replaced silently
            self.unfinished.rename(self.path)
            self._folder.rmdir()
        self._unlock()

    def abandon(self) -> None:
        """Leave it unfinished, with everything written so far."""
        if self._open:
            self._open = False
            with suppress(SourceError):  # a full disk, which was reported already
                self.flush()
            self._writer.abort()
        self._unlock()

    def _check_ours(self) -> None:
        """Raise SourceError if the hidden folder contains files that no writer has left."""
        names = [left.name for left in self._folder.iterdir()]
        links = [self._folder, *(self._folder / name for name in names)]
        if names not in ([], [self.path.name]) or any(each.is_symlink() for each in links):
            raise SourceError(
                f"--out-bag {self.path} is written in {self._folder} first, which holds "
                f"{names[0] if names else 'nothing'} or is a link, expected the remains of an "
                "earlier run or nothing: remove it, or choose another name"
            )

    def _locked(self) -> int:
        """Create and lock the hidden folder; returns the lock, which must be closed."""
        self._folder.mkdir(exist_ok=True)
        lock = lock_folder(self._folder)
        if lock is None:
            raise SourceError(
                f"--out-bag {self.path} is being written by another run: choose another name"
            )
        return lock

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def check_new(path: Path, *, beside: Path | None = None) -> None:
    """Raise SourceError if the path exists already, or rosbags is not installed.

    Args:
        path: of the bag.
        beside: a folder that must not contain the bag.
    """
    check_installed(path)
    if beside is not None and beside.resolve() in path.resolve().parents:
        raise SourceError(
            f"--out-bag {path} lies in --out {beside}, which another run would replace, "
            "expected a path outside that folder: choose another one"
        )
    with writing(path):
        is_there = path.exists()  # raises if a name is too long
    if is_there or path.name == "..":
        raise SourceError(
            f"--out-bag {path} already exists, expected a new name: choose another one, or "
            "remove it"
        )


@contextmanager
def _appending(path: Path) -> Iterator[None]:
    """Turn errors of the disk, SQLite or a message into one line."""
    with writing(path):
        try:
            yield
        except struct.error as error:
            raise SourceError(
                f"--out-bag {path} cannot hold a message ({error}), expected stamps from 1901 to "
                "2038, as ROS has them"
            ) from None
        except sqlite3.Error as error:
            raise OSError(None, str(error), str(path)) from error

"""A rosbag2 written as it goes, through rosbags.

It lies in a hidden folder beside its place until it is finished, and so never looks whole when it
is not. What an interrupted writer leaves there can be read as the bag of a recorder that was
killed.
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
"""Of metadata.yaml: the newest that Humble can read, which expects QoS profiles as text."""


class BagWriter(Closing):
    """Writes one bag; a context manager.

    Leaving the block finishes the bag, unless something has failed in it.

    Args:
        path: its folder, which must not be there yet.
        storage: mcap, with compressed chunks, or sqlite3.

    Attributes:
        path: as given.
        replaces: a writer that was interrupted had left something, which is gone now.
        beside: other files to be put into its folder, by name.

    Raises:
        SourceError: it is there already, cannot be written, or rosbags is not installed.
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
        """Have a topic in the bag, though nothing may come on it."""
        if topic not in self._topics:
            self._topics[topic] = self._writer.add_connection(
                topic, message_type, typestore=known_types()
            )

    def write(self, topic: str, message: Any, time_ns: int) -> None:
        """Append a message.

        Args:
            topic: its topic.
            message: made by `known_types`.
            time_ns: at which it is played again, in nanoseconds, from 0.

        Raises:
            SourceError: it cannot be written.
        """
        kind = message.__msgtype__
        self.add_topic(topic, kind)
        with _appending(self.path):
            data = known_types().serialize_cdr(message, kind)
            self._writer.write(self._topics[topic], max(0, time_ns), data)

    def flush(self) -> None:
        """Have on disk what was written: a run that is killed leaves it to be read.

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
        """Have the bag say that what it was made of was longer."""
        self._writer.set_custom_data(STATE, STOPPED)

    @property
    def unfinished(self) -> Path:
        """Where it lies until it is finished, and stays if it never is."""
        return self._folder / self.path.name

    def close(self) -> None:
        """Finish the bag and give it its name; nothing more can be written."""
        if not self._open:
            return
        self._open = False
        with _appending(self.path):
            self._writer.close()
            for name, content in self.beside.items():
                (self._folder / self.path.name / name).write_bytes(content)
            check_new(self.path)  # a folder that is empty would be replaced without a word
            self.unfinished.rename(self.path)
            self._folder.rmdir()
        self._unlock()

    def abandon(self) -> None:
        """Leave it unfinished, with all that was written."""
        if self._open:
            self._open = False
            with suppress(SourceError):  # a full disk, of which somebody knows already
                self.flush()
            self._writer.abort()
        self._unlock()

    def _check_ours(self) -> None:
        """Raise SourceError where the hidden folder holds what no writer has left."""
        names = [left.name for left in self._folder.iterdir()]
        links = [self._folder, *(self._folder / name for name in names)]
        if names not in ([], [self.path.name]) or any(each.is_symlink() for each in links):
            raise SourceError(
                f"--out-bag {self.path} is written in {self._folder} first, which holds "
                f"{names[0] if names else 'nothing'} or is a link, expected the remains of an "
                "earlier run or nothing: remove it, or choose another name"
            )

    def _locked(self) -> int:
        """Make the hidden folder, and keep others from writing there; the lock, to be closed."""
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
    """Raise SourceError where there is something already, or rosbags is not installed.

    Args:
        path: of the bag.
        beside: a folder that the bag must not lie in.
    """
    check_installed(path)
    if beside is not None and beside.resolve() in path.resolve().parents:
        raise SourceError(
            f"--out-bag {path} lies in --out {beside}, which another run would replace, "
            "expected a path outside that folder: choose another one"
        )
    with writing(path):
        is_there = path.exists()  # raises for a name that is too long
    if is_there or path.name == "..":
        raise SourceError(
            f"--out-bag {path} already exists, expected a new name: choose another one, or "
            "remove it"
        )


@contextmanager
def _appending(path: Path) -> Iterator[None]:
    """Say in one line what the disk, SQLite or a message does not take."""
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

"""Common parts of readers and writers of files: closing, locking, and errors in one line."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from etam_ros.errors import SourceError, is_full

_PART: Final = re.compile(r"_[0-9]+(?=\.(mcap|db3))")

if TYPE_CHECKING:
    from typing_extensions import Self


class Closing(ABC):
    """A context manager that always closes at the end of its block.

    If the block and closing both fail, the error of the block is raised.
    """

    @abstractmethod
    def close(self) -> None:
        """Finish files and release devices. May be called repeatedly."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except SourceError:
            if kind is None:
                raise


def is_bag(path: Path) -> bool:
    """Whether a path is a rosbag2 folder or a file of a bag.

    A folder without metadata.yaml is one bag if its files are parts of one: bag_0.mcap and
    bag_1.mcap, but not monday.mcap and tuesday.mcap.
    """
    if not path.is_dir():
        return is_bag_name(path.name) and path.is_file()
    if (path / "metadata.yaml").is_file():
        return True
    files = bag_files_in(path)
    stems = {_PART.sub("", each.name.lower().removesuffix(".zstd")) for each in files}
    numbered = all(_PART.search(each.name.lower()) for each in files)
    return len(stems) == 1 and (numbered or len(files) == 1)


def bag_files_in(folder: Path) -> list[Path]:
    """Files with a bag, or a part of one, in a folder, which may be unreadable."""
    try:
        return sorted(
            each for each in folder.iterdir() if is_bag_name(each.name) and each.is_file()
        )
    except OSError:
        return []


def is_bag_name(name: str) -> bool:
    """Whether a name is that of a file with a bag, or a part of one."""
    plain = name.lower().removesuffix(".zstd")
    return plain.endswith((".mcap", ".db3")) or name.lower().endswith(".bag")


def read_ordinary(path: Path) -> bytes:
    """The content of a file.

    Raises:
        OSError: it cannot be read, or is a pipe or a device, which may be endless.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        OSError: it cannot be read, or is not an ordinary file.
        ValueError: it is not JSON, or nested unreasonably deep.
    """
    try:
        return json.loads(read_ordinary(path).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def lock_folder(folder: Path) -> int | None:
    """Lock a folder until this process closes the file descriptor or ends for any reason.

    Returns:
        the descriptor; None if another process, or another call, has locked the folder.

    Raises:
        OSError: there is no such folder.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:  # a file system without locks: nobody is excluded
        return lock
    return lock


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into one line that says what cannot be written.

    Args:
        path: named if the error does not name a file.

    Raises:
        SourceError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        hint = (
            "free some space or choose another place" if is_full(error) else "choose another place"
        )
        reason = error.strerror or error
        raise SourceError(f"cannot write {error.filename or path}: {reason}: {hint}") from None


def check_can_fill(folder: Path, option: str) -> None:
    """Check in advance that a folder can be created and written, before hours of work.

    Raises:
        SourceError: it, or the place where it would be created, is not a writable folder.
    """
    with writing(folder):
        place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise SourceError(
            f"{option} {folder} cannot be created or written: {place} is not a folder that you "
            "may write in: choose another place"
        )


def check_can_write(file: Path, option: str) -> None:
    """Check in advance that a file can be written, before hours of work.

    Raises:
        SourceError: the file is a folder, or is not in an existing, writable one.
    """
    with writing(file):
        is_folder, has_folder = file.is_dir(), file.parent.is_dir()  # raises for names too long
    if is_folder or not has_folder:
        raise SourceError(
            f"{option} {str(file)!r:.80} cannot be written, expected a file in an existing folder"
        )
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise SourceError(
            f"{option} {file} cannot be written: {file.parent} is not a folder that you may "
            "write in: choose another place"
        )


@contextmanager
def writing_whole(path: Path) -> Iterator[Path]:
    """Provide a temporary name to write to, and rename it to `path` after the block.

    Raises:
        SourceError: the block raised an OSError.
    """
    part = path.with_name(path.name + ".part")
    with writing(path):
        part.touch()
        usual = part.stat().st_mode  # some libraries create files that only their owner can read
        yield part
        if part.stat().st_mode != usual:
            part.chmod(stat.S_IMODE(usual))
        part.replace(path)

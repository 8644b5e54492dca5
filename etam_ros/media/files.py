"""What every reader and writer of files does alike: close at the end, and fail in one line."""

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
    """A context manager that closes whatever happened in its block.

    Where the block has failed and closing fails as well, the block's error is the one that shows.
    """

    @abstractmethod
    def close(self) -> None:
        """Finish files and give back devices. Can be called again."""

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

    A folder without metadata.yaml is one bag where its files are the parts of one: bag_0.mcap and
    bag_1.mcap, not monday.mcap and tuesday.mcap.
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
    """Files with a bag, or a part of one, in a folder that may not be readable."""
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
        OSError: it cannot be read, or is a pipe or a device, which may never end.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it cannot be read, or is no ordinary file.
        ValueError: it is no JSON, or nested too deep to be any that somebody wants.
    """
    try:
        return json.loads(read_ordinary(path).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def lock_folder(folder: Path) -> int | None:
    """Keep a folder to this process, until it closes the file descriptor or ends, however.

    Returns:
        the descriptor; None where another process, or another call, has the folder.

    Raises:
        OSError: there is no such folder.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:  # a file system without locks: nobody is kept out
        return lock
    return lock


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line that something cannot be written.

    Args:
        path: named where the system does not say which file it was.

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
    """Refuse at once a folder that could not be created or written after hours of work.

    Raises:
        SourceError: it or what it would be made in is no folder, or may not be written.
    """
    with writing(folder):
        place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise SourceError(
            f"{option} {folder} cannot be created or written: {place} is not a folder that you "
            "may write in: choose another place"
        )


def check_can_write(file: Path, option: str) -> None:
    """Refuse at once what could not be written to a file after hours of work.

    Raises:
        SourceError: the file is a folder, or lies in none that is there and may be written.
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
    """Give a name to write under, and rename it to `path` once the block is done.

    Raises:
        SourceError: the block raised an OSError.
    """
    part = path.with_name(path.name + ".part")
    with writing(path):
        part.touch()
        usual = part.stat().st_mode  # some libraries leave files that nobody else may read
        yield part
        if part.stat().st_mode != usual:
            part.chmod(stat.S_IMODE(usual))
        part.replace(path)

"""What every reader and writer of files does alike: close at the end, and fail in one line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from etam_ros.errors import SourceError

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
    """Whether a path is a rosbag2 folder or a bag file."""
    return is_bag_file(path) or (path / "metadata.yaml").is_file()


def is_bag_file(path: Path) -> bool:
    """Whether a path is a file that holds a bag, or a part of one."""
    return path.suffix.lower() in (".mcap", ".db3", ".bag") and path.is_file()


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
        raise SourceError(
            f"cannot write {error.filename or path}: {error.strerror or error}: "
            "make room or choose another place"
        ) from None


@contextmanager
def writing_whole(path: Path) -> Iterator[Path]:
    """Give a name to write under, and rename it to `path` once the block is done.

    Raises:
        SourceError: the block raised an OSError.
    """
    part = path.with_name(path.name + ".part")
    with writing(path):
        yield part
        part.replace(path)

"""Folders and files that appear whole or not at all, whoever else makes them at the same time.

PARENT/NAME/            the folder, once it is whole
PARENT/.NAME.making/    what is made of it, while its lock is held
PARENT/.NAME.lock       who may make it
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from filelock import FileLock

MAKING: Final = ".making"


def lock_of(folder: Path) -> FileLock:
    """The lock of a folder, for this process alone to change it; a context manager that waits."""
    from filelock import FileLock  # building needs it, running does not

    return FileLock(folder.with_name(f".{folder.name}.lock"))


def make_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder, in place of one of the same name, while its lock is held.

    What other builds left that were interrupted goes, except for those that still run.

    Args:
        folder: its parent exists.
        fill: writes what is in it into an empty folder, which becomes this one.

    Raises:
        OSError: the disk does not take it; nothing has changed then.
    """
    making = folder.with_name(f".{folder.name}{MAKING}")
    for left in folder.parent.glob(f".*{MAKING}"):
        _remove_abandoned(left, held=making)
    try:
        making.mkdir()
        fill(making)
        shutil.rmtree(folder, ignore_errors=True)
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _remove_abandoned(making: Path, held: Path) -> None:
    """Remove what an interrupted build left; nobody holds its lock, or it is the one held here."""
    if making == held:
        shutil.rmtree(making, ignore_errors=True)
        return
    from filelock import FileLock, Timeout

    with suppress(Timeout), FileLock(making.with_suffix(".lock")).acquire(timeout=0):
        shutil.rmtree(making, ignore_errors=True)  # else somebody makes it at this moment


def write_file(path: Path, content: bytes) -> None:
    """Write a file in place of one of the same name.

    Raises:
        OSError: the disk does not take it; the file is as it was then.
    """
    making = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        making.write_bytes(content)
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)

"""The shared memory through which Fast DDS carries images: what is free, and what the dead left.

Each process has a segment in /dev/shm, beside it a file whose lock it holds as long as it lives.
A process that is killed leaves its segment there, 67 MiB with the profile for large images, and
nobody takes it back.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path("/dev/shm")
MIB: Final = 2**20
_SEGMENT: Final = re.compile(r"(fastrtps|fastdds)_[0-9a-f]{16}")
"""Up to Jazzy and from Kilted on; ports have other names, and are taken over by themselves."""
_LOCK: Final = "_el"
_SETTLED_S: Final = 1.0
"""Between making the file of the lock and taking it a process needs microseconds."""


@dataclass(frozen=True)
class Reclaimed:
    """What was taken back.

    Attributes:
        segments: of dead processes.
        size_bytes: that they took.
    """

    segments: int = 0
    size_bytes: int = 0

    def __str__(self) -> str:
        return (
            f"took back {self.size_bytes / MIB:.0f} MiB of shared memory that {self.segments} "
            f"segments of ended processes took in {FOLDER}"
        )


def reclaim(folder: Path = FOLDER) -> Reclaimed:
    """Remove the segments of Fast DDS whose owners are dead.

    Nothing is touched that belongs to another user, whose owner lives (also in another
    container), or that Fast DDS has not named.

    Args:
        folder: where segments lie.
    """
    found = Reclaimed()
    for lock in _locks(folder):
        segment = lock.with_name(lock.name.removesuffix(_LOCK))
        with suppress(OSError), _owner_is_dead(lock):
            size_bytes = segment.stat().st_blocks * 512
            segment.unlink()
            lock.unlink()
            found = Reclaimed(found.segments + 1, found.size_bytes + size_bytes)
    return found


def free_bytes(folder: Path = FOLDER) -> int | None:
    """How much can be written there; None where nobody knows."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def other_users(folder: Path = FOLDER) -> list[str]:
    """Names of the other users whose processes have segments there, dead ones' included."""
    owners = set()
    for lock in _locks(folder):
        with suppress(OSError):
            owners.add(lock.stat().st_uid)
    return sorted(_name_of(owner) for owner in owners - {os.getuid()})


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _locks(folder: Path) -> list[Path]:
    try:
        paths = list(folder.iterdir())
    except OSError:  # no such folder, as on other systems
        return []
    return [
        path
        for path in paths
        if path.name.endswith(_LOCK) and _SEGMENT.fullmatch(path.name.removesuffix(_LOCK))
    ]


@contextmanager
def _owner_is_dead(lock: Path) -> Iterator[None]:
    """Hold the lock that the owner of a segment would hold; OSError where it does, or may yet."""
    opened = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        status = os.fstat(opened)
        if status.st_uid != os.getuid() or time.time() - status.st_ctime < _SETTLED_S:
            raise PermissionError(
                f"{lock} belongs to another user, or is too recent to be removed safely"
            )
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)

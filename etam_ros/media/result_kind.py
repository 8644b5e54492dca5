"""The files that a command writes to a folder, and checks for other files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from etam_ros.errors import SourceError
from etam_ros.media.files import check_can_fill, lock_folder, writing
from etam_ros.media.run_record import RECORD, RunRecord, read_record

UNFINISHED: Final = "unfinished"
PART: Final = ".part"
OLD: Final = ".replaced"


@dataclass(frozen=True)
class ResultKind:
    """The files that a command writes to a folder.

    Attributes:
        command: its name.
        files: names of all files and folders that it may write, in addition to the record.
        inside: by name of such a folder, a pattern for the paths in it.
        option: the option that names the folder.
        record: name of the record.
        beside: records of other commands that share the folder.
        is_older: whether a folder contains results from before records were introduced.
        is_shared: other files are tolerated under other names.
    """

    command: str
    files: tuple[str, ...]
    inside: Mapping[str, str] = field(default_factory=dict)
    option: str = "--out"
    record: str = RECORD
    beside: tuple[str, ...] = ()
    is_older: Callable[[Path], bool] = lambda _folder: False
    is_shared: bool = False

    @property
    def records(self) -> tuple[str, ...]:
        """Names of the records that may be in the folder."""
        return (self.record, *self.beside)


def check_result_folder(
    folder: Path, kind: ResultKind, source: str = "", kept: Iterable[str] = ()
) -> None:
    """Raise SourceError unless results can be written to a folder; nothing is changed.

    Called before any work, so that nobody waits in vain: the folder must be new, empty, or that
    of an earlier run only, and no other run may be writing to it.

    Args:
        folder: the folder for the results.
        source: the input, which must not be in the folder.
        kept: names of other things in the folder, which are left alone.
    """
    check_place(folder, kind, source)
    if not folder.is_dir():
        return
    check_foreign(folder, kind, frozenset(kept))
    lock = lock_folder(folder)
    if lock is None:
        raise is_busy(folder, kind)
    os.close(lock)


def is_marked(folder: Path, kind: ResultKind) -> bool:
    """Whether a folder contains results of this kind."""
    return bool(_records(folder, kind)) or kind.is_older(folder)


def holds_results(folder: Path, kind: ResultKind) -> bool:
    """Whether a folder contains more than the record of a run without results."""
    if not folder.is_dir():
        return False
    return any(path.name not in (*kind.records, UNFINISHED) for path in folder.iterdir())


def check_place(folder: Path, kind: ResultKind, source: str = "") -> None:
    """Raise SourceError unless a folder is writable and does not contain the source."""
    name = f"{kind.option} {folder}"
    with writing(folder):
        is_there, is_folder = folder.exists(), folder.is_dir()  # raises for names too long
    if is_there and not is_folder:
        raise SourceError(f"{name} is a file, expected a folder: choose another name")
    if source and Path(source).exists() and folder.resolve() in Path(source).resolve().parents:
        raise SourceError(
            f"{name} holds the source {source}, expected a folder apart from the source: choose "
            "another one"
        )
    check_can_fill(folder, kind.option)


def is_busy(folder: Path, kind: ResultKind) -> SourceError:
    """The error for a folder that another run is writing to."""
    return SourceError(
        f"{kind.option} {folder} is being written by another run, expected a folder of its own: "
        "choose another, or wait"
    )


def check_foreign(folder: Path, kind: ResultKind, kept: frozenset[str]) -> None:
    """Raise SourceError if a folder contains files that no run of this kind has written."""
    try:
        found = next(_foreign(folder, kind, kept), None)
    except OSError as error:
        raise SourceError(f"{kind.option} {folder} cannot be read: {error.strerror}") from None
    if found is not None:
        raise SourceError(
            f"{kind.option} {folder} holds {found}, which no earlier run wrote, expected a new "
            f"or empty folder or one with earlier output of `etam {kind.command}`: choose "
            "another folder"
        )


def _foreign(folder: Path, kind: ResultKind, kept: frozenset[str]) -> Iterator[str]:
    """A file that no run of this kind has written, by its path in the folder."""
    owned, marked = _owned(folder, kind), is_marked(folder, kind)
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        name = entry.name.removesuffix(PART).removesuffix(OLD)
        if entry.name in kept:
            continue
        if kind.is_shared and marked and name not in (*kind.files, *kind.records, UNFINISHED):
            continue
        if name not in owned or entry.is_symlink():
            yield f"the link {entry.name}" if entry.is_symlink() else entry.name
        elif entry.name == UNFINISHED and entry.is_dir():
            inner = _foreign(Path(entry.path), kind, frozenset())
            yield from (f"{UNFINISHED}/{each}" for each in inner)
        elif entry.is_dir():
            yield from _foreign_inside(Path(entry.path), entry.name, kind.inside.get(name))
        elif not entry.is_file() or name in kind.inside:
            yield entry.name


def _owned(folder: Path, kind: ResultKind) -> set[str]:
    """Names of an earlier run's files in a folder; empty if there was no run."""
    ours = _records(folder, kind)
    if ours:
        return {name for each in ours for name in each.files} | {*kind.records, UNFINISHED}
    owned = set(kind.files) if kind.is_older(folder) else set()
    if _records(folder / UNFINISHED, kind):
        owned.add(UNFINISHED)
    if not (folder / kind.record).exists():
        owned.add(kind.record)  # a killed run may have left a partial one
    return owned


def _records(folder: Path, kind: ResultKind) -> list[RunRecord]:
    found = (read_record(folder / name) for name in kind.records)
    return [each for each in found if each is not None and each.command == kind.command]


def _foreign_inside(folder: Path, name: str, pattern: str | None) -> Iterator[str]:
    """A file that no run has written, in one of the folders of its results."""
    if pattern is None:
        yield name
        return
    for place, folders, files in os.walk(folder):
        for each in sorted((*folders, *files)):
            path = Path(place) / each
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink() or not re.fullmatch(pattern, inside):
                yield f"{name}/{inside}"

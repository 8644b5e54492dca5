"""The folder of a run's results, which may contain those of an earlier run, but nothing else.

    OUT/run.json       lists the results, and whether they are complete; written first and last
    OUT/masks/, ...    the results
    OUT/unfinished/    a later run, with a run.json of its own, until it ends successfully

Complete results are only replaced by complete ones. Files of a run that was killed or failed are
removed by the next one. Links are neither followed nor kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from etam_ros.errors import SourceError
from etam_ros.media.files import lock_folder, writing
from etam_ros.media.result_kind import (
    OLD,
    PART,
    UNFINISHED,
    ResultKind,
    check_foreign,
    check_place,
    is_busy,
)
from etam_ros.media.run_record import (
    COMPLETE,
    CUT,
    FAILED,
    INTERRUPTED,
    REPLACING,
    RunRecord,
    read_record,
    write_record,
)

if TYPE_CHECKING:
    from typing_extensions import Self

_WORTH: Final = {COMPLETE: 2, REPLACING: 2, INTERRUPTED: 1, CUT: 1}
"""Rank of results by state; results in other states are removed by the next run."""


class ResultFolder:
    """The output folder of one run; a context manager that records how the run ended.

    After the block the results are marked as complete, or as set by `end`; after an error, as
    failed or interrupted. All files in it must be closed before.

    Args:
        folder: created if missing.
        kind: kind of the results.
        record: the run as known in advance, with the names of the files that it will write.
        kept: names of other things in the folder, which are left alone.
        resumed: continue the results of an earlier run.

    Attributes:
        place: where to write: the folder, or one inside it while it contains earlier results.
        frames: frames written so far; counted by the writer.
        runs_on: as in the record, if it is known only later; empty to use the record's.

    Raises:
        SourceError: the folder cannot be written, contains something else, or is in use.
    """

    def __init__(
        self,
        folder: Path,
        kind: ResultKind,
        record: RunRecord,
        *,
        kept: Iterable[str] = (),
        resumed: bool = False,
    ) -> None:
        self.folder, self.place, self.frames = folder, folder, 0
        self.runs_on = ""
        self._kind, self._record, self._kept = kind, record, frozenset(kept)
        self._ending = (COMPLETE, "")
        self._resumed: RunRecord | None = None
        self._lock: int | None = None
        check_place(folder, kind)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock_folder(folder)
        if self._lock is None:
            raise is_busy(folder, kind)
        try:
            check_foreign(folder, kind, self._kept)
            with writing(folder):
                self._earlier = self._clear(resumed)
                write_record(self.place / kind.record, self._record)
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def record(self) -> RunRecord:
        """The current record of the run."""
        state, reason = self._ending
        runs_on = self.runs_on or self._record.runs_on
        return replace(
            self._record, runs_on=runs_on, state=state, reason=reason, frames=self.frames
        )

    @property
    def keeps_earlier(self) -> bool:
        """Whether the folder still has the results of an earlier run, next to the new ones."""
        return self.place != self.folder

    def end(self, state: str, reason: str = "") -> None:
        """Set how the run ended, if it is not complete."""
        self._ending = state, reason

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            stopped = isinstance(error, KeyboardInterrupt)
            self.end(INTERRUPTED if stopped else FAILED, "" if stopped else _one_line(error))
        try:
            with writing(self.folder):
                self._settle()
        except SourceError:
            if error is None:
                raise
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _clear(self, resumed: bool) -> RunRecord | None:
        """Remove old files, and decide where to write; returns earlier results that are kept."""
        folder, kind = self.folder, self._kind
        earlier = read_record(folder / kind.record)
        if earlier is None and kind.is_older(folder):
            there = tuple(name for name in kind.files if (folder / name).exists())
            earlier = RunRecord(kind.command, "", state=COMPLETE, files=there, versions={})
        if earlier is not None and earlier.state == REPLACING:
            later = read_record(folder / UNFINISHED / kind.record)
            if later is not None:
                self._move_up(earlier, later)
            earlier = read_record(folder / kind.record)
        _remove(folder / UNFINISHED)
        if resumed and earlier is not None:
            self._resumed = earlier
            self._record = replace(self._record, files=_both(self._record, earlier))
        if earlier is None or resumed:
            return None
        if _WORTH.get(earlier.state, 0):
            self.place = folder / UNFINISHED
            self.place.mkdir()
            return earlier
        write_record(
            folder / kind.record, replace(self._record, files=_both(self._record, earlier))
        )
        for name in earlier.files:
            _remove(folder / name)
            _remove(folder / (name + PART))
        return None

    def _settle(self) -> None:
        """Complete the record, and replace earlier results by the new ones."""
        record = self.record
        there = tuple(name for name in record.files if (self.place / name).exists())
        if record.state != FAILED:
            record = replace(record, files=there)
        if self._resumed is not None and not self.frames and record.state != COMPLETE:
            record = self._resumed  # nothing was added to it
        write_record(self.place / self._kind.record, record)
        if self._earlier is None:
            return
        if _WORTH.get(record.state, 0) >= _WORTH[self._earlier.state]:
            self._move_up(self._earlier, record)
            self.place = self.folder

    def _move_up(self, earlier: RunRecord, later: RunRecord) -> None:
        """Replace earlier results; resumes after an earlier call that was killed."""
        folder, place, name_of_record = self.folder, self.folder / UNFINISHED, self._kind.record
        mixed = replace(earlier, state=REPLACING, files=_both(later, earlier))
        write_record(folder / name_of_record, mixed)
        for name in later.files:
            if not (place / name).exists():
                continue  # it was moved already
            if (folder / name).exists():
                _remove(place / (name + OLD))
                (folder / name).rename(place / (name + OLD))
            (place / name).rename(folder / name)
        for name in set(earlier.files) - set(later.files):
            _remove(folder / name)
        (place / name_of_record).replace(folder / name_of_record)
        _remove(place)


def _both(record: RunRecord, other: RunRecord) -> tuple[str, ...]:
    """Names of the files of two runs."""
    return tuple(dict.fromkeys((*record.files, *other.files)))


def _remove(path: Path) -> None:
    """Remove a file or a folder; for a link, only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

"""The folder of a run's results, which may hold those of an earlier run, and nothing else.

    OUT/run.json       what lies beside it, and whether it is whole: written first, completed last
    OUT/masks/, ...    the results
    OUT/unfinished/    a later run, with a run.json of its own, until it has ended well

Results that are whole are replaced by others that are whole, and by nothing else. What a run left
that was killed or has failed is taken away by the next one. Links are neither followed nor kept.
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
"""How dear results are by their state; others are taken away by the next run."""


class ResultFolder:
    """Where one run writes; a context manager that settles what becomes of it.

    Leaving the block without an error makes the results complete, or whatever `end` was told;
    leaving it with one, failed or interrupted. Everything that is written in it has to be closed
    before.

    Args:
        folder: made if it is not there.
        kind: of what is written.
        record: what is known of the run beforehand; its files are those that it will write.
        kept: names in the folder that are not of the results, and stay.
        resumed: what an earlier run left is gone on with.

    Attributes:
        place: where to write: the folder, or another in it while it holds results.
        frames: written so far; counted by whoever writes.
        runs_on: as of the record, where it is known later than that; empty: as there.

    Raises:
        SourceError: the folder cannot be written, holds something else, or is another run's now.
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
        """What is known of the run now."""
        state, reason = self._ending
        runs_on = self.runs_on or self._record.runs_on
        return replace(
            self._record, runs_on=runs_on, state=state, reason=reason, frames=self.frames
        )

    @property
    def keeps_earlier(self) -> bool:
        """Whether the folder still holds the results of an earlier run, and these lie in it."""
        return self.place != self.folder

    def end(self, state: str, reason: str = "") -> None:
        """Say how the run ended, if not completely."""
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
        """Make room, and settle where to write; what is there already and stays until the end."""
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
        """Complete the record, and let the results take the place of those that they replace."""
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
        """Let results take the place of others; goes on where an earlier call was killed."""
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
    """Take away a file or a folder; of a link, the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__

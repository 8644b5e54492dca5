"""What a part of the call has found so far, in a file that is whole at every moment."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Findings:
    """Tables and notes of one part, written to its file at every change.

    Args:
        path: of the file.
        seconds: that the part has.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._end_s = time.monotonic() + seconds
        self.tables: dict[str, list[Row]] = {}
        self.notes: list[str] = []

    @property
    def left_s(self) -> float:
        """Seconds that are left, negative once they are over."""
        return self._end_s - time.monotonic()

    def add(self, table: str, row: Row) -> None:
        """One more row of a table; its keys are the headings. What is no number is left empty."""
        self.tables.setdefault(table, []).append({
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in row.items()
        })  # fmt: skip
        self._write()

    def note(self, text: str) -> None:
        """A line on what failed or was left out."""
        print(text, flush=True)
        self.notes.append(text)
        self._write()

    @contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Make what fails a note, and go on."""
        print(what, flush=True)
        try:
            yield
        except Exception as error:
            self.note(f"{what}: {words_of(error)}")

    def note_warnings(self, logger: str) -> None:
        """Make what a logger warns of notes, each once."""
        logging.getLogger(logger).addHandler(_Notes(self))

    def has_time(self, what: str, end_s: float = 0.0) -> bool:
        """Whether more than so many seconds are left; otherwise what was to be done is noted."""
        if self.left_s > end_s:
            return True
        self.note(f"{what}: no time was left")
        return False

    def _write(self) -> None:
        unfinished = self._path.with_suffix(".part")
        unfinished.write_text(json.dumps({"tables": self.tables, "notes": self.notes}))
        unfinished.replace(self._path)


class _Notes(logging.Handler):
    def __init__(self, found: Findings) -> None:
        super().__init__(logging.WARNING)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._found.notes:
            self._found.note(text)


def read_findings(path: Path) -> dict[str, Any]:
    """Tables and notes of a file that may not be there yet."""
    if not path.is_file():
        return {"tables": {}, "notes": []}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def words_of(error: Exception) -> str:
    """An error as one line."""
    reason = (str(error).strip().splitlines() or ["no message"])[0]
    return f"{type(error).__name__}: {reason[:300]}"

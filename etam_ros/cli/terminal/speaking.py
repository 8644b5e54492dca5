"""Words about work that is done: nobody has to hear them for it to be done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from etam_ros.errors import SourceError

_STANDARD: Final = (0, 1, 2)
_STDOUT, _STDERR = 1, 2


class _Forgiving:
    """A stream whose words may go nowhere: a full disk or a closed pipe behind it is no error."""

    def __init__(self, stream: TextIO, number: int) -> None:
        self._stream, self._number = stream, number

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            _silence(self._number)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            _silence(self._number)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def whoever_listens() -> Iterator[None]:
    """Let what is printed in the block go nowhere if stdout is full or closed."""
    before = sys.stdout
    forgiving: Any = None if before is None else _Forgiving(before, _STDOUT)
    sys.stdout = forgiving
    try:
        yield
    finally:
        if forgiving is not None:
            forgiving.flush()
        sys.stdout = before


def silence_stdout() -> None:
    """Send whatever is still to be printed nowhere: Python flushes once more on its way out."""
    _silence(_STDOUT)


def _silence(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def open_standard_streams() -> None:
    """Open what is closed of stdin, stdout and stderr, so that no file of ours takes its place.

    What is said on stderr may go nowhere, as when its terminal is gone: that is never an error.
    """
    while not all(map(_is_open, _STANDARD)):
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if sys.stderr is not None:
        forgiving: Any = _Forgiving(sys.stderr, _STDERR)
        sys.stderr = forgiving


def check_current_folder() -> None:
    """Raise SourceError where the current folder was removed: libraries abort the process then."""
    try:
        Path.cwd()
    except OSError as error:
        raise SourceError(
            f"the current folder cannot be used ({error.strerror}): change to another one"
        ) from None


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

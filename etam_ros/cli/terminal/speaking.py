"""Words about work that is done: nobody has to hear them for it to be done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

_STANDARD: Final = (0, 1, 2)


class _Forgiving:
    """A stream whose words may go nowhere: a full disk or a closed pipe behind it is no error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            silence_stdout()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            silence_stdout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def whoever_listens() -> Iterator[None]:
    """Let what is printed in the block go nowhere if stdout is full or closed."""
    before = sys.stdout
    forgiving: Any = None if before is None else _Forgiving(before)
    sys.stdout = forgiving
    try:
        yield
    finally:
        if forgiving is not None:
            forgiving.flush()
        sys.stdout = before


def silence_stdout() -> None:
    """Send whatever is still to be printed nowhere: Python flushes once more on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def open_standard_streams() -> None:
    """Open what is closed of stdin, stdout and stderr, so that no file of ours takes its place."""
    while not all(map(_is_open, _STANDARD)):
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

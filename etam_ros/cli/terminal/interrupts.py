"""Ctrl-C that lets a long run finish what it is at."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_STDERR: Final = 2
_WORDS: Final = b"\nending; press Ctrl-C again to break off\n"


class StopRequest:
    """Whether Ctrl-C (or SIGTERM) came; call it to ask."""

    def __init__(self) -> None:
        self._asked = False

    def __call__(self) -> bool:
        return self._asked

    def ask(self) -> None:
        """Ask the run to stop at its next chance."""
        self._asked = True


@contextmanager
def stop_on_interrupt() -> Iterator[StopRequest]:
    """The first Ctrl-C or SIGTERM asks politely, the next one interrupts at once.

    Yields:
        what the run asks after each step. Only to be used in the main thread.
    """
    request = StopRequest()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if request():
            raise KeyboardInterrupt
        request.ask()
        with contextlib.suppress(OSError):  # nobody may be there to read it
            os.write(_STDERR, _WORDS)  # printing is not safe in a signal handler

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT,
                                                                     signal.SIGTERM)}  # fmt: skip
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

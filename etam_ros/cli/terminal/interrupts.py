"""Ctrl-C, or the end of a session, that lets a long run finish what it is at."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from etam_ros.ending_signals import ending_signals

_STDERR: Final = 2
_WORDS: Final = b"\nending; press Ctrl-C again to break off\n"


@contextmanager
def stop_on_interrupt(words: bytes = _WORDS) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C, SIGTERM or SIGHUP asks politely, the next one interrupts at once.

    A terminal or ssh session that ends sends SIGHUP. It is ignored where it was before, as under
    nohup.

    Args:
        words: said on stderr when it is asked.

    Yields:
        what the run asks after each step: whether to stop. Only to be used in the main thread.
    """
    asked = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        with contextlib.suppress(OSError):  # nobody may be there to read it
            os.write(_STDERR, words)  # printing is not safe in a signal handler

    before = {number: signal.signal(number, on_signal) for number in ending_signals()}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

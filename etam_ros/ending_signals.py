"""Which signals end a process in good order, whatever it is."""

from __future__ import annotations

import signal


def ending_signals() -> tuple[signal.Signals, ...]:
    """Ctrl-C, SIGTERM, and SIGHUP, which comes when a terminal or an ssh session ends.

    Where SIGHUP was ignored before, as under nohup, it stays so: ask before setting handlers.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return signal.SIGINT, signal.SIGTERM
    return signal.SIGINT, signal.SIGTERM, signal.SIGHUP

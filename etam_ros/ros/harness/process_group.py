"""Processes that a run starts, and never leaves behind."""

from __future__ import annotations

import ctypes
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from etam_ros.errors import EtamError

_PATIENCE_S: Final = 5.0
"""How long a process may take to end after SIGINT, and again after SIGTERM."""
_SET_PARENT_DEATH_SIGNAL: Final = 1  # prctl's PR_SET_PDEATHSIG
_LOG_PREFIX: Final = re.compile(r"^(\[[^\]]*\] ?)*(: )?")  # [ERROR] [time] [node]:
_LIBC: Final = ctypes.CDLL(None)


class ProcessGroup:
    """Python processes in sessions of their own, so that Ctrl-C reaches them through us alone.

    A context manager: leaving it ends them all with SIGINT, then SIGTERM, then SIGKILL.

    Args:
        environment: of the processes.
        log_dir: each one's output goes to `<name>.log` there.
    """

    def __init__(self, environment: Mapping[str, str], log_dir: Path) -> None:
        self._environment = dict(environment)
        self._log_dir = log_dir
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, module: str, arguments: Sequence[str]) -> None:
        """Start `python -m module arguments`."""
        command = [sys.executable, "-m", module, *arguments]
        with self.log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 -- one system call, no Python locks
            )

    def log(self, name: str) -> Path:
        """Where a process's output is."""
        return self._log_dir / f"{name}.log"

    def pid(self, name: str) -> int:
        """Id of a process."""
        return self._processes[name].pid

    def running(self, name: str) -> bool:
        """Whether a process has not ended yet."""
        return self._processes[name].poll() is None

    def check(self, name: str) -> None:
        """Raise EtamError if a process ended with an error; the line says what it said last."""
        code = self._processes[name].poll()
        if code:
            said = self.log(name).read_text(errors="replace").strip().splitlines()
            last = _LOG_PREFIX.sub("", said[-1]) if said else "it said nothing"
            raise EtamError(
                f"{name} ended with exit code {code}: {last} (its output is in {self.log(name)})"
            )

    def interrupt(self, name: str) -> None:
        """Ask a process to end, without waiting for it."""
        if self.running(name):
            self._processes[name].send_signal(signal.SIGINT)

    def kill(self, name: str) -> None:
        """End a process as a crash would, with SIGKILL."""
        self._processes[name].kill()
        self._processes[name].wait(_PATIENCE_S)

    def end(self, name: str) -> None:
        """End a process: ask it, tell it, kill it."""
        process = self._processes[name]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                return
            process.send_signal(number)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                continue

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in reversed(self._processes):
            self.end(name)


def _die_with_parent() -> None:
    """Runs in the new process: should we be killed, the kernel ends it too (Linux alone)."""
    if sys.platform == "linux":
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)

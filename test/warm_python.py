"""Processes that begin as forks of a Python which has imported what takes them seconds.

From there on each is what `python -m MODULE` would be: a process with arguments, output and
signals of its own, in which ROS is started, and whose interpreter comes to its ordinary end. Only
what shows in imports, or in an environment of its own, needs a new interpreter.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

POLL_S = 0.01
LARGEST = 1 << 16
"""Bytes of a request."""


class WarmPython:
    """The Python from which processes begin; it starts with the first of them.

    Args:
        environment: of all of them.
        imported: modules that they find imported. None may start a thread.
    """

    def __init__(self, environment: Mapping[str, str], imported: Sequence[str]) -> None:
        self._environment = dict(environment)
        self._imported = imported
        self._server: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._one_at_a_time = threading.Lock()

    def start(
        self, module: str, arguments: Sequence[str], stdout: int, stderr: int
    ) -> WarmProcess:
        """Run the function `main` of a module with these arguments and file descriptors."""
        request = {"module": module, "arguments": list(arguments), "folder": str(Path.cwd())}
        return WarmProcess(self, self._ask(request, stdout, stderr))

    def look(self, pid: int) -> int | None:
        """The exit code of a process, to be asked for until it has ended; None before."""
        return self._ask({"pid": pid})

    def close(self) -> None:
        """End the Python they begin from; they themselves go on."""
        if self._requests is not None and self._server is not None:
            self._requests.close()
            self._server.wait()

    def _ask(self, request: Mapping[str, object], *files: int) -> int | None:
        with self._one_at_a_time:
            requests = self._requests or self._start_server()
            socket.send_fds(requests, [json.dumps(request).encode()], files)
            answer = requests.recv(LARGEST)
            assert answer, f"{__file__} has ended with {self._server.wait()}"
            return json.loads(answer)

    def _start_server(self) -> socket.socket:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), *self._imported],
            env=self._environment,
            stdout=subprocess.DEVNULL,  # as little a terminal as what processes write to
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        return self._requests


class WarmProcess:
    """What `subprocess.Popen` would be."""

    def __init__(self, python: WarmPython, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._python = python

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._python.look(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout)
            time.sleep(POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def serve(requests: socket.socket) -> str | None:
    """Answer until nobody asks any more; in a process that begins, return the module to run."""
    while True:
        content, files, *_ = socket.recv_fds(requests, LARGEST, 2)
        if not content:
            return None
        request = json.loads(content)
        if "pid" in request:
            answer = look(request["pid"])
        else:
            threads = len(list(Path("/proc/self/task").iterdir()))
            assert threads == 1, f"{threads} threads, of which a fork keeps one"
            answer = os.fork()
            if not answer:
                requests.close()
                become(request, *files)
                return request["module"]
            for file in files:
                os.close(file)
        requests.send(json.dumps(answer).encode())


def look(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def become(request: dict, *files: int) -> None:
    """Take on the arguments, folder and output of the process that is to be."""
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv = [request["module"], *request["arguments"]]
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    for each in sys.argv[2:]:
        importlib.import_module(each)
    if (run := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        sys.exit(importlib.import_module(run).main())

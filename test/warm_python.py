"""Processes that begin as forks of a Python which has imported what takes them seconds.

From there on each is what `python -m MODULE` would be: a process with arguments, environment,
output and signals of its own, in which ROS is started, and whose interpreter comes to its
ordinary end. What shows in imports needs a new interpreter, and so does what may depend on the
seed of hashes: all forks have the same.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

IMPORTED = (
    "torch", "cv2", "typer.rich_utils", "etam_ros.cli.main", "etam_ros.media.sources",
    "etam_ros.runtime.engines", "etam_ros.tracking.opening",
)  # fmt: skip
"""Not rclpy, which starts threads: a fork would not have them."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
"""In which those are imported."""
POLL_S = 0.01
LARGEST = 1 << 16
"""Bytes of a request."""


@cache
def warm_python() -> WarmPython:
    """The one of this process; it starts with the first process that begins from it."""
    python = WarmPython()
    atexit.register(python.close)
    return python


class WarmPython:
    """The Python from which processes begin."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._one_at_a_time = threading.Lock()

    def start(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str],
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> WarmProcess:
        """Run the function `main` of a module.

        Args:
            module: its name.
            arguments: of the process.
            environment: all of it.
            stdout, stderr: file descriptors; None: a pipe.
        """
        request = {
            "module": module,
            "arguments": arguments,
            "environment": dict(environment),
            "folder": str(Path.cwd()),
        }
        pipes = [os.pipe() if each is None else (None, each) for each in (stdout, stderr)]
        pid = self._ask(request, *(writing for _, writing in pipes))
        assert pid is not None
        readers = []
        for reading, writing in pipes:
            readers.append(None if reading is None else os.fdopen(reading))
            if reading is not None:
                os.close(writing)
        return WarmProcess(self, pid, *readers)

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
            [sys.executable, __file__, str(theirs.fileno())],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,  # as little a terminal as what processes write to
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        return self._requests


class WarmProcess:
    """What `subprocess.Popen` would be, its pipes as text."""

    def __init__(
        self, python: WarmPython, pid: int, stdout: TextIO | None, stderr: TextIO | None
    ) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
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

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that is left to read of both pipes; a process that takes longer is killed."""
        pipes = [pipe for pipe in (self.stdout, self.stderr) if pipe is not None]
        with ThreadPoolExecutor(len(pipes) or 1) as readers:
            said = {pipe: readers.submit(pipe.read) for pipe in pipes}
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        words = [said[pipe].result() if pipe else "" for pipe in (self.stdout, self.stderr)]
        for pipe in pipes:
            pipe.close()
        self.stdout = self.stderr = None
        return words[0], words[1]

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
    """Take on what the process is to have of its own."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv = [request["module"], *request["arguments"]]
    for file, name in zip(files, ("stdout", "stderr"), strict=True):
        stream = getattr(sys, name)
        os.dup2(file, stream.fileno())
        os.close(file)
        # Python has looked at what was there before, as to whether it can be wound back.
        made = open(  # noqa: SIM115 -- open to the end
            stream.fileno(), "wb", buffering=0 if stream.write_through else -1, closefd=False
        )
        written = TextIOWrapper(
            made, stream.encoding, stream.errors,
            line_buffering=stream.line_buffering, write_through=stream.write_through,
        )  # fmt: skip
        setattr(sys, name, written)
        setattr(sys, f"__{name}__", written)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    for each in IMPORTED:
        importlib.import_module(each)
    gc.freeze()
    if (run := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        sys.exit(importlib.import_module(run).main())

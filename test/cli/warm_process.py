"""Calls of `etam` in processes that begin with PyTorch imported, most of what a short call takes.

Python's fork server imports it once; each call is a fork of it, with an environment, arguments and
streams of its own, and ends without taking the interpreter down, which takes half a second. Only
what shows in imports themselves needs a new interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from warm_python import IMPORTED


def fork_server() -> ForkServerContext:
    """The server of this process; it starts with the first call."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


def run_warm(
    args: Sequence[str], environment: Mapping[str, str], folder: Path, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run `etam` with these arguments to its end.

    Args:
        args: after `etam`.
        environment: all of it.
        folder: for what it says; exists.
        timeout_s: until it is killed.
    """
    files = folder / "stdout", folder / "stderr"
    process = fork_server().Process(
        target=_be_etam, args=(list(args), dict(environment), str(Path.cwd()), *map(str, files))
    )
    process.start()
    process.join(timeout_s)
    if process.is_alive():
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired(["etam", *args], timeout_s)
    assert process.exitcode is not None
    said = (file.read_text(encoding="utf-8") for file in files)
    return subprocess.CompletedProcess(["etam", *args], process.exitcode, *said)


def _be_etam(
    args: list[str], environment: dict[str, str], folder: str, stdout: str, stderr: str
) -> None:
    """Go on as `etam` would begin."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["etam", *args]
    from etam_ros.cli.main import main

    main()

"""What it learns: training by the clock, in a process of its own, and its log as a table."""

from __future__ import annotations

import contextlib
import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from etam_ros.benchmark.on_gpu.findings import Findings
from etam_ros.errors import BackendError

FOLDER: Final = "training"
CHOSEN: Final = "Rates, and what was chosen by them"
LOOK_S: Final = 2.0
ROWS: Final = 12
"""Of the log, that the report shows."""
SHOWN: Final = (
    "step", "loss", "iou_prompted", "iou_tracked", "presence_right", "lr", "clips_per_s",
)  # fmt: skip
REHEARSED: Final = ("--frames=2", "--size=64", "--largest=64", "--sizes=1,2")
"""Small enough for a few steps on a CPU."""
ENDING_S: Final = 20.0
"""What starting and saving take of the part's time."""


def learn(folder: Path, init: str, material: str, device: str, found: Findings) -> None:
    """Train until the time is over, then tell what was chosen and how it went.

    Args:
        folder: in which the run's folder is made.
        init: what it begins from.
        material: packed material; empty for made-up things alone.
        device: cuda, or cpu to rehearse.
        found: has the time, and gets the tables.
    """
    run = folder / FOLDER
    minutes = max(0.05, (found.left_s - ENDING_S) / 60)
    command = [
        sys.executable, "-m", "etam_ros.training.by_the_clock", str(run),
        f"--minutes={minutes:.3f}", f"--init={init}", f"--device={device}",
    ]  # fmt: skip
    if material:
        command.append(f"--data={material}")
    if device == "cpu":
        command += REHEARSED
    with found.noted("training"):
        code = _run(command, lambda: _tell_choice(run / "choice.json", found))
        for row in _log_rows(run / "log.csv"):
            found.add("How it went", row)
        if code != 0:
            raise BackendError(f"training ended with exit code {code}: see the log")


def _tell_choice(path: Path, found: Findings) -> None:
    """What was measured and chosen, once it is there."""
    if CHOSEN not in found.tables and path.is_file():
        for row in json.loads(path.read_text()):
            found.add(CHOSEN, row)


def _run(command: list[str], look: Callable[[], None]) -> int:
    """Run it; being asked to end is passed on, so that the run is saved.

    Args:
        look: is called every now and then, and at the end.
    """
    process = subprocess.Popen(command)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
        look()
    return process.returncode


def _log_rows(path: Path) -> list[dict[str, object]]:
    """Some rows, evenly, the last one among them."""
    if not path.is_file():
        return []
    with path.open() as file:
        rows = list(csv.DictReader(file))
    every = max(1, len(rows) // ROWS)
    return [{name: float(row[name]) for name in SHOWN} for row in rows[::-1][::every][::-1]]

"""The parts of the call as processes with time limits, and what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from etam_ros.benchmark.on_gpu.findings import read_findings, words_of
from etam_ros.benchmark.on_gpu.page import page
from etam_ros.benchmark.opening import machine
from etam_ros.errors import ConfigError
from etam_ros.runtime.atomic import write_file

TESTS, REPORT, TRAIN = "tests", "report", "train"
TITLES: Final = {TESTS: "Is it right", REPORT: "How fast", TRAIN: "What it learns"}
PARTS: Final = tuple(TITLES)
LONGEST_S: Final = {TESTS: 120.0, REPORT: 210.0}
SHARES: Final = {TESTS: 0.2, REPORT: 0.35, TRAIN: 1.0}
"""Of the time, at most; training gets what is left."""
GRACE_S: Final = 6.0
"""Before its limit a part is asked to end, so long before it is ended."""
MOST_FILES: Final = 8
MOST_BYTES: Final = 16 * 2**20
TRAINED: Final = "training"
WEIGHTS: Final = ("weights.safetensors", "weights.pt")
LOG: Final = "log.txt"


@dataclass(frozen=True)
class Call:
    """What to run.

    Attributes:
        out: folder of what stays.
        scratch: folder of what does not.
        seconds: for everything.
        parts: of PARTS.
        arguments: for every part.
    """

    out: Path
    scratch: Path
    seconds: float
    parts: tuple[str, ...]
    arguments: tuple[str, ...]


def run_call(call: Call) -> str:
    """Run the parts one after the other; returns the report.

    Raises:
        ConfigError: there is no such part, or the folder cannot be written.
    """
    unknown = [part for part in call.parts if part not in PARTS]
    if unknown:
        raise ConfigError(f"only is {','.join(call.parts)!r}, expected some of {','.join(PARTS)}")
    try:
        call.out.mkdir(parents=True, exist_ok=True)
        (call.out / LOG).unlink(missing_ok=True)  # of an earlier call
    except OSError as error:
        raise _not_written(call.out, error) from None
    end_s = time.monotonic() + call.seconds
    ended: dict[str, str] = {}
    about = machine()
    for index, part in enumerate(call.parts):
        left_s = end_s - time.monotonic()
        last = index == len(call.parts) - 1
        limit_s = left_s if last else min(LONGEST_S.get(part, left_s), SHARES[part] * call.seconds)
        ended[part] = _run(call, part, limit_s, about, ended)
        text = _write(call, about, ended)
    return text


def _run(
    call: Call, part: str, limit_s: float, about: dict[str, str], ended: dict[str, str]
) -> str:
    """Run a part until it ends or its time is over; returns a line if it did not end well."""
    command = [
        sys.executable, "-m", "etam_ros.benchmark.on_gpu", str(call.scratch),
        f"--part={part}", f"--seconds={max(1.0, limit_s - 2 * GRACE_S):.1f}", *call.arguments,
    ]  # fmt: skip
    print(f"{TITLES[part]}: {limit_s:.0f} s", flush=True)
    began_s = time.monotonic()
    with (call.out / LOG).open("a") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=dict(os.environ, PYTHONUNBUFFERED="1"),
        )  # fmt: skip
        try:
            while process.poll() is None and time.monotonic() - began_s < limit_s - GRACE_S:
                _wait(process, 2.0)
                _write(call, about, {**ended, part: "still running"})
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                _wait(process, GRACE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever it has started ends with it
            process.wait()
    took_s = time.monotonic() - began_s
    if process.returncode == 0:
        return f"took {took_s:.0f} s of {limit_s:.0f}"
    return f"ended with {process.returncode} after {took_s:.0f} s of {limit_s:.0f}: see log.txt"


def _not_written(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{folder} cannot be written ({error.strerror}): name another folder")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _write(call: Call, about: dict[str, str], ended: dict[str, str]) -> str:
    """The report of what has been found by now, and what training has saved; returns the page."""
    parts: dict[str, dict[str, Any]] = {}
    for part, how in ended.items():
        found = read_findings(call.scratch / f"{part}.json")
        found["notes"].append(f"this part {how}")
        parts[TITLES[part]] = found
    try:
        keep_training(call.scratch / TRAINED, call.out / TRAINED, MOST_FILES - 3)
    except OSError as error:
        notes = parts.setdefault(TITLES[TRAIN], {"tables": {}, "notes": []})["notes"]
        notes.append(f"what training saved is not kept: {words_of(error)}")
    text = page(about, parts)
    report = json.dumps({"machine": about, "parts": parts}, indent=1) + "\n"
    try:
        write_file(call.out / "report.md", text.encode())
        write_file(call.out / "report.json", report.encode())
    except OSError as error:
        raise _not_written(call.out, error) from None
    return text


def keep_training(run: Path, kept: Path, most_files: int) -> None:
    """Copy what a run has saved, if it is new: weights, log, and the newest state if it fits.

    Args:
        run: folder of the run.
        kept: folder of the copies, from which a run can go on.
        most_files: that may lie there.
    """
    plain = [run / name for name in (*WEIGHTS, "log.csv") if (run / name).is_file()]
    if not plain or plain[0].name not in WEIGHTS:
        return
    kept.mkdir(parents=True, exist_ok=True)
    for path in plain:
        target = kept / path.name
        new = not target.is_file() or target.stat().st_mtime_ns != path.stat().st_mtime_ns
        if new and _fits(path):
            shutil.copy2(path, target)
    states = sorted(path for path in run.glob("state_*") if path.name[6:].isdigit())
    if not states or (kept / states[-1].name).is_dir():
        return
    for old in kept.glob("state_*"):
        shutil.rmtree(old)
    files = sorted(states[-1].iterdir())
    if len(plain) + len(files) <= most_files and all(_fits(file) for file in files):
        copied = kept / states[-1].name
        unfinished = copied.with_name(copied.name + ".unfinished")
        shutil.copytree(states[-1], unfinished)
        unfinished.rename(copied)


def _fits(path: Path) -> bool:
    return path.stat().st_size <= MOST_BYTES

"""The record of a run, stored with its results: its settings, and how it ended.

    {"etam_ros_run": 1, "command": "track", "state": "complete", "reason": "",
     "source": "clip.mp4", "runs_on": "etam_nano on torch, cpu, fp32", "frames": 90,
     "frames_in_source": 90, "files": ["masks", "objects.csv", "overlay.mp4"],
     "versions": {"etam_ros": ..., ...}}

It is written before all other files of a run, and completed after them.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from etam_ros.media.files import read_json
from etam_ros.versions import versions

RECORD: Final = "run.json"
FORMAT: Final = 1
RUNNING: Final = "running"
"""It is running, or was killed."""
COMPLETE: Final = "complete"
INTERRUPTED: Final = "interrupted"
"""It was stopped; everything until then is complete."""
CUT: Final = "cut"
"""The source ended too early; everything until then is complete."""
FAILED: Final = "failed"
REPLACING: Final = "replacing"
"""An earlier result is being replaced by a complete one, a part of which is already in place."""
STATES: Final = (RUNNING, COMPLETE, INTERRUPTED, CUT, FAILED, REPLACING)
_LONGEST_REASON: Final = 500


@dataclass(frozen=True)
class RunRecord:
    """The record of one run.

    Attributes:
        command: the command.
        source: its source, as given.
        runs_on: model, backend, device and precision; empty if there is none, or not known yet.
        state: one of `STATES`.
        reason: why it failed or was cut off; otherwise empty.
        frames: number of frames written; None before its end.
        frames_in_source: number of frames of the source; None if unknown.
        files: names of this run's files.
        versions: versions of the software.
    """

    command: str
    source: str
    runs_on: str = ""
    state: str = RUNNING
    reason: str = ""
    frames: int | None = None
    frames_in_source: int | None = None
    files: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=versions)

    def as_bytes(self) -> bytes:
        """The content of the file."""
        told: dict[str, Any] = {"etam_ros_run": FORMAT, **asdict(self)}
        told["reason"] = self.reason[:_LONGEST_REASON]
        return (json.dumps(told, indent=1) + "\n").encode()


def read_record(path: Path) -> RunRecord | None:
    """Read a record; None if there is none, or if it was not written by one of our runs."""
    try:
        told = {} if path.is_symlink() else read_json(path)
        if not isinstance(told, dict) or told.pop("etam_ros_run", None) != FORMAT:
            return None
        record = RunRecord(**told)
        files = tuple(record.files)
    except (OSError, ValueError, TypeError):
        return None
    named = all(isinstance(name, str) and Path(name).name == name for name in files)
    words = all(isinstance(each, str) for each in (record.command, record.source, record.reason))
    if not named or not words or record.state not in STATES:
        return None
    return RunRecord(**{**told, "files": files})


def write_record(path: Path, record: RunRecord) -> None:
    """Replace a record; if the disk is full, overwrite it in place.

    Raises:
        OSError: it cannot be written.
    """
    content = record.as_bytes()
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        if not path.is_file() or path.is_symlink():
            raise
        _write_over(path, content)


def _write_over(path: Path, content: bytes) -> None:
    """Overwrite the earlier content, which needs no space on the disk."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()

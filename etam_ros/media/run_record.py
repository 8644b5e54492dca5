"""What a run says of itself beside its results: what it was, and whether it has ended well.

    {"etam_ros_run": 1, "command": "track", "state": "complete", "reason": "",
     "source": "clip.mp4", "runs_on": "etam_nano on torch, cpu, fp32", "frames": 90,
     "frames_in_source": 90, "files": ["masks", "objects.csv", "overlay.mp4"],
     "versions": {"etam_ros": ..., ...}}

It is written before anything else of a run, and completed behind everything else.
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
"""It runs, or was killed: nobody could say more."""
COMPLETE: Final = "complete"
INTERRUPTED: Final = "interrupted"
"""Somebody stopped it; everything until then is whole."""
CUT: Final = "cut"
"""The source ended before its time; everything until then is whole."""
FAILED: Final = "failed"
REPLACING: Final = "replacing"
"""An earlier result is being replaced by one that is whole, half of which lies beside it."""
STATES: Final = (RUNNING, COMPLETE, INTERRUPTED, CUT, FAILED, REPLACING)
_LONGEST_REASON: Final = 500


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        command: the verb that ran.
        source: what it was given, as it was given.
        runs_on: model, backend, device and precision, in words; empty: not known yet, or none.
        state: one of `STATES`.
        reason: why it failed, or was cut; else empty.
        frames: written; None: it has not ended.
        frames_in_source: as the source says; None: it does not know.
        files: names beside the record that are of this run.
        versions: of what computed.
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
    """A record; None where there is none, or nothing that a run of ours has written."""
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
    """Write a record in place of an earlier one; where the disk is full, over it.

    Raises:
        OSError: the disk does not take it.
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
    """Write where the earlier content lies, which asks the disk for no room."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()

"""run.json: what a run of `etam track` was, and whether it came to its end.

It is written first and completed last, so that a folder tells whether the run in it has finished,
was stopped, has failed, or is still going on; a run that was killed says to the end that it is
running.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from etam_ros.errors import EtamError, SourceError
from etam_ros.media.files import read_json, writing
from etam_ros.runtime.atomic import write_file
from etam_ros.runtime.versions import versions

if TYPE_CHECKING:
    from typing_extensions import Self

RUN: Final = "run.json"
RUNNING: Final = "running"
FINISHED: Final = "finished"
STOPPED: Final = "stopped"
FAILED: Final = "failed"


class RunFile:
    """Keeps run.json; a context manager around everything else that a run writes.

    Args:
        folder: of the run; made if it is not there.
        about: what else the file shall say.

    Attributes:
        frames: written so far.
        object_ids: every object that was followed.
        stopped: whoever runs it was asked to end before the source did.

    Raises:
        SourceError: it cannot be written.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._path, self._about = folder / RUN, dict(about)
        self.frames = 0
        self.object_ids: Sequence[int] = ()
        self.stopped = False

    def __enter__(self) -> Self:
        with writing(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._write(RUNNING)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._write(STOPPED if self.stopped else FINISHED)
            return
        reason = str(error) if isinstance(error, EtamError) else kind.__name__
        with suppress(SourceError):  # the block's own error is the one that shows
            if issubclass(kind, KeyboardInterrupt):
                self._write(STOPPED)
            else:
                self._write(FAILED, reason=reason)

    def _write(self, state: str, **more: str) -> None:
        content = {
            "state": state,
            **more,
            **self._about,
            "frames": self.frames,
            "objects": list(self.object_ids),
            "versions": versions(),
        }
        with writing(self._path):
            write_file(self._path, (json.dumps(content, indent=1) + "\n").encode())


def is_our_run(path: Path) -> bool:
    """Whether a file is a run.json of ours."""
    try:
        content = read_json(path)
        return "etam_ros" in content["versions"] and isinstance(content["state"], str)
    except (OSError, ValueError, LookupError, TypeError):
        return False

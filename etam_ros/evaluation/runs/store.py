"""The folder of a run, which stores complete results so that they need not be repeated.

REPORT/run.json             whether it is complete; if not, the same command resumes
REPORT/results/NAME.json    one for each video, written after its other files
REPORT/pictures/NAME/*.jpg  for the page
REPORT/times.json           seconds and dates; everything else is the same on every run
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from etam_ros.errors import ConfigError, SourceError
from etam_ros.evaluation.runs.one_video import FORMAT, Outcome
from etam_ros.evaluation.runs.settings import RunSettings
from etam_ros.media.files import read_json, writing
from etam_ros.media.result_folder import ResultFolder
from etam_ros.media.result_kind import ResultKind, is_marked
from etam_ros.media.run_record import RunRecord
from etam_ros.runtime.atomic import write_file

RESULTS: Final = "results"
PICTURES: Final = "pictures"
TIMES: Final = "times.json"
_RESULT_KEYS: Final = {
    "video", "fingerprint", "key", "settings", "runs_on", "machine", "versions", "frames",
    "methods",
}  # fmt: skip
_METHOD_KEYS: Final = {"j", "f", "j_and_f", "passes", "curve", "objects"}
_LONGEST_NAME: Final = 120
"""Limit in bytes; file systems allow 255, of which some are needed for suffixes."""
_OBJECT_KEYS: Final = {
    "object_id", "label", "prompted_frame", "interacted", "frames", "j", "f", "j_and_f", "summary",
    "series",
}  # fmt: skip
_SUMMARIES: Final = ("j", "occlusion", "recovery", "identity")
Result = dict[str, Any]
"""Format of a file in `results`: settings and machine, then every method with its objects."""


class RunFolder:
    """The results of a run, in a folder.

    Args:
        folder: of the report; created if missing.

    Raises:
        SourceError: it cannot be written, or contains something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        known = is_run(folder) or is_marked(folder, REPORT)
        strangers = folder.is_dir() and any(folder.iterdir()) and not known
        if strangers:
            raise SourceError(
                f"--report {folder} holds files that do not belong to a report, expected a new "
                "or empty folder, or that of an earlier run: choose another"
            )
        with writing(folder):
            (folder / RESULTS).mkdir(parents=True, exist_ok=True)

    def finished(self, keys: Mapping[str, str], settings: RunSettings) -> dict[str, Result]:
        """Results that can be reused.

        Args:
            keys: of the requested videos, by name.
            settings: of this run.

        Raises:
            ConfigError: the folder contains results of other settings.
        """
        found = {}
        for name, key in keys.items():
            path = self._path(name)
            result = read_result(path) if path.is_file() else None
            if result is None:
                continue
            if result["key"] != key:
                raise ConfigError(
                    f"--report {self.folder} holds {name} {_difference(result, settings)}: "
                    "choose another folder, or evaluate again with --fresh"
                )
            found[name] = result
        return found

    def forget(self) -> None:
        """Remove all files of an earlier run."""
        with writing(self.folder):
            for name in (RESULTS, PICTURES):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / TIMES).unlink(missing_ok=True)
            (self.folder / RESULTS).mkdir()

    def keep(self, name: str, outcome: Outcome) -> None:
        """Write the output of a video; its result is last, so that it exists only if all does.

        Raises:
            SourceError: it cannot be written.
        """
        place = self.folder / PICTURES / file_name(name)
        with writing(self.folder):
            shutil.rmtree(place, ignore_errors=True)
            for picture, content in outcome.pictures.items():
                place.mkdir(parents=True, exist_ok=True)
                write_file(place / picture, content)
            self._add_time(name, outcome)
            write_file(self._path(name), _as_bytes(outcome.result))

    def times(self) -> dict[str, Any]:
        """Times of each video: seconds and frames by method, and the date."""
        times = _json_of(self.folder / TIMES)
        return times if isinstance(times, dict) else {}

    def pictures(self, name: str) -> dict[str, Path]:
        """JPEG files of a video by name."""
        place = self.folder / PICTURES / file_name(name)
        return {path.name: path for path in sorted(place.glob("*.jpg"))}

    def _path(self, name: str) -> Path:
        return self.folder / RESULTS / f"{file_name(name)}.json"

    def _add_time(self, name: str, outcome: Outcome) -> None:
        entry = {
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": {key: round(value, 3) for key, value in outcome.seconds.items()},
            "frames": outcome.steps,
        }
        times = self.times() | {name: entry}
        write_file(self.folder / TIMES, _as_bytes(dict(sorted(times.items()))))


def _is_older(folder: Path) -> bool:
    """Whether a folder belongs to a run from before `run.json` was introduced."""
    results = (_json_of(path) for path in (folder / RESULTS).glob("*.json"))
    return any(isinstance(each, dict) and each.get("format") == FORMAT for each in results)


REPORT: Final = ResultKind(
    "eval",
    (RESULTS, PICTURES, TIMES, "report.json", "objects.csv", "frames.csv", "index.html"),
    inside={RESULTS: r"[^/]+\.json(\.\d+)?", PICTURES: r"[^/]+(/[^/]+\.jpg(\.\d+)?)?"},
    option="--report",
    is_older=_is_older,
    is_shared=True,
)


def open_report(folder: Path, source: str, runs_on: str, *, fresh: bool) -> ResultFolder:
    """The folder of a report for this run alone; a context manager.

    Args:
        folder: created if missing.
        source, runs_on: as in `RunRecord`.
        fresh: do not resume an earlier run; its report is kept until the new one is complete.

    Raises:
        SourceError: another run is writing to the folder, or it contains something else.
    """
    _check_kind(folder)
    record = RunRecord("eval", source, runs_on, files=REPORT.files)
    run = ResultFolder(folder, REPORT, record, resumed=not fresh)
    _clean(run.place)
    return run


def _check_kind(folder: Path) -> None:
    """Raise SourceError if a folder contains a report of `etam eval` on anything but videos."""
    others = is_marked(folder, REPORT) and not is_run(folder)
    if others and any((folder / name).exists() for name in REPORT.files):
        raise SourceError(
            f"--report {folder} holds something other than evaluated videos, expected a new or "
            "empty folder, or that of an earlier run over videos: choose another"
        )


def _clean(folder: Path) -> None:
    """Remove unfinished files of a killed run; nobody else is writing now."""
    for place in (folder, folder / RESULTS, *(folder / PICTURES).glob("*")):
        for left in place.glob(".*.[0-9]*"):
            if left.suffix[1:].isdecimal():
                left.unlink(missing_ok=True)


def file_name(name: str) -> str:
    """A file name for a video that every file system accepts: no path, and not too long."""
    plain = re.sub(r"[^\w.-]|^\.+", "_", name.encode("utf-8", "replace").decode())
    if plain and len(plain.encode()) <= _LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return plain.encode()[:_LONGEST_NAME].decode("utf-8", "ignore") + digest


def is_run(folder: Path) -> bool:
    """Whether a folder belongs to a run."""
    return (folder / RESULTS).is_dir()


def read_run(folder: Path) -> list[Result]:
    """All results of a run, by name.

    Raises:
        SourceError: the folder does not belong to a run, or contains no readable result.
    """
    found = {path: read_result(path) for path in sorted((folder / RESULTS).glob("*.json"))}
    if damaged := [path.name for path, result in found.items() if result is None]:
        raise SourceError(
            f"{folder / RESULTS / damaged[0]} is damaged, or of another version: evaluate that "
            "video again"
        )
    results = [each for each in found.values() if each is not None]
    if not results:
        raise SourceError(
            f"{folder} holds no results of an evaluation, expected the folder that "
            "`etam eval ... --report FOLDER` has written"
        )
    return sorted(results, key=lambda each: str(each["video"]))


def read_result(path: Path) -> Result | None:
    """One result; None if the file has another format or is damaged."""
    result = _json_of(path)
    return result if _is_whole(result) else None


def _json_of(path: Path) -> Any:
    """The content of a JSON file; None if it cannot be read."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _is_whole(result: object) -> bool:
    """Whether it has our format, with everything that `VideoJudge` writes."""
    return (
        isinstance(result, dict)
        and result.get("format") == FORMAT
        and result.keys() >= _RESULT_KEYS
        and isinstance(result["video"], str)
        and isinstance(result["settings"], dict)
        and result["settings"].keys() >= {"protocol", "network", "baselines", "threads"}
        and isinstance(result["methods"], dict)
        and bool(result["methods"])
        and all(_is_whole_method(method) for method in result["methods"].values())
    )


def _is_whole_method(method: object) -> bool:
    return (
        isinstance(method, dict)
        and method.keys() >= _METHOD_KEYS
        and all(_is_share(method[name]) for name in ("j", "f", "j_and_f"))
        and isinstance(method["curve"], list)
        and all(isinstance(point, dict) for point in method["curve"])
        and isinstance(method["objects"], list)
        and all(_is_whole_object(each) for each in method["objects"])
    )


def _is_whole_object(found: object) -> bool:
    return (
        isinstance(found, dict)
        and found.keys() >= _OBJECT_KEYS
        and isinstance(found["series"], dict)
        and isinstance(found["summary"], dict)
        and all(isinstance(found["summary"].get(name), dict) for name in _SUMMARIES)
    )


def _is_share(value: object) -> bool:
    """Whether it is a number 0..1, or None, which means that nothing could be evaluated."""
    return value is None or (isinstance(value, (int, float)) and 0 <= value <= 1)


def _as_bytes(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


def _difference(result: Result, settings: RunSettings) -> str:
    """How a result differs from the requested settings, for messages."""
    before, now = flat(result["settings"]), flat(settings.as_json())
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            return f"with {name} {before.get(name)}, and {now.get(name)} is asked for"
    return "of other frames or ground truth, or with other library versions"


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by their paths, such as settings.network.model."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def in_order(results: Sequence[Result]) -> list[Result]:
    """Results, ordered by the names of their videos."""
    return sorted(results, key=lambda each: str(each["video"]))

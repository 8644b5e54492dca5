"""The files of a bag, and their description in metadata.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final

import yaml

from etam_ros.errors import SourceError

METADATA: Final = "metadata.yaml"
STATE: Final = "etam_ros_state"
"""Our key in the custom data of metadata.yaml."""
STOPPED: Final = "stopped"
ZSTD: Final = ".zstd"
STORAGES: Final = (".mcap", ".db3")
ROSBAG1: Final = ".bag"
_NEWEST_VERSION: Final = 9


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag.

    Attributes:
        name: of the topic.
        type: of its messages, such as sensor_msgs/msg/Image.
        count: number of messages, or None if only reading them all would tell.
    """

    name: str
    type: str
    count: int | None = None


@dataclass(frozen=True)
class BagParts:
    """The files of a bag.

    Attributes:
        path: the given folder or file.
        files: in the order in which they were written.
        finished: the recorder ended normally and wrote metadata.yaml, which lists these files.
        topics: as listed in metadata.yaml; empty without one.
        missing: names of listed files that do not exist.
        duration_s: of the whole bag in seconds, 0 if unknown.
        notes: messages about anything unusual.
    """

    path: Path
    files: tuple[Path, ...]
    finished: bool = False
    topics: tuple[BagTopic, ...] = ()
    missing: tuple[str, ...] = ()
    duration_s: float = 0.0
    notes: tuple[str, ...] = field(default=())


def is_part(path: Path) -> bool:
    """Whether a name is that of a file of a bag, compressed or not."""
    return storage_of(path) in (*STORAGES, ROSBAG1)


def storage_of(path: Path) -> str:
    """The suffix that tells how a file stores messages: .mcap, .db3 or .bag; or another one."""
    name = path.name.lower()
    return PurePath(name.removesuffix(ZSTD)).suffix


def find_parts(path: Path) -> BagParts:
    """Find the files of a bag.

    Args:
        path: a rosbag2 folder, with or without metadata.yaml, or one file.

    Raises:
        SourceError: there are none.
    """
    try:
        return _of_folder(path) if path.is_dir() else _of_file(path)
    except OSError as error:
        reason = error.strerror or error
        raise SourceError(f"bag {path} cannot be opened: {reason}") from None


def _of_file(path: Path) -> BagParts:
    if not path.exists():
        raise SourceError(
            f"bag {path} does not exist, expected a rosbag2 folder or one file of it"
        )
    if not path.is_file() or not is_part(path):
        raise SourceError(
            f"{path} is not a bag, expected a rosbag2 folder or a file ending in .mcap, .db3 or "
            ".bag"
        )
    said, _ = _metadata(path.parent)
    finished = said is not None and path.name in _listed(said)
    return BagParts(path, (path,), finished or storage_of(path) == ROSBAG1)


def _of_folder(folder: Path) -> BagParts:
    there = {path.name: path for path in folder.iterdir() if path.is_file() and is_part(path)}
    said, note = _metadata(folder)
    if said is None:
        # A file that was being compressed when the recorder ended exists twice.
        files = [path for name, path in there.items() if name.removesuffix(ZSTD) == name or
                 name.removesuffix(ZSTD) not in there]  # fmt: skip
        if not files:
            raise SourceError(f"{folder} holds no bag, expected files ending in .mcap or .db3")
        notes = () if note is None else (note,)
        return BagParts(folder, tuple(sorted(files, key=_by_number)), notes=notes)
    files, missing = [], []
    for name in _listed(said):
        found = there.get(name) or there.get(name.removesuffix(ZSTD))
        if found is None:
            missing.append(name)
        else:
            files.append(found)
    if not files:
        raise SourceError(
            f"bag {folder} lists {', '.join(missing) or 'no files'} in {METADATA}, none of "
            "which exists: copy them to that folder"
        )
    odd = [] if note is None else [note]
    own = said.get("custom_data")
    if isinstance(own, Mapping) and own.get(STATE) == STOPPED:
        odd.append(f"{folder.name} is of a run that was stopped before its source ended")
    return BagParts(
        folder, tuple(files), True, _topics(said), tuple(missing), _duration_s(said), tuple(odd)
    )


def _metadata(folder: Path) -> tuple[Mapping[str, Any] | None, str | None]:
    """The content of metadata.yaml, or None; and a message about what is wrong with it."""
    path = folder / METADATA
    if not path.is_file():
        return None, None
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8", errors="replace"))
        information = said["rosbag2_bagfile_information"]
        version = int(information["version"])
        _listed(information), _topics(information), _duration_s(information)
    except Exception:  # any error of the YAML reader: nested too deep, not finite, ...
        return None, f"{path} cannot be read: the bag is read without it"
    if version > _NEWEST_VERSION:
        return information, f"{path} is of version {version}, newer than {_NEWEST_VERSION}"
    return information, None


def _listed(said: Mapping[str, Any]) -> list[str]:
    """Names of the bag's files, each once; all are in the folder of metadata.yaml."""
    names = [PurePath(_text(name)).name for name in said["relative_file_paths"]]
    return list(dict.fromkeys(names))


def _topics(said: Mapping[str, Any]) -> tuple[BagTopic, ...]:
    return tuple(
        BagTopic(
            _text(each["topic_metadata"]["name"]),
            _text(each["topic_metadata"]["type"]),
            int(each["message_count"]),
        )
        for each in said["topics_with_message_count"]
    )


def _text(value: object) -> str:
    """The value if it is text; YAML lists that refer to each other would become endless text."""
    if not isinstance(value, str):
        raise TypeError
    return value


def _duration_s(said: Mapping[str, Any]) -> float:
    return int(said["duration"]["nanoseconds"]) / 1e9


def _by_number(path: Path) -> tuple[list[tuple[str, int]], str]:
    """Sort key for the order of recording: bag_2 before bag_10."""
    pieces = re.findall(r"([^0-9]*)([0-9]*)", path.name)
    return [(text, int(digits or -1)) for text, digits in pieces], path.name

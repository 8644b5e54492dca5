"""The folder that `etam track` writes: never over anything that is not its own earlier output."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import Final

from etam_ros.errors import SourceError
from etam_ros.offline.run_file import RUN, is_our_run

MASKS: Final = "masks"
OBJECTS: Final = "objects.csv"
OVERLAY: Final = "overlay.mp4"
LOGITS: Final = "logits.npz"
COLUMNS: Final = (
    "frame", "stamp_ns", "id", "label", "occluded", "visibility", "iou_score", "cx", "cy",
    "x0", "y0", "x1", "y1", "area",
)  # fmt: skip

_FILES: Final = (OBJECTS, OVERLAY, LOGITS, OVERLAY + ".part", LOGITS + ".part")
_MASK_NAME: Final = re.compile(r"\d{5,}\.png")
_PROMPTS_NAME: Final = re.compile(r"prompts(_\d+\.png|\.json)")


def check_output_folder(folder: Path, source: str, prompts: Path | None = None) -> None:
    """Raise SourceError unless the folder is new, empty, or holds an earlier run alone.

    What can be known of whether it can be written is said too, before anybody has waited or
    clicked.

    Args:
        folder: where the output shall go.
        source: what is tracked; it must not lie in the folder.
        prompts: the prompts file; it may lie in the folder, and be all that an earlier run left.
    """
    check_place(folder, source)
    foreign = _foreign(folder, prompts) if folder.is_dir() else None
    if foreign is not None:
        raise not_ours(folder, foreign)


def check_place(folder: Path, source: str) -> None:
    """Raise SourceError unless a folder can be made or written, and does not hold the source."""
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"--out {folder} is a file, expected a folder: choose another name")
    if Path(source).exists() and folder.resolve() in Path(source).resolve().parents:
        raise SourceError(
            f"--out {folder} holds the source {source}, whose files it would mix with: "
            "choose another folder"
        )
    place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise SourceError(
            f"--out {folder} cannot be made or written in {place}, expected a folder of yours: "
            "choose another place"
        )


def not_ours(folder: Path, name: str) -> SourceError:
    """What says that a folder holds something that no earlier run wrote."""
    return SourceError(
        f"--out {folder} holds {name}, which no earlier run wrote, expected a new or empty "
        "folder or one of earlier output: choose another folder"
    )


def start_output_folder(folder: Path) -> None:
    """Make the folder and its parts; remove an earlier run's files. Raises OSError."""
    masks = folder / MASKS
    masks.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    for path in masks.iterdir():
        if _MASK_NAME.fullmatch(path.name):
            path.unlink()


def _foreign(folder: Path, prompts: Path | None) -> str | None:
    """The name of something in the folder that an earlier run did not write, or None."""
    try:
        masks = sorted((folder / MASKS).iterdir()) if (folder / MASKS).is_dir() else []
        paths = sorted(folder.iterdir())
        read_here = prompts is not None and prompts.resolve().parent == folder.resolve()
    except OSError as error:
        raise SourceError(f"--out {folder} cannot be read: {error.strerror}") from None
    marked = is_our_table(folder / OBJECTS)
    for path in paths:
        picked = _PROMPTS_NAME.fullmatch(path.name) is not None and (marked or read_here)
        known = path.name in _FILES or picked or (path.name == RUN and is_our_run(path))
        ours = path.is_dir() if path.name == MASKS else known
        if not ours or (path.name != MASKS and not path.is_file()):
            return path.name
    for path in masks:
        if not _MASK_NAME.fullmatch(path.name) or not path.is_file():
            return f"{MASKS}/{path.name}"
    if (masks or (folder / OBJECTS).exists()) and not marked:
        return f"{MASKS}/{masks[0].name}" if masks else OBJECTS  # someone else's
    return None


def is_our_table(path: Path) -> bool:
    """Whether the file begins with our columns: what marks a folder as an earlier run's."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(next(csv.reader(file), ())) == COLUMNS
    except (OSError, UnicodeDecodeError, csv.Error):
        return False

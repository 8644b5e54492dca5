"""The folders that `etam track` and `etam segment` write: what lies in them, and whose it is."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

from etam_ros.media.result_kind import ResultKind, check_result_folder, is_marked

MASKS: Final = "masks"
OBJECTS: Final = "objects.csv"
OVERLAY: Final = "overlay.mp4"
LOGITS: Final = "logits.npz"
MASKS_PNG: Final = "masks.png"
OVERLAY_PNG: Final = "overlay.png"
COLUMNS: Final = (
    "frame", "stamp_ns", "id", "label", "occluded", "visibility", "iou_score", "cx", "cy",
    "x0", "y0", "x1", "y1", "area",
)  # fmt: skip
_PROMPTS_NAME: Final = re.compile(r"prompts(_\d+\.png|\.json)")


def has_our_table(folder: Path) -> bool:
    """Whether a folder's table begins with our columns, as it did before there were records."""
    path = folder / OBJECTS
    try:
        if not path.is_file() or path.is_symlink():
            return False
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(next(csv.reader(file), ())) == COLUMNS
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


TRACKED: Final = ResultKind(
    "track",
    (MASKS, OBJECTS, OVERLAY, LOGITS),
    inside={MASKS: r"\d{5,}\.png(\.part)?"},
    is_older=has_our_table,
)
SEGMENTED: Final = ResultKind(
    "segment", (OBJECTS, MASKS_PNG, OVERLAY_PNG, LOGITS), is_older=has_our_table
)


def check_output_folder(
    folder: Path, source: str, prompts: Path | None = None, kind: ResultKind = TRACKED
) -> None:
    """Raise SourceError unless the folder is new, empty, or holds an earlier run alone.

    Args:
        folder: where the output shall go.
        source: what is tracked; it must not lie in the folder.
        prompts: the prompts file; it may lie in the folder, and be all that an earlier run left.
        kind: of the output.
    """
    check_result_folder(folder, kind, source, kept_names(folder, prompts, kind))


def kept_names(folder: Path, prompts: Path | None, kind: ResultKind = TRACKED) -> set[str]:
    """Names of prompts in a folder: those that are read, and those that earlier runs left."""
    read_here = prompts is not None and prompts.resolve().parent == folder.resolve()
    kept = {prompts.name} if read_here and prompts is not None else set()
    if read_here or is_marked(folder, kind):
        try:
            names = [path.name for path in folder.iterdir() if path.is_file()]
        except OSError:  # whoever checks the folder says so
            return kept
        kept |= {name for name in names if _PROMPTS_NAME.fullmatch(name)}
    return kept

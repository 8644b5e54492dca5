"""Boxes of objects in a CSV file.

The columns are found by their names: `frame` (from 0) or `stamp_ns`, `id`, `x0`, `y0`, `x1`, `y1`
in pixels with x1 and y1 exclusive, and optionally `label`. The objects.csv of `etam track` has
these columns. A row with an empty box means that the object is absent. A frame is annotated if it
has a row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.annotations import (
    LARGEST_COORDINATE,
    Box,
    BoxTruth,
    is_box,
)
from etam_ros.media.files import read_ordinary
from etam_ros.records import MAX_OBJECT_ID, Frame

_CORNERS: Final = ("x0", "y0", "x1", "y1")


class BoxTable:
    """Boxes by frame index, or by stamp.

    Args:
        path: the CSV file.

    Raises:
        SourceError: it cannot be read, or lacks columns; the message names the line.
    """

    has_masks = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boxes: dict[int, dict[int, Box]] = {}
        self.object_names: dict[int, str] = {}
        try:
            text = read_ordinary(path).decode("utf-8-sig")
            rows = csv.DictReader(io.StringIO(text, newline=""))
            self._by_stamp = self._check_columns(rows.fieldnames or [])
            for row in rows:
                self._take(row, rows.line_num)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SourceError(f"boxes {path} cannot be read: {error}") from None
        if not self._boxes:
            raise SourceError(f"boxes {path} has no rows, expected one for each object and frame")

    @property
    def numbers(self) -> Collection[int]:
        """Numbers of the frames with a row; empty if rows have stamps."""
        return () if self._by_stamp else self._boxes.keys()

    def files(self) -> Sequence[Path]:
        return [self._path]

    def at(self, index: int, frame: Frame) -> BoxTruth | None:
        """The boxes of a frame."""
        boxes = self._boxes.get(frame.stamp_ns if self._by_stamp else index)
        return None if boxes is None else BoxTruth(frame.hw, boxes)

    def _check_columns(self, columns: Sequence[str]) -> bool:
        """Check the columns; returns whether frames are identified by stamps."""
        missing = [name for name in ("id", *_CORNERS) if name not in columns]
        if "frame" not in columns and "stamp_ns" not in columns:
            missing.insert(0, "frame or stamp_ns")
        if missing:
            raise SourceError(
                f"boxes {self._path} lacks the columns {', '.join(missing)}, it has "
                f"{', '.join(columns)[:120] or 'none'}: name them in the first line"
            )
        return "frame" not in columns

    def _take(self, row: Mapping[str, str | None], line: int) -> None:
        key = "stamp_ns" if self._by_stamp else "frame"
        try:
            place, object_id = int(row[key] or ""), int(row["id"] or "")
            corners = [row[name] or "" for name in _CORNERS]
            box = [float(corner) for corner in corners] if any(corners) else []
        except ValueError:
            raise self._wrong(line, "expected whole numbers and a box of four numbers") from None
        if not 1 <= object_id <= MAX_OBJECT_ID:
            raise self._wrong(line, f"id is {object_id}, expected 1..{MAX_OBJECT_ID}")
        boxes = self._boxes.setdefault(place, {})
        if box:
            if not is_box(box):
                words = f"x0 < x1 and y0 < y1, within {LARGEST_COORDINATE:g} pixels"
                raise self._wrong(line, f"box is {box}, expected {words}")
            boxes[object_id] = (box[0], box[1], box[2], box[3])
        if row.get("label"):
            self.object_names.setdefault(object_id, str(row["label"]))

    def _wrong(self, line: int, words: str) -> SourceError:
        return SourceError(f"boxes {self._path}, line {line}: {words}")

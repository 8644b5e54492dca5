"""Prompts from a JSON file: what to follow, from which frame on.

    [{"frame": 0, "object_id": 1, "label": "cup", "points": [[320, 240]], "labels": [1]},
     {"frame": 0, "object_id": 2, "box": [40, 60, 200, 220]},
     {"stamp_ns": 1700000000123456789, "object_id": 3, "mask": "first.png", "mask_value": 2}]

Points are clicks with one label each (1 on the object, 0 off it); everything is in source pixels.
A mask lies beside the prompts file; without `mask_value` any pixel but zero is the object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ImageError, PromptError
from etam_ros.media.files import read_ordinary
from etam_ros.media.label_png import read_mask_values
from etam_ros.records import MAX_OBJECT_ID, NEW_OBJECT, Frame, Prompt

_FIELDS: Final = (
    "frame", "stamp_ns", "object_id", "label", "points", "labels", "box", "mask", "mask_value",
    "keep",
)  # fmt: skip
_IN_MESSAGES: Final = {"point_labels": "labels", "keep_previous": "keep"}
"""What fields are called in etam_ros/Prompt and in Python, which is taken too."""
_LARGEST_INTEGER: Final = 2**63 - 1
_NOTHING: Final[Mapping[str, int]] = {}

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class TimedPrompt:
    """What is said of an object on one frame of a source.

    Attributes:
        place: where it is said, for error lines.
        frame: index of the frame it belongs to, from 0; None when `stamp_ns` says it.
        stamp_ns: stamp of that frame; None when `frame` says it.
        prompt: what is said about the object.
    """

    place: str
    frame: int | None
    stamp_ns: int | None
    prompt: Prompt

    def belongs_to(self, frame_index: int, frame: Frame) -> bool:
        """Whether it is for this frame, the `frame_index`-th of its source."""
        if self.frame is not None:
            return self.frame == frame_index
        return self.stamp_ns == frame.stamp_ns

    @property
    def when(self) -> str:
        """The frame it belongs to, in words."""
        return f"frame {self.frame}" if self.frame is not None else f"stamp_ns {self.stamp_ns}"


@dataclass(frozen=True)
class TimedRemoval:
    """That an object is followed no longer, from the frame on behind that of its stamp.

    Attributes:
        place: where it is said, for error lines.
        stamp_ns: of that frame.
        object_id: 1..65535.
    """

    place: str
    stamp_ns: int
    object_id: int

    def belongs_to(self, frame_index: int, frame: Frame) -> bool:
        """Whether it is for this frame, the `frame_index`-th of its source."""
        return self.stamp_ns == frame.stamp_ns


def read_prompts(path: Path, absent: Mapping[str, int] = _NOTHING) -> list[TimedPrompt]:
    """Read a prompts file.

    Args:
        path: of the file.
        absent: what stands for fields that an entry does not have.

    Raises:
        PromptError: the file or an entry is malformed; names the entry and its field.
    """
    entries = _load_json(path)
    if not isinstance(entries, list):
        raise PromptError(
            f"{path} holds {_kind(entries)}, expected a list of prompts: "
            '[{"frame": 0, "object_id": 1, "points": [[x, y]], "labels": [1]}]'
        )
    if not entries:
        raise PromptError(f"{path} holds no prompts, expected at least one")
    return [_read_entry(index, entry, path, absent) for index, entry in enumerate(entries)]


def _load_json(path: Path) -> Any:
    try:
        return json.loads(read_ordinary(path).decode("utf-8-sig"))
    except OSError as error:
        raise PromptError(f"prompts file {path} cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise PromptError(
            f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:  # other bytes than UTF-8; endless brackets
        raise PromptError(f"{path} is not JSON: {error}") from None


def _read_entry(index: int, entry: Any, path: Path, absent: Mapping[str, int]) -> TimedPrompt:
    reader = _EntryReader(index, entry, path, absent)
    frame, stamp_ns = reader.time()
    points, labels = reader.points()
    try:
        prompt = Prompt(
            object_id=reader.integer("object_id", NEW_OBJECT, MAX_OBJECT_ID),
            label=reader.text("label"),
            points=points,
            point_labels=labels,
            box=reader.box(),
            mask=reader.mask(),
            keep_previous=reader.typed("keep", False, "true or false"),
        )
    except PromptError as error:
        if str(error).startswith(reader.place):
            raise
        raise PromptError(f"{reader.place}: {error}") from None
    return TimedPrompt(reader.place, frame, stamp_ns, prompt)


class _EntryReader:
    """Takes the fields of one entry; every error names the entry and the field."""

    def __init__(self, index: int, entry: Any, path: Path, absent: Mapping[str, int]) -> None:
        self.place = f"{path} entry {index}"
        self._folder = path.parent
        if not isinstance(entry, dict):
            raise PromptError(f"{self.place} is {_kind(entry)}, expected an object of fields")
        # null is how some programs write what is absent.
        renamed = self._renamed(entry)
        given = {k: v for k, v in renamed.items() if v is not None}
        if "stamp_ns" in given:  # says the time already
            absent = {k: v for k, v in absent.items() if k != "frame"}
        self._entry: Mapping[str, Any] = {**absent, **given}
        for name in renamed:
            if name not in _FIELDS:
                raise PromptError(
                    f"{self.place} has the field {name!r}, expected only {', '.join(_FIELDS)}"
                )
        if "object_id" not in self._entry:
            raise self._error("object_id", f"missing, expected {NEW_OBJECT}..{MAX_OBJECT_ID}")

    def _renamed(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        for alias, name in _IN_MESSAGES.items():
            if alias in entry and name in entry:
                raise self._error(alias, f"given beside {name}, expected one of the two")
        return {_IN_MESSAGES.get(name, name): value for name, value in entry.items()}

    def time(self) -> tuple[int | None, int | None]:
        """Frame index or stamp in nanoseconds; the other is None."""
        if ("frame" in self._entry) == ("stamp_ns" in self._entry):
            both = "both given" if "frame" in self._entry else "missing"
            raise self._error("frame", f"{both}, expected either frame or stamp_ns")
        if "frame" in self._entry:
            return self.integer("frame", 0, _LARGEST_INTEGER), None
        return None, self.integer("stamp_ns", -_LARGEST_INTEGER, _LARGEST_INTEGER)

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number of that range."""
        value = self._entry[name]
        if type(value) is not int or not low <= value <= high:
            raise self._error(name, f"{_show(value)}, expected a whole number {low}..{high}")
        return value

    def typed(self, name: str, absent: T, expected: str) -> T:
        """A value of the type of `absent`, which stands where there is none."""
        value = self._entry.get(name, absent)
        if type(value) is not type(absent):
            raise self._error(name, f"{_show(value)}, expected {expected}")
        return value

    def text(self, name: str) -> str:
        """Text that every file takes; empty when absent."""
        value = self.typed(name, "", "text")
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            raise self._error(name, f"{_show(value)}, which is no text") from None
        return value

    def points(self) -> tuple[list[tuple[float, float]], list[int]]:
        """Clicks and their labels, both empty when absent."""
        nothing: list[Any] = []
        points = self.typed("points", nothing, "a list")
        labels = self.typed("labels", nothing, "a list")
        clicks = [self._numbers("points", point, 2, "a list of [x, y]") for point in points]
        for label in labels:
            if type(label) is not int or label not in (0, 1):
                raise self._error("labels", f"{_show(labels)}, expected a list of 1 and 0")
        if len(clicks) != len(labels):
            raise self._error(
                "labels", f"{len(labels)} for {len(clicks)} points, expected one for each point"
            )
        return [(x, y) for x, y in clicks], labels

    def box(self) -> tuple[float, float, float, float] | None:
        """Corners of a box, None when absent."""
        if "box" not in self._entry:
            return None
        x0, y0, x1, y1 = self._numbers("box", self._entry["box"], 4, "[x0, y0, x1, y1]")
        if x0 >= x1 or y0 >= y1:
            raise self._error("box", f"{[x0, y0, x1, y1]}, expected x0 < x1 and y0 < y1")
        return x0, y0, x1, y1

    def mask(self) -> NDArray[np.bool_] | None:
        """(H, W) bool of the picture beside the prompts file, None when absent."""
        if "mask" not in self._entry:
            if "mask_value" in self._entry:
                raise self._error("mask_value", "given without mask, expected a mask picture")
            return None
        name = self.text("mask")
        try:
            values = read_mask_values(self._folder / name)
        except (ImageError, ValueError) as error:  # ValueError: a name with a null character
            raise self._error("mask", str(error)) from None
        if "mask_value" not in self._entry:
            return np.asarray(values != 0)
        wanted = self.integer("mask_value", 1, 65535)
        if wanted not in values:
            found = ", ".join(str(value) for value in np.unique(values)[:10])
            raise self._error("mask_value", f"{wanted}, but {name} only holds {found}")
        return np.asarray(values == wanted)

    def _numbers(self, name: str, value: Any, count: int, expected: str) -> tuple[float, ...]:
        if not isinstance(value, list) or len(value) != count:
            raise self._error(name, f"{_show(value)}, expected {expected}")
        return tuple(self._number(name, number, expected) for number in value)

    def _number(self, name: str, value: Any, expected: str) -> float:
        if type(value) not in (int, float) or not -1e9 < value < 1e9:  # also refuses NaN
            raise self._error(name, f"{_show(value)}, expected {expected} in pixels")
        return float(value)

    def _error(self, name: str, problem: str) -> PromptError:
        return PromptError(f"{self.place}, field {name}: {problem}")


def _show(value: Any) -> str:
    """A value for an error line, cut if it is long."""
    text = " ".join(json.dumps(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return names.get(type(value), "nothing" if value is None else "a number")


class PromptSchedule:
    """Hands out each prompt and removal once, on its frame, in their order.

    Attributes:
        left: those whose frame did not come yet.
    """

    def __init__(self, prompts: Sequence[TimedPrompt | TimedRemoval]) -> None:
        self.left = list(prompts)

    def take(self, frame_index: int, frame: Frame) -> list[TimedPrompt | TimedRemoval]:
        """Those of this frame, the `frame_index`-th of its source, which then are done."""
        due = [item for item in self.left if item.belongs_to(frame_index, frame)]
        self.left = [item for item in self.left if item not in due]
        return due

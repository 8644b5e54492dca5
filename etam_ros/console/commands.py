"""What the page asks for: text that anybody may have sent becomes a value, or an error.

    {"n": 7, "do": "point", "points": [[320, 240]], "label": 1, "stamp": "1700000000123456789"}

Points are pixels of the source; the stamp is that of the frame on the screen. Nothing here can
name a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from etam_ros.errors import PromptError
from etam_ros.records import (
    BACKGROUND,
    FOREGROUND,
    LONGEST_LABEL,
    MAX_OBJECT_ID,
    label_in_words,
)

MOST_POINTS: Final = 16
FARTHEST_PX: Final = 1e5
LAST_FRAME: Final = 10**9
_LONGEST_NS: Final = 2**63 - 1
_LONGEST_NAME: Final = 256
ORDERS: Final = (
    "select", "rename", "remove", "reset", "pause", "follow", "undo", "seek", "play", "save",
)  # fmt: skip


@dataclass(frozen=True)
class Pointed:
    """Something that was pointed at.

    Attributes:
        number: the page's own, for the answer.
        points: (x, y) in source pixels; empty where there is a box.
        label: FOREGROUND or BACKGROUND, of all points.
        box: (x_min, y_min, x_max, y_max), or None.
        stamp_ns: of the frame that was on the screen; 0 where frames have none.
        object_id: None leaves it to the rule whose it is; NEW_OBJECT starts one.
    """

    number: int
    points: tuple[tuple[float, float], ...]
    label: int
    box: tuple[float, float, float, float] | None
    stamp_ns: int
    object_id: int | None


@dataclass(frozen=True)
class Order:
    """Something else that is to be done.

    Attributes:
        number: the page's own, for the answer.
        what: one of ORDERS.
        object_id: 0 where it is for no object.
        label: of an object.
        on: of what can be on or off.
        frame: of a recording, from 0.
    """

    number: int
    what: str
    object_id: int = 0
    label: str = ""
    on: bool = False
    frame: int = 0


@dataclass(frozen=True)
class Note:
    """What the page tells of itself.

    Attributes:
        what: "seen" (it has drawn a picture), "watch" (it wants another tracker) or "ping".
        number: of the picture, or of the ping.
        name: of the tracker.
    """

    what: str
    number: int = 0
    name: str = ""


Command = Pointed | Order


def parse(text: str) -> Command | Note:
    """Read what came from a page.

    Raises:
        PromptError: it is nothing that a page sends.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PromptError(
            "message is not JSON, expected a JSON object that the page sends"
        ) from error
    if not isinstance(said, dict):
        raise PromptError("message is not a JSON object, expected one that the page sends")
    reader = _Reader(said)
    number, what = reader.whole("n", 0, 2**53), reader.text("do", 16)
    if what == "point":
        return _pointed(reader, number)
    if what in ("seen", "watch", "ping"):
        return Note(what, number, reader.text("name", _LONGEST_NAME))
    if what not in ORDERS:
        raise PromptError(f"message asks for {what!r}, expected point, {', '.join(ORDERS)}")
    return Order(
        number,
        what,
        reader.whole("object", 0, MAX_OBJECT_ID),
        label_in_words(reader.text("label", LONGEST_LABEL)),
        reader.truth("on"),
        reader.whole("frame", 0, LAST_FRAME),
    )


def _pointed(reader: _Reader, number: int) -> Pointed:
    label = reader.whole("label", BACKGROUND, FOREGROUND)
    points = reader.points()
    corners = reader.numbers("box", 4)
    if (corners is None) == (not points):
        raise PromptError("message has neither or both of points and box, expected one of them")
    box = None
    if corners is not None:
        x0, y0, x1, y1 = corners
        box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    object_id = reader.whole("object", 0, MAX_OBJECT_ID) if reader.has("object") else None
    return Pointed(number, points, label, box, reader.stamp(), object_id)


class _Reader:
    """Takes the fields of one message; each has a type, a range and a default of zero."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._said = said

    def has(self, name: str) -> bool:
        """Whether a field is there, and not null."""
        return self._said.get(name) is not None

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number."""
        value = self._said.get(name) or 0
        if type(value) is not int or not low <= value <= high:
            raise PromptError(f"{name} is {_shown(value)}, expected {low}..{high}")
        return value

    def text(self, name: str, longest: int) -> str:
        """Text that can be sent on."""
        value = self._said.get(name) or ""
        if type(value) is not str or len(value) > longest:
            raise PromptError(f"{name} is {_shown(value)}, expected up to {longest} characters")
        return value.encode("utf-8", "replace").decode()

    def truth(self, name: str) -> bool:
        """True or false."""
        value = self._said.get(name, False)
        if type(value) is not bool:
            raise PromptError(f"{name} is {_shown(value)}, expected true or false")
        return value

    def stamp(self) -> int:
        """Nanoseconds, which are text: JavaScript has no numbers of that size."""
        text = self.text("stamp", 20) or "0"
        if not (text.isascii() and text.lstrip("-").isdigit() and text.count("-") <= 1):
            raise PromptError(f"stamp is {_shown(text)}, expected nanoseconds as digits")
        value = int(text)
        if abs(value) > _LONGEST_NS:
            raise PromptError(f"stamp is {text}, expected a valid ROS time")
        return value

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """So many pixels, or None."""
        value = self._said.get(name)
        return None if value is None else _numbers(name, value, count)

    def points(self) -> tuple[tuple[float, float], ...]:
        """Pairs of pixels."""
        value = self._said.get("points") or []
        if not isinstance(value, list) or len(value) > MOST_POINTS:
            raise PromptError(f"points are {_shown(value)}, expected up to {MOST_POINTS} pairs")
        pairs = (_numbers("points", each, 2) for each in value)
        return tuple((x, y) for x, y in pairs)


def _numbers(name: str, value: Any, count: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise PromptError(f"{name} are {_shown(value)}, expected {count} numbers")
    for each in value:
        if type(each) not in (int, float) or not abs(each) <= FARTHEST_PX:  # also refuses NaN
            raise PromptError(f"{name} are {_shown(value)}, expected pixels")
    return tuple(float(each) for each in value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

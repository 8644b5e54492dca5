"""Coordinates of the charts of a page.

Charts are SVG drawings of a fixed size, which the template draws and the page scales.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from etam_ros.drawing.palette import object_colour

WIDTH: Final = 900
HEIGHT: Final = 190
STRIP: Final = 12
"""Height of an object's strip below the curves."""
LEFT: Final = 34
RIGHT: Final = 10
TOP: Final = 8


@dataclass(frozen=True)
class Curve:
    """One object over time.

    Attributes:
        object_id, label: of the object.
        colour: in CSS notation.
        points: of a polyline, in SVG notation.
        dots: (x, y) of each evaluated frame, if there are few.
        strip_y: top of its strip.
        bands: (x, width, class) in its strip: hidden (absent, and reported as absent), missed
            (absent, but not reported), lost (visible, but reported as absent).
        marks: x of the frames with prompts.
    """

    object_id: int
    label: str
    colour: str
    points: str
    dots: tuple[tuple[float, float], ...]
    strip_y: float
    bands: tuple[tuple[float, float, str], ...]
    marks: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """All objects of one video.

    Attributes:
        curves: one for each object.
        height: of the whole drawing.
        ticks: (x, frame) below the curves.
        first, last: frames at the left and right end.
    """

    curves: tuple[Curve, ...]
    height: float
    ticks: tuple[tuple[float, int], ...]
    first: int
    last: int


def chart_of(method: Mapping[str, Any], frames: int) -> Chart:
    """The curves of one method on a video.

    Args:
        method: results of the method, with its objects.
        frames: number of frames of the video.
    """
    last = max(1, frames - 1)
    curves = tuple(
        _curve(each, last, TOP + HEIGHT + 8 + place * (STRIP + 3))
        for place, each in enumerate(method["objects"])
    )
    height = TOP + HEIGHT + 8 + len(curves) * (STRIP + 3) + 18
    step = _tick_step(last)
    ticks = tuple((x_of(frame, last), frame) for frame in range(0, last + 1, step))
    return Chart(curves, height, ticks, 0, last)


def x_of(frame: int, last: int) -> float:
    """The x coordinate of a frame."""
    return round(LEFT + (WIDTH - LEFT - RIGHT) * frame / last, 2)


def y_of(value: float) -> float:
    """The y coordinate of a share 0..1."""
    return round(TOP + HEIGHT * (1 - value), 2)


def _curve(series: Mapping[str, Any], last: int, strip_y: float) -> Curve:
    columns = series["series"]
    values = [
        j if f is None else (j + f) / 2 for j, f in zip(columns["j"], columns["f"], strict=True)
    ]
    places = [
        (x_of(frame, last), y_of(value))
        for frame, value in zip(columns["frame"], values, strict=True)
    ]
    red, green, blue = object_colour(series["object_id"])
    return Curve(
        object_id=series["object_id"],
        label=series["label"],
        colour=f"rgb({red} {green} {blue})",
        points=" ".join(f"{x:g},{y:g}" for x, y in places),
        dots=tuple(places) if len(places) <= 40 else (),
        strip_y=strip_y,
        bands=_bands(columns, last),
        marks=tuple(x_of(frame, last) for frame in series["interacted"]),
    )


def _bands(
    columns: Mapping[str, Sequence[Any]], last: int
) -> tuple[tuple[float, float, str], ...]:
    """Ranges of frames on which the object was absent, or was reported as absent."""
    kinds = [
        (frame, _kind(expected, found))
        for frame, expected, found in zip(
            columns["frame"], columns["expected"], columns["found"], strict=True
        )
    ]
    half = (WIDTH - LEFT - RIGHT) / last / 2
    bands = []
    for kind, group in groupby(kinds, lambda each: each[1]):
        frames = [frame for frame, _ in group]
        if kind:
            start, end = x_of(frames[0], last) - half, x_of(frames[-1], last) + half
            bands.append((round(start, 2), round(end - start, 2), kind))
    return tuple(bands)


def _kind(expected: bool, found: bool) -> str:
    if expected:
        return "" if found else "lost"
    return "missed" if found else "hidden"


def _tick_step(last: int) -> int:
    """A round distance between ticks, in frames, for about ten ticks at most."""
    for power in range(9):
        for part in (1, 2, 5):
            step = part * int(10**power)
            if last / step <= 10:
                return step
    return last

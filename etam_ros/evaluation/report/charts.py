"""Curves of a page, as the numbers that its drawing needs.

Charts are SVG of a fixed size that scales with the page; the template draws them.
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
"""Height of the strip of an object, below the curves."""
LEFT: Final = 34
RIGHT: Final = 10
TOP: Final = 8


@dataclass(frozen=True)
class Curve:
    """One object over time.

    Attributes:
        object_id, label: whose.
        colour: as CSS has it.
        points: of a polyline, as SVG has them.
        dots: (x, y) of each judged frame, where they are few.
        strip_y: top of its strip.
        bands: (x, width, class) of its strip: hidden (absent, and called so), missed (absent, and
            not called so), lost (there, and called absent).
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
        curves: one an object.
        height: of the whole drawing.
        ticks: (x, frame) below it.
        first, last: frames at its ends.
    """

    curves: tuple[Curve, ...]
    height: float
    ticks: tuple[tuple[float, int], ...]
    first: int
    last: int


def chart_of(method: Mapping[str, Any], frames: int) -> Chart:
    """The curves of one method on a video.

    Args:
        method: as in a result, with its objects.
        frames: of the video.
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
    """Where a frame stands in a chart."""
    return round(LEFT + (WIDTH - LEFT - RIGHT) * frame / last, 2)


def y_of(value: float) -> float:
    """Where a share 0..1 stands in a chart."""
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
    """Runs of frames on which the object was absent, or was called so."""
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
    """A round number of frames between two ticks, of which there are at most about ten."""
    for power in range(9):
        for part in (1, 2, 5):
            step = part * int(10**power)
            if last / step <= 10:
                return step
    return last

"""Run lengths and polygons, against slow and separate definitions of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.coco_masks import (
    decode_segmentation,
    fill_polygon,
    read_compressed,
)


def runs_of(mask: np.ndarray) -> list[int]:
    counts, value, run = [], False, 0
    for each in mask.T.ravel():
        if each != value:
            counts.append(run)
            value, run = each, 0
        run += 1
    return [*counts, run]


def compressed(counts: list[int]) -> str:
    """As rleToString of COCO's mask API does it."""
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            bits = value & 31
            value >>= 5
            more = value != -1 if bits & 16 else value != 0
            text += chr((bits | 32 if more else bits) + 48)
            if not more:
                break
    return text


@given(mask=arrays(bool, (9, 14)))
def test_run_lengths_give_the_mask_back(mask: np.ndarray) -> None:
    counts = runs_of(mask)
    for form in (counts, compressed(counts)):
        segmentation = {"size": [9, 14], "counts": form}
        assert (decode_segmentation(segmentation, (9, 14)) == mask).all()


@given(counts=st.lists(st.integers(0, 10**6), max_size=12))
def test_compressed_run_lengths_of_any_size(counts: list[int]) -> None:
    assert read_compressed(compressed(counts)) == counts


def inside(polygon: list[float], x: float, y: float) -> bool:
    """By the winding of the angle around a point: even and odd, as the rule says."""
    points = list(zip(polygon[0::2], polygon[1::2], strict=True))
    crossings = 0
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if min(y0, y1) <= y < max(y0, y1):
            crossings += x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x
    return crossings % 2 == 1


def distance_to_edges(polygon: list[float], x: float, y: float) -> float:
    corners = np.array(polygon).reshape(-1, 2)
    starts, along = corners, np.roll(corners, -1, axis=0) - corners
    lengths = np.maximum((along**2).sum(axis=1), 1e-12)
    places = np.clip((((x, y) - starts) * along).sum(axis=1) / lengths, 0.0, 1.0)
    nearest = starts + places[:, None] * along
    return float(np.hypot(*(nearest - (x, y)).T).min())


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 20)), min_size=3, max_size=7).map(
        lambda points: [round(value, 2) for point in points for value in point]
    )
)
def test_a_polygon_covers_the_pixels_whose_centres_lie_in_it(polygon: list[float]) -> None:
    mask = fill_polygon(polygon, (15, 20))
    expected = [[inside(polygon, x + 0.5, y + 0.5) for x in range(20)] for y in range(15)]
    for y, x in np.argwhere(mask != np.array(expected)):
        assert distance_to_edges(polygon, x + 0.5, y + 0.5) < 1e-6, "but for rounding"


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ({"size": [9, 9], "counts": [81]}, "of size .9, 9., expected .5, 7."),
        ({"size": [5, 7], "counts": [9]}, "add up to 9 pixels, expected 35"),
        ({"size": [5, 7], "counts": "P"}, "damaged at character 1 of 1"),
        ({"size": [5, 7], "counts": "0\x01"}, "damaged at character 1 of 2"),
        ([[1, 2, 3, 4]], "at least three points"),
        ([[1, 2, "x", 4, 5, 6]], "at least three points"),
        ("mask.png", "expected run lengths"),
    ],
)
def test_damaged_ones_are_refused(segmentation: object, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        decode_segmentation(segmentation, (5, 7))

"""Several pictures of a run on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError

Image = NDArray[np.uint8]
Item = TypeVar("Item")

_GAP_PX = 6
_PAPER = 245


def thumbnail(picture: Image, *, width: int = 480) -> Image:
    """A picture (H, W, 3) scaled to a width in pixels."""
    height = max(1, round(width * picture.shape[0] / picture.shape[1]))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def contact_sheet(pictures: Sequence[Image], *, columns: int = 3) -> Image:
    """Lay pictures (H, W, 3) uint8, at least one, out in rows; all get the size of the first."""
    columns = min(columns, len(pictures))
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    shape = (rows * (height + _GAP_PX) + _GAP_PX, columns * (width + _GAP_PX) + _GAP_PX, 3)
    sheet = np.full(shape, _PAPER, np.uint8)
    for number, picture in enumerate(pictures):
        top = _GAP_PX + number // columns * (height + _GAP_PX)
        left = _GAP_PX + number % columns * (width + _GAP_PX)
        fitted = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        sheet[top : top + height, left : left + width] = fitted
    return sheet


def write_jpeg(path: Path, picture: Image, *, quality: int = 88) -> None:
    """Write (H, W, 3) RGB as a JPEG file.

    Raises:
        SourceError: the file cannot be written.
    """
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise SourceError(f"{path} cannot be written: {picture.shape} is too large for a JPEG")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {error.strerror}") from None


def evenly_spaced(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many items, evenly spread, the first and the last included."""
    picks = np.linspace(0, len(items) - 1, min(most, len(items)))
    return [items[round(float(pick))] for pick in picks]


class EvenlySpaced:
    """Keeps a handful of pictures, evenly spread over a run of unknown length."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stride = 1
        self._seen = 0
        self._kept: list[Image] = []
        self._last: Image | None = None

    def add(self, picture: Image) -> None:
        """Offer the next picture."""
        if self._seen % self._stride == 0:
            self._kept.append(picture)
        if len(self._kept) > 4 * self._most:  # keep every other one from now on
            self._kept = self._kept[::2]
            self._stride *= 2
        self._seen += 1
        self._last = picture

    @property
    def pictures(self) -> list[Image]:
        """At most `most` of them, the first and the last included."""
        if self._last is None:
            return []
        candidates = [*self._kept[:-1], self._last] if self._seen > 1 else self._kept
        return evenly_spaced(candidates, self._most)

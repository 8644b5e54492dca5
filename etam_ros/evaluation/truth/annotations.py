"""The ground truth of one frame.

Letters: H, W height and width of the frame in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Labels = NDArray[np.integer[Any]]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""


LARGEST_COORDINATE: Final = 1e6
"""Limit of coordinates in pixels, in both directions."""


def is_box(box: Sequence[float]) -> bool:
    """Whether numbers x0, y0, x1, y1 are a box that is not empty and within the limit."""
    x0, y0, x1, y1 = box
    return x0 < x1 and y0 < y1 and all(abs(each) <= LARGEST_COORDINATE for each in box)


@dataclass(frozen=True, eq=False)
class MaskTruth:
    """An annotated frame, pixel by pixel.

    Attributes:
        labels: (H, W) object ids, 0 for the background.
        void: (H, W) bool, pixels to be ignored; None if there are none.
        overlapping: masks of objects that `labels` does not show completely, because they are
            partly covered by another one.
    """

    labels: Labels
    void: Mask | None = None
    overlapping: Mapping[int, Mask] = field(default_factory=dict)

    @cached_property
    def object_ids(self) -> list[int]:
        """Objects that the frame shows, ascending."""
        counts = np.bincount(self.labels.ravel())  # several times as fast as sorting them
        return sorted({*np.flatnonzero(counts).tolist(), *self.overlapping} - {0})

    def mask(self, object_id: int) -> Mask:
        """(H, W) bool of one object; empty if the frame does not show it."""
        whole = self.overlapping.get(object_id)
        mask: Mask = self.labels == object_id if whole is None else whole
        return mask

    def prompt_mask(self, object_id: int, kind: str) -> Mask:
        """(H, W) bool, the mask from which an object's prompts are made."""
        return self.mask(object_id)


@dataclass(frozen=True, eq=False)
class BoxTruth:
    """An annotated frame, as boxes.

    Attributes:
        hw: of the frame.
        boxes: boxes of the objects on it.
    """

    hw: tuple[int, int]
    boxes: Mapping[int, Box]

    @property
    def object_ids(self) -> list[int]:
        """Objects that the frame shows, ascending."""
        return sorted(self.boxes)

    def prompt_mask(self, object_id: int, kind: str) -> Mask:
        """(H, W) bool, the mask from which prompts are made: the whole box, or its centre."""
        x0, y0, x1, y1 = self.boxes[object_id]
        if kind != "box":
            x, y = (x0 + x1) / 2, (y0 + y1) / 2
            x0, y0, x1, y1 = x - 1, y - 1, x + 1, y + 1
        height, width = self.hw
        mask = np.zeros(self.hw, bool)
        left, top = min(max(0, round(x0)), width - 1), min(max(0, round(y0)), height - 1)
        right, bottom = max(left + 1, round(x1)), max(top + 1, round(y1))
        mask[top:bottom, left:right] = True
        return mask


FrameTruth = MaskTruth | BoxTruth

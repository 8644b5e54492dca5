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
"""Pixels, either way. What lies further out is no place in a picture."""


def is_box(box: Sequence[float]) -> bool:
    """Whether numbers x0, y0, x1, y1 are a box with something in it, not absurdly far out."""
    x0, y0, x1, y1 = box
    return x0 < x1 and y0 < y1 and all(abs(each) <= LARGEST_COORDINATE for each in box)


@dataclass(frozen=True, eq=False)
class MaskTruth:
    """An annotated frame, pixel by pixel.

    Attributes:
        labels: (H, W) object ids, 0 where there is none.
        void: (H, W) bool, pixels that are not judged; None where all are.
        overlapping: masks of objects that `labels` does not show in full, since another one lies
            over them.
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
        """(H, W) bool of one object; empty where the frame does not show it."""
        whole = self.overlapping.get(object_id)
        mask: Mask = self.labels == object_id if whole is None else whole
        return mask

    def prompt_mask(self, object_id: int, kind: str) -> Mask:
        """(H, W) bool, what prompts of an object are made from."""
        return self.mask(object_id)


@dataclass(frozen=True, eq=False)
class BoxTruth:
    """An annotated frame, as boxes.

    Attributes:
        hw: of the frame.
        boxes: of the objects that it shows.
    """

    hw: tuple[int, int]
    boxes: Mapping[int, Box]

    @property
    def object_ids(self) -> list[int]:
        """Objects that the frame shows, ascending."""
        return sorted(self.boxes)

    def prompt_mask(self, object_id: int, kind: str) -> Mask:
        """(H, W) bool, what a box or a click is made from: all of the box, or its centre."""
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

"""Label images as runs of equal pixels: a few kilobytes, made and read in a millisecond.

Letters: H, W height and width of the label image in pixels; R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

LONGEST: Final = 65535
MOST_SLOTS: Final = 255


@dataclass(frozen=True, eq=False)
class PlacedMask:
    """Where an object is.

    Attributes:
        object_id: 1..65535.
        left, top: of the mask in the picture, in pixels.
        mask: (h, w) bool.
    """

    object_id: int
    left: int
    top: int
    mask: NDArray[np.bool_] = field(repr=False)

    @property
    def right(self) -> int:
        """Exclusive."""
        return self.left + self.mask.shape[1]

    @property
    def bottom(self) -> int:
        """Exclusive."""
        return self.top + self.mask.shape[0]


@dataclass(frozen=True, eq=False)
class LabelRuns:
    """A label image, row by row.

    Attributes:
        hw: (H, W).
        lengths: (R,) int64, pixels of each run.
        ids: (R,) uint16, the object id of each, 0 for the background.
    """

    hw: tuple[int, int]
    lengths: NDArray[np.int64] = field(repr=False)
    ids: NDArray[np.uint16] = field(repr=False)

    @classmethod
    def of(cls, label_image: NDArray[np.uint16]) -> LabelRuns:
        """The runs of a label image (H, W) uint16."""
        flat = label_image.reshape(-1)
        starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
        lengths = np.diff(starts, append=flat.size)
        height, width = label_image.shape
        return cls((height, width), lengths, flat[starts])

    @classmethod
    def of_masks(cls, hw: tuple[int, int], masks: Sequence[PlacedMask]) -> LabelRuns | None:
        """The runs of a label image that nobody has made.

        Args:
            hw: (H, W).
            masks: of the objects; where they overlap, the later one is taken.

        Returns:
            None where a mask lies outside: it belongs to another picture.
        """
        height, width = hw
        visible = [each for each in masks if each.mask.size]
        if any(each.right > width or each.bottom > height for each in visible):
            return None
        top = min((each.top for each in visible), default=0)
        bottom = max((each.bottom for each in visible), default=1)
        band = np.zeros((bottom - top, width), np.uint16)
        for each in visible:
            place = band[each.top - top : each.bottom - top, each.left : each.right]
            np.copyto(place, np.uint16(each.object_id), where=each.mask)
        runs = cls.of(band)
        above, below = top * width, (height - bottom) * width
        lengths = np.concatenate(([above], runs.lengths, [below]))
        ids = np.concatenate(([0], runs.ids, [0])).astype(np.uint16)
        return cls(hw, *_joined(lengths, ids))

    def label_image(self) -> NDArray[np.uint16]:
        """The label image (H, W) uint16 again."""
        return np.repeat(self.ids, self.lengths).reshape(self.hw)

    def for_page(self, ids: Sequence[int]) -> bytes:
        """What the page reads: lengths as little-endian uint16, then slots as uint8.

        Args:
            ids: of the objects; the first one's slot is 1. What has no slot is background.
        """
        slots = np.zeros(65536, np.uint8)
        for slot, object_id in enumerate(ids[:MOST_SLOTS], 1):
            slots[object_id] = slot
        pieces = (self.lengths - 1) // LONGEST + 1  # a run may be longer than a length can say
        lengths = np.full(int(pieces.sum()), LONGEST, "<u2")
        lengths[np.cumsum(pieces) - 1] = (self.lengths - 1) % LONGEST + 1
        return lengths.tobytes() + np.repeat(slots[self.ids], pieces).tobytes()


def _joined(
    lengths: NDArray[np.int64], ids: NDArray[np.uint16]
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """The same without empty runs, and with neighbours of one id as one run."""
    kept = lengths > 0
    lengths, ids = lengths[kept], ids[kept]
    starts = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
    return np.add.reduceat(lengths, starts), ids[starts]

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

"""What was found, held against the objects that are followed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from etam_ros.records import ObjectState
from etam_ros.segmenting.everything.found_masks import FoundMask, Mask

SAME_IOU: Final = 0.5
"""A mask that overlaps an object at least so much shows that object."""


def shown_by(found: FoundMask, objects: Iterable[ObjectState]) -> ObjectState | None:
    """The object that a mask shows; None where it is followed by none.

    Args:
        found: of a picture.
        objects: as they are on that picture.
    """
    mask = found.mask  # unpacked once
    overlaps = [(_iou(mask, found.area, state), state) for state in objects]
    best, state = max(overlaps, key=lambda each: each[0], default=(0.0, None))
    return state if best >= SAME_IOU else None


def _iou(mask: Mask, area: int, state: ObjectState) -> float:
    x0, y0, x1, y1 = state.extent
    both = int(np.count_nonzero(mask[y0:y1, x0:x1] & state.mask))
    return both / (area + state.area - both)

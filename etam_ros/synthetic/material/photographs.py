"""Photographs as material: reduced, with the things in them, outlined by somebody or guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from etam_ros.errors import SourceError
from etam_ros.media.label_png import read_mask_values
from etam_ros.synthetic.material.records import LONGEST_PX, Partition, Photograph, Picture
from etam_ros.synthetic.material.regions import find_regions

_APART_PX: Final = 5  # pieces of a thing no further apart than this belong together


def make_photograph(
    image: Picture, mask: Path | None = None, *, longest_px: int = LONGEST_PX
) -> Photograph:
    """Reduce a picture and find what may be things in it.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: PNG of ids or classes of the same size; None or a file that does not exist: unknown.
        longest_px: larger pictures are reduced to this.

    Raises:
        SourceError: picture and mask differ in size.
    """
    height, width = image.shape[:2]
    factor = min(1.0, longest_px / max(height, width))
    wh = (max(16, round(width * factor)), max(16, round(height * factor)))
    small = np.asarray(cv2.resize(image, wh, interpolation=cv2.INTER_AREA), np.uint8)
    truth = None
    if mask is not None and mask.is_file():
        ids = _read_ids(mask)
        if ids.shape != (height, width):
            raise SourceError(
                f"mask {mask} is {ids.shape[1]}x{ids.shape[0]}, expected {width}x{height} like "
                "its photograph"
            )
        truth = outlined(np.asarray(cv2.resize(ids, wh, interpolation=cv2.INTER_NEAREST)))
    return Photograph(small, truth, Partition(*find_regions(small)))


def _read_ids(mask: Path) -> Picture:
    """(H, W) uint8: ids counted through from 1, at most 255 of them."""
    values = read_mask_values(mask)
    known, ids = np.unique(values, return_inverse=True)
    ids = ids.reshape(values.shape) + (0 if known[0] == 0 else 1)
    return np.asarray(np.where(ids > 255, 0, ids), np.uint8)


def outlined(ids: Picture) -> Partition | None:
    """The things in a picture of ids, (H, W) uint8: every id, its pieces, and ids that touch.

    Ids that touch are one whole; None where nothing but background, 0, is there.
    """
    kernel = np.ones((_APART_PX, _APART_PX), np.uint8)
    labels = np.zeros_like(ids)
    pieces: list[int] = []  # the id of each label
    for value in np.unique(ids[ids > 0]):
        alone = (ids == value).astype(np.uint8)
        count, parts = cv2.connectedComponents(cv2.dilate(alone, kernel))
        for part in range(1, count):
            if len(pieces) < 255:
                pieces.append(int(value))
                labels[(parts == part) & (alone > 0)] = len(pieces)
    if not pieces:
        return None
    whole = cv2.dilate((ids > 0).astype(np.uint8), kernel)
    _, bodies = cv2.connectedComponents(whole)
    every = np.arange(256)
    sets = [every == label for label in range(1, len(pieces) + 1)]
    owner = np.array([0, *pieces])
    sets += [np.isin(every, np.nonzero(owner == value)[0]) for value in np.unique(owner[1:])]
    for body in range(1, int(bodies.max()) + 1):
        held = np.unique(labels[(bodies == body) & (labels > 0)])
        sets.append(np.isin(every, held))
    return Partition(labels, np.unique(np.stack(sets), axis=0))

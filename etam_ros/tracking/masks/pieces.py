"""The connected pieces of a mask, and which of them is the object's main one.

A mask often has a stray piece, and an object behind a pole has two pieces. The mean of all pixels
then lies on neither, and a robot must not drive there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from etam_ros.tracking.masks.measures import EMPTY_MASK, MeasuredMask, measure

ABOUT_AS_LARGE: Final = 0.5
"""Pieces of at least this share of the largest one's pixels may be the main piece."""
MOST_PIECES: Final = 65535
"""The highest count, because the message cannot hold a larger one."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of a mask.

    Attributes:
        count: number of connected pieces; pixels that touch at a corner are connected. 0 for an
            empty mask.
        main: of the pieces about as large as the largest, the one nearest to where the object
            was; if that is unknown, the largest. Its centroid is the mean of its pixels, or the
            piece's nearest pixel if the mean is not on the piece.
    """

    count: int
    main: MeasuredMask


NO_PIECES: Final = Pieces(0, EMPTY_MASK)


def pieces_of(whole: MeasuredMask, near: tuple[float, float]) -> Pieces:
    """Find the pieces of a mask.

    Args:
        whole: the mask.
        near: (x, y) in the frame, where the object was; NaN if unknown.
    """
    if whole.area == 0:
        return NO_PIECES
    pixels = whole.mask.view(np.uint8)
    labels_with_background, _ = cv2.connectedComponents(pixels, connectivity=8)
    count = labels_with_background - 1
    main = whole if count == 1 else _main_piece(whole, near)
    return Pieces(min(count, MOST_PIECES), _with_centroid_on_it(main))


def _main_piece(whole: MeasuredMask, near: tuple[float, float]) -> MeasuredMask:
    """The main one of several pieces, measured.

    All are measured in one pass, because a noisy mask has thousands.
    """
    _, labels, found, middles = cv2.connectedComponentsWithStats(
        whole.mask.view(np.uint8), connectivity=8
    )
    stats = np.asarray(found)[1:]  # (N, 5) without the background
    areas = stats[:, cv2.CC_STAT_AREA]
    large = np.flatnonzero(areas >= ABOUT_AS_LARGE * areas.max())
    x0, y0 = whole.box[:2]
    if math.isnan(near[0]):
        index = int(large[areas[large].argmax()])
    else:
        away = np.asarray(middles)[1:][large] + (x0 - near[0], y0 - near[1])
        index = int(large[np.hypot(away[:, 0], away[:, 1]).argmin()])
    x, y, width, height = stats[index, : cv2.CC_STAT_AREA].tolist()
    own = np.equal(labels[y : y + height, x : x + width], index + 1)
    return measure(own, offset=(x0 + x, y0 + y))


def _with_centroid_on_it(piece: MeasuredMask) -> MeasuredMask:
    """The same piece; a ring or a hook gets its pixel nearest to the mean as its centroid."""
    x, y = piece.centroid
    x0, y0, x1, y1 = piece.box
    column = min(math.floor(x - x0 + 0.5), x1 - x0 - 1)
    row = min(math.floor(y - y0 + 0.5), y1 - y0 - 1)
    if piece.mask[row, column]:
        return piece
    # (P, 1, 2) in OpenCV 4, (P, 2) in 5
    points = np.asarray(cv2.findNonZero(piece.mask.view(np.uint8))).reshape(-1, 2)
    away = points - np.array([x - x0, y - y0])
    nearest = points[np.einsum("pc,pc->p", away, away).argmin()]
    return replace(piece, centroid=(float(x0 + nearest[0]), float(y0 + nearest[1])))

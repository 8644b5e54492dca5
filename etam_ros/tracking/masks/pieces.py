"""The connected pieces of a mask, and which of them is the object's main one.

A mask often has a stray piece somewhere else, and an object behind a pole is two pieces: the mean
of all pixels then lies on neither, where a robot must not drive to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.tracking.masks.measures import EMPTY_MASK, MeasuredMask, measure

ABOUT_AS_LARGE: Final = 0.5
"""Pieces of at least this share of the largest one's pixels may be the main piece."""
MOST_PIECES: Final = 65535
"""More are not counted, as the message has no room for them."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """What a mask consists of.

    Attributes:
        count: connected pieces, pixels that touch by a corner included; 0 for an empty mask.
        main: of those about as large as the largest, the one nearest to where the object was, else
            the largest. Its centroid is the mean of its pixels, or where that is not on it, the
            nearest pixel that is.
    """

    count: int
    main: MeasuredMask


NO_PIECES: Final = Pieces(0, EMPTY_MASK)


def pieces_of(whole: MeasuredMask, near: tuple[float, float]) -> Pieces:
    """Take a mask apart.

    Args:
        whole: the mask.
        near: (x, y) in the frame, where the object was; NaN where nobody knows.
    """
    if whole.area == 0:
        return NO_PIECES
    # Every point of the outlines: the nearest pixel to one outside lies on them.
    found, hierarchy = cv2.findContours(
        whole.mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    outlines: list[NDArray[Any]] = list(found)
    tree: NDArray[Any] = np.asarray(hierarchy)[0]  # next, previous, first hole, parent
    outer = np.flatnonzero(tree[:, 3] < 0).tolist()  # the others are those of holes
    if len(outer) == 1:
        return Pieces(1, _with_centroid_on_it(whole, whole, outlines))
    piece, index = _main_piece(whole, [outlines[each] for each in outer], near)
    own = [outlines[outer[index]], *(outlines[each] for each in _holes(tree, outer[index]))]
    main = _with_centroid_on_it(piece, whole, own)
    return Pieces(min(len(outer), MOST_PIECES), main)


def _main_piece(
    whole: MeasuredMask, outlines: list[NDArray[Any]], near: tuple[float, float]
) -> tuple[MeasuredMask, int]:
    """The main piece, measured, and which of the outlines is its own."""
    rectangles = [cv2.boundingRect(outline) for outline in outlines]
    largest_first = sorted(
        range(len(outlines)), key=lambda index: -rectangles[index][2] * rectangles[index][3]
    )
    found: list[tuple[MeasuredMask, int]] = []
    most = 0
    for index in largest_first:
        x, y, width, height = rectangles[index]
        if width * height < ABOUT_AS_LARGE * most:
            break  # nor can those after it be large enough
        # It is connected inside its rectangle, so that the rest of the mask does not matter.
        crop = np.ascontiguousarray(whole.mask[y : y + height, x : x + width])
        _, labels = cv2.connectedComponents(crop.view(np.uint8), connectivity=8)
        column, row = outlines[index][0, 0] - (x, y)
        own = np.equal(labels, labels[row, column])
        piece = measure(own, offset=(whole.box[0] + x, whole.box[1] + y))
        found.append((piece, index))
        most = max(most, piece.area)
    large = [each for each in found if each[0].area >= ABOUT_AS_LARGE * most]
    if math.isnan(near[0]):
        return max(large, key=lambda each: each[0].area)
    return min(large, key=lambda each: math.dist(each[0].centroid, near))


def _holes(tree: NDArray[Any], outer: int) -> list[int]:
    """Indices of the outlines of the holes in a piece."""
    found, hole = [], int(tree[outer, 2])
    while hole >= 0:
        found.append(hole)
        hole = int(tree[hole, 0])
    return found


def _with_centroid_on_it(
    piece: MeasuredMask, whole: MeasuredMask, outlines: list[NDArray[Any]]
) -> MeasuredMask:
    """The same piece; of a ring or a hook, with the pixel of it that is nearest to its mean.

    Args:
        piece: measured.
        whole: the mask, in whose crop the outlines are.
        outlines: of the piece and its holes, each (P, 1, 2).
    """
    x, y = piece.centroid
    x0, y0, x1, y1 = piece.box
    column = min(math.floor(x - x0 + 0.5), x1 - x0 - 1)
    row = min(math.floor(y - y0 + 0.5), y1 - y0 - 1)
    if piece.mask[row, column]:
        return piece
    points = np.concatenate(outlines)[:, 0] + np.array(whole.box[:2])  # (P, 2)
    nearest = points[((points - np.array([x, y])) ** 2).sum(axis=1).argmin()]
    return replace(piece, centroid=(float(nearest[0]), float(nearest[1])))

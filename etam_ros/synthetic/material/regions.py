"""Regions of a photograph without labels: a watershed, merged into a tree of parts and wholes.

What stays whole over a wide range of merging costs is likely to be a thing or a part of one
(the idea of Felzenszwalb and Huttenlocher's over-segmentation and of stable regions; own code).

Letters: H, W of the photograph in pixels; R regions of the watershed (at most 255).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
Members = NDArray[np.bool_]
Floats = NDArray[np.float64]

_SEEDS: Final = 220
_KEPT: Final = 12
_SMALLEST, _LARGEST = 0.004, 0.45  # share of the picture
_ALIKE: Final = 0.8  # of two regions that overlap more, one is kept


def find_regions(image: NDArray[np.uint8]) -> tuple[Labels, Members]:
    """Find what may be things in a photograph, (H, W, 3) uint8 RGB.

    Returns:
        labels, (H, W) uint8, 0 in no region, and members, (N, 256) bool: the labels that each
        of N regions consists of. Regions may contain each other.
    """
    lab = np.asarray(cv2.cvtColor(cv2.medianBlur(image, 3), cv2.COLOR_RGB2LAB), np.uint8)
    atoms = _watershed(lab)
    count = int(atoms.max()) + 1
    areas = np.bincount(atoms.ravel(), minlength=count).astype(np.float64)
    tones = [np.bincount(atoms.ravel(), lab[..., c].ravel(), count) for c in range(3)]
    sums = np.stack(tones, axis=1).astype(np.float64)
    border, contrast = _neighbours(atoms, lab, count)
    sets, births, deaths = _merge(areas, sums, border, contrast)
    chosen = _choose(atoms, areas, sets, births, deaths)
    return _simplified(atoms, chosen)


def _watershed(lab: NDArray[np.uint8]) -> Labels:
    """(H, W) uint8 labels 1..R, grown from a grid of points of little gradient."""
    height, width = lab.shape[:2]
    step = max(3, int(np.sqrt(height * width / _SEEDS)))
    light = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0)
    gradient = cv2.morphologyEx(light, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    markers = np.zeros((height, width), np.int32)
    label = 0
    for top in range(0, height, step):
        for left in range(0, width, step):
            cell = gradient[top : top + step, left : left + step]
            row, column = divmod(int(np.argmin(cell)), cell.shape[1])
            label = min(label + 1, 255)
            markers[top + row, left + column] = label
    cv2.watershed(lab, markers)
    atoms = np.maximum(markers, 0).astype(np.uint8)
    while True:  # lines between regions go to a neighbour
        empty = atoms == 0
        if not empty.any():
            return atoms
        grown = cv2.dilate(atoms, np.ones((3, 3), np.uint8))
        atoms = np.where(empty, grown, atoms).astype(np.uint8)


def _neighbours(atoms: Labels, lab: NDArray[np.uint8], count: int) -> tuple[Floats, Floats]:
    """Length of the border between each pair, and the summed colour step along it, both (R, R)."""
    colours = cv2.GaussianBlur(lab, (0, 0), 0.7).astype(np.int16)
    border: Floats = np.zeros(count * count)
    contrast: Floats = np.zeros(count * count)
    for gap in (2, 1):
        for ahead, behind in (
            ((slice(gap, None), slice(None)), (slice(None, -gap), slice(None))),
            ((slice(None), slice(gap, None)), (slice(None), slice(None, -gap))),
        ):
            a, b = atoms[ahead], atoms[behind]
            rows, columns = np.nonzero(a != b)
            pairs = a[rows, columns].astype(np.int64) * count + b[rows, columns]
            step = np.abs(colours[ahead][rows, columns] - colours[behind][rows, columns]).sum(1)
            border += np.bincount(pairs, minlength=count * count)
            contrast += np.bincount(pairs, step, count * count)
    both = border.reshape(count, count), contrast.reshape(count, count)
    return both[0] + both[0].T, both[1] + both[1].T


def _merge(
    areas: Floats, sums: Floats, border: Floats, contrast: Floats
) -> tuple[Members, Floats, Floats]:
    """Merge the most alike neighbours until one is left.

    Returns:
        for every region that existed: members (M, 256) bool, the cost at which it was made and
        the cost at which it was merged away.
    """
    count = len(areas)
    areas, sums = areas.copy(), sums.copy()
    total = areas.sum()
    sets = np.zeros((2 * count, 256), np.bool_)
    births, deaths = np.zeros(2 * count), np.full(2 * count, np.inf)
    node = np.arange(count)
    sets[node, node] = True
    cost = np.full((count, count), np.inf)

    def price(index: int) -> None:
        near = np.nonzero(border[index])[0]
        near = near[near != index]
        mean = sums[near] / areas[near, None] - sums[index] / areas[index]
        colour = np.abs(mean).sum(1)
        edge = contrast[index, near] / border[index, near]
        size = np.minimum(areas[near], areas[index]) / total
        value = (0.5 * colour + edge) * size**0.25
        cost[index, near] = cost[near, index] = value

    present = np.nonzero(areas)[0]
    for index in present:
        price(int(index))
    made, height = count, 0.0
    for _ in range(len(present) - 1):
        keep, gone = divmod(int(np.argmin(cost)), count)
        if not np.isfinite(cost[keep, gone]):
            break
        height = max(height, float(cost[keep, gone]))
        deaths[node[keep]] = deaths[node[gone]] = births[made] = height
        sets[made] = sets[node[keep]] | sets[node[gone]]
        node[keep] = made
        made += 1
        areas[keep] += areas[gone]
        sums[keep] += sums[gone]
        for matrix in (border, contrast):
            matrix[keep] += matrix[gone]
            matrix[:, keep] = matrix[keep]
            matrix[gone], matrix[:, gone] = 0.0, 0.0
            matrix[keep, keep] = 0.0
        for index in (gone, keep):
            cost[index], cost[:, index] = np.inf, np.inf
        price(keep)
    return sets[:made], births[:made], deaths[:made]


def _choose(
    atoms: Labels, areas: Floats, sets: Members, births: Floats, deaths: Floats
) -> Members:
    """The regions that stay whole the longest, (N, 256) bool, none nearly like another."""
    share = sets[:, : len(areas)] @ areas / areas.sum()
    sides = (atoms[0], atoms[-1], atoms[:, 0], atoms[:, -1])
    touched = np.stack([sets[:, np.unique(side)].any(axis=1) for side in sides]).sum(axis=0)
    lasting = np.minimum(deaths, 1e3) - births
    score = lasting * np.sqrt(share) * 0.6**touched
    score[(share < _SMALLEST) | (share > _LARGEST) | (touched > 2)] = 0.0
    kept: list[int] = []
    for index in np.argsort(-score, kind="stable"):
        if score[index] <= 0.0 or len(kept) == _KEPT:
            break
        mine = sets[index, : len(areas)]
        overlaps = (
            (mine & other) @ areas / ((mine | other) @ areas) for other in sets[kept, : len(areas)]
        )
        if all(overlap < _ALIKE for overlap in overlaps):
            kept.append(int(index))
    return np.asarray(sets[kept], np.bool_)


def _simplified(atoms: Labels, members: Members) -> tuple[Labels, Members]:
    """Join the labels that no region tells apart: fewer labels make smaller files.

    Label 0 is in no region: its row of `members.T` is all False, and so the first.
    """
    used, inverse = np.unique(members.T, axis=0, return_inverse=True)  # one row per kind of label
    kinds = inverse.reshape(-1).astype(np.uint8)
    simple = np.zeros((len(members), 256), np.bool_)
    simple[:, : len(used)] = used.T
    return np.asarray(cv2.LUT(atoms, kinds), np.uint8), simple

"""Things in footage, outlined on consecutive frames without labels.

What stands out by its colours, and what moves otherwise than the camera, is followed by optical
flow and GrabCut, forth and back: what returns to where it began is kept. Slow, so this is done
once, before packing.

Letters: T frames of a piece of footage; H, W of a frame in pixels; L frames of a track.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.material.records import Material, Picture, Track
from etam_ros.synthetic.material.regions import find_regions

Flow = NDArray[np.float32]

_LENGTH: Final = 9
_BEGIN_EVERY: Final = 9  # frames
_SMALLEST, _LARGEST = 0.006, 0.3  # share of the picture
_MOVERS, _REGIONS = 2, 6  # things followed from one frame
_OWN_MOTION_PX: Final = 0.7  # beside the camera's, in one frame
_RETURNED: Final = 0.82  # overlap with itself of a thing that went forth and back
_STEP: Final = 20.0  # length in RGB of the colour step across an outline, at least
_SAME: Final = 0.7  # overlap of two things that are one
_BAND: Final = 0.035  # of the square root of its area: where its outline may be wrong
_ROUNDS: Final = 2


def with_tracks(material: Material) -> Material:
    """The same material, with the things that move in its footage."""
    tracks: list[Track] = []
    for index, piece in enumerate(material.footage):
        tracks.extend(_tracks(index, piece))
    return Material(material.photographs, material.footage, tuple(tracks))


def _tracks(index: int, piece: Picture) -> list[Track]:
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in piece]

    def flow(a: int, b: int) -> Flow:
        return np.asarray(method.calc(greys[a], greys[b], None), np.float32)  # type: ignore[call-overload]

    tracks = []
    for first in range(0, len(piece) - _LENGTH + 1, _BEGIN_EVERY):
        after = range(first, first + _LENGTH - 1)
        forward = [flow(at, at + 1) for at in after]
        backward = [flow(at + 1, at) for at in after]
        seen: list[Picture] = []
        for mask in [*_movers(piece[first], forward[0]), *_regions(piece[first])]:
            if (
                not _compact(mask)
                or not _stands_out(piece[first], mask)
                or any(_overlap(mask, other) > _SAME for other in seen)
            ):
                continue
            seen.append(mask)
            masks = _follow(piece[first : first + _LENGTH], mask, backward)
            home = _follow(piece[first : first + _LENGTH][::-1], masks[-1], forward[::-1])
            if _overlap(home[-1], masks[0]) > _RETURNED and _steady(masks):
                tracks.append(Track(index, first, np.stack(masks)))
    return tracks


def _regions(frame: Picture) -> list[Picture]:
    """Masks (H, W) uint8 0 or 255 of what stands out by its colours."""
    labels, members = find_regions(frame)
    tables = members[:_REGIONS].astype(np.uint8) * np.uint8(255)
    return [np.asarray(cv2.LUT(labels, table), np.uint8) for table in tables]


def _compact(mask: Picture) -> bool:
    """Of a usable size, in about one piece, and hardly cut by the border of the picture."""
    share = np.count_nonzero(mask) / mask.size
    if not _SMALLEST < share < _LARGEST:
        return False
    rim = sum(np.count_nonzero(side) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    largest = cv2.connectedComponentsWithStats(mask)[2][1:, cv2.CC_STAT_AREA].max()
    area = np.count_nonzero(mask)
    return bool(rim < 0.6 * np.sqrt(area) and largest > 0.8 * area)


def _stands_out(frame: Picture, mask: Picture) -> bool:
    """What is just inside differs in colour from what is just outside: no band of a sky."""
    kernel = np.ones((9, 9), np.uint8)
    inside = cv2.subtract(mask, cv2.erode(mask, kernel))
    outside = cv2.subtract(cv2.dilate(mask, kernel), mask)
    step = np.array(cv2.mean(frame, inside)) - np.array(cv2.mean(frame, outside))
    return float(np.linalg.norm(step)) > _STEP


def _movers(frame: Picture, forward: Flow) -> list[Picture]:
    """Masks (H, W) uint8 0 or 255 of what moves otherwise than the camera."""
    own = _own_motion(forward)
    level = max(_OWN_MOTION_PX, 3.0 * float(np.median(own)))
    moving = (own > level).astype(np.uint8)
    opened = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:_MOVERS]
    rough = [np.where(labels == label, 255, 0).astype(np.uint8) for label in order]
    return [_refined(frame, mask, 4.0 * _BAND) for mask in rough]


def _own_motion(flow: Flow) -> NDArray[np.float32]:
    """(H, W) pixels by which a flow differs from the camera's motion."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height:6, 0:width:6].astype(np.float32)
    here = np.stack([x.ravel(), y.ravel()], axis=1)
    there = here + flow[0:height:6, 0:width:6].reshape(-1, 2)
    matrix, _ = cv2.findHomography(here, there, cv2.RANSAC, 0.7)
    if np.shape(matrix) != (3, 3):  # no motion fits
        return np.zeros((height, width), np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    grid = np.stack([x, y], axis=2)
    camera = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), matrix).reshape(height, width, 2)
    return np.asarray(np.linalg.norm(grid + flow - camera, axis=2), np.float32)


def _follow(frames: Picture, mask: Picture, flows: list[Flow]) -> list[Picture]:
    """Masks of a thing on all frames; `flows` lead from each frame to the one before it."""
    masks = [mask]
    height, width = mask.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for frame, flow in zip(frames[1:], flows, strict=True):
        came = cv2.remap(masks[-1], x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
        warped = np.where(np.asarray(came) > 127, 255, 0).astype(np.uint8)
        masks.append(_refined(frame, warped, _BAND))
    return masks


def _refined(frame: Picture, mask: Picture, band: float) -> Picture:
    """The mask with its outline moved to where the colours change, within a band."""
    area = int(np.count_nonzero(mask))
    if area < 40:
        return mask
    reach = max(2, round(band * float(np.sqrt(area))) + 1)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    inner, outer = cv2.erode(mask, kernel), cv2.dilate(mask, kernel)
    x, y, wide, high = cv2.boundingRect(np.asarray(outer))
    room = 4 * reach + 8
    rows = slice(max(0, y - room), y + high + room)
    columns = slice(max(0, x - room), x + wide + room)
    trimap = np.full(mask.shape, cv2.GC_BGD, np.uint8)
    trimap[outer > 0] = cv2.GC_PR_BGD
    trimap[mask > 0] = cv2.GC_PR_FGD
    trimap[inner > 0] = cv2.GC_FGD
    cropped = np.ascontiguousarray(trimap[rows, columns])
    if not np.isin(cropped, (cv2.GC_FGD, cv2.GC_PR_FGD)).any() or not (cropped == 0).any():
        return mask
    cv2.setRNGSeed(0)  # GrabCut starts from k-means
    models = np.zeros((1, 65)), np.zeros((1, 65))
    picture = np.ascontiguousarray(frame[rows, columns])
    cv2.grabCut(picture, cropped, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    out = np.zeros_like(mask)
    out[rows, columns] = np.where(np.isin(cropped, (cv2.GC_FGD, cv2.GC_PR_FGD)), 255, 0)
    return np.asarray(cv2.medianBlur(out, 3), np.uint8)


def _overlap(a: Picture, b: Picture) -> float:
    both, any_ = np.count_nonzero((a > 0) & (b > 0)), np.count_nonzero((a > 0) | (b > 0))
    return both / max(any_, 1)


def _steady(masks: list[Picture]) -> bool:
    """It neither bursts nor withers."""
    areas = np.array([np.count_nonzero(mask) for mask in masks], np.float64) + 1.0
    steps = np.abs(np.diff(np.log(areas)))
    return bool(areas.min() > 60 and steps.max() < 0.35 and areas.max() / areas.min() < 2.5)

"""Comparing one object on one frame with the truth.

Letters: H, W height and width of the frame in pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from etam_ros.evaluation.metrics.regions import (
    accuracy_within,
    box_iou,
    box_of,
    centroid_of,
    radius_px,
    region_similarity,
    window_of,
)
from etam_ros.evaluation.metrics.series import NOTHING, Judgement
from etam_ros.evaluation.truth.annotations import BoxTruth, FrameTruth, MaskTruth

Labels = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def judge(labels: Labels, truth: FrameTruth, object_id: int, index: int) -> Judgement:
    """Evaluate one object on one frame.

    Args:
        labels: (H, W) predicted ids.
        truth: of the frame.
        object_id: id of the object in both.
        index: of the frame.
    """
    if isinstance(truth, BoxTruth):
        return _judge_box(labels == object_id, truth, object_id, index)
    return _judge_mask(labels == object_id, truth, object_id, index)


def _judge_mask(found: Mask, truth: MaskTruth, object_id: int, index: int) -> Judgement:
    expected, hw = truth.mask(object_id), found.shape
    if truth.void is not None:
        found, expected = found & ~truth.void, expected & ~truth.void
    window = window_of(found | expected)  # everything else is background in both
    found, expected, labels = found[window], expected[window], truth.labels[window]
    return Judgement(
        frame=index,
        j=region_similarity(found, expected),
        f=accuracy_within(found, expected, radius_px(hw)),
        expected=bool(expected.any()),
        found=bool(found.any()),
        centroid_px=_distance(centroid_of(found), centroid_of(expected)),
        covers=covered_object(found, labels),
    )


def covered_object(found: Mask, truth: Labels) -> int:
    """Id of the true object that contains at least half of a mask, or NOTHING."""
    ids, counts = np.unique(truth[found], return_counts=True)
    if not ids.size:
        return NOTHING
    best = int(np.argmax(np.where(ids > 0, counts, -1)))
    enough = ids[best] > 0 and 2 * counts[best] >= counts.sum()
    return int(ids[best]) if enough else NOTHING


def _judge_box(found: Mask, truth: BoxTruth, object_id: int, index: int) -> Judgement:
    box, expected = box_of(found), truth.boxes.get(object_id)
    if box is None or expected is None:
        overlap, distance = float(box is None and expected is None), None
    else:
        overlap, distance = box_iou(box, expected), _distance(_centre(box), _centre(expected))
    return Judgement(index, overlap, None, expected is not None, box is not None, distance)


def _centre(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _distance(
    point: tuple[float, float] | None, other: tuple[float, float] | None
) -> float | None:
    return None if point is None or other is None else math.dist(point, other)

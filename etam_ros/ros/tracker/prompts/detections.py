"""Boxes of a detector: which of them are taken, and which object each is for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etam_ros.config import DetectionsConfig
from etam_ros.records import NEW_OBJECT, FrameResult

if TYPE_CHECKING:
    from vision_msgs.msg import Detection2DArray

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Detection:
    """One box of a detector.

    Attributes:
        box: (x_min, y_min, x_max, y_max) in source pixels.
        label: class of the most likely hypothesis; empty without any.
        score: of that hypothesis; 0 without any.
    """

    box: Box
    label: str
    score: float


def detections_from_message(message: Detection2DArray, hw: tuple[int, int]) -> list[Detection]:
    """Read all boxes of a frame; what sticks out of it is cut off.

    Args:
        message: of any detector; a box that is turned becomes the upright one around it.
        hw: height and width of the frame in pixels.
    """
    height, width = hw
    found = []
    for each in message.detections:
        centre, theta = each.bbox.center.position, each.bbox.center.theta
        theta = theta if math.isfinite(theta) else math.nan  # such a box is refused as a prompt
        cosine, sine = abs(math.cos(theta)), abs(math.sin(theta))
        half_x = (each.bbox.size_x * cosine + each.bbox.size_y * sine) / 2
        half_y = (each.bbox.size_x * sine + each.bbox.size_y * cosine) / 2
        box = (
            max(centre.x - half_x, -0.5),
            max(centre.y - half_y, -0.5),
            min(centre.x + half_x, width - 0.5),
            min(centre.y + half_y, height - 0.5),
        )
        best = max((h.hypothesis for h in each.results), key=lambda h: h.score, default=None)
        found.append(Detection(box, best.class_id if best else "", best.score if best else 0.0))
    return found


def chosen(detections: Iterable[Detection], config: DetectionsConfig) -> list[Detection]:
    """Those within the limits of score, label and number, the highest score first."""
    labels = {label.strip() for label in config.labels.split(",") if label.strip()}
    within = [
        each
        for each in detections
        if each.score >= config.min_score and (not labels or each.label in labels)
    ]
    within.sort(key=lambda each: -each.score)
    return within[: config.max_per_message]


def object_of_box(box: Box, result: FrameResult, min_iou: float) -> int:
    """Id of the visible object whose box overlaps most with one, NEW_OBJECT if none does.

    A detector sees a whole object, also where a mask is in pieces: the box of all pieces counts
    as that of the main one does.

    Args:
        box: (x_min, y_min, x_max, y_max).
        result: of the frame on which it was detected.
        min_iou: smallest intersection over union that counts as overlap.
    """
    overlaps = [
        (box_iou(box, (x0 - 0.5, y0 - 0.5, x1 - 0.5, y1 - 0.5)), state.object_id)
        for state in result.objects
        if not state.occluded
        for x0, y0, x1, y1 in (state.box, state.extent)
    ]
    iou, object_id = max(overlaps, key=lambda each: each[0], default=(0.0, NEW_OBJECT))
    return object_id if iou >= min_iou else NEW_OBJECT


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; 0 where one has no area."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if not (width > 0 and height > 0):
        return 0.0
    both = width * height
    union = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)) - both
    return both / union if union > 0 else 0.0

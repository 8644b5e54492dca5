"""The parity gate's clip, tracked by the same tracker that later runs on accepted engines.

Two discs move over a striped ground. Sixteen objects are prompted on them, by clicks, boxes and
masks: two at the start, which are tracked until their banks are full, and the others at the end.
The clip thus covers batches of every size, banks of equal and of different lengths, and a
corrected object.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.records import BACKGROUND, FOREGROUND, Frame, Prompt
from etam_ros.runtime import Stages
from etam_ros.tracking.tracker import Tracker

NEW_OBJECTS: Final = {0: 2, 16: 2, 17: 4, 18: 8}
"""Number of objects that are added, by frame; on the second of these frames, banks are full.

An object is corrected on the last of these frames, and one frame follows."""
FEWER_OBJECTS: Final = {0: 1, 7: 1, 8: 2}
"""The same for large models on a CPU, where objects run one at a time and take seconds each: banks
become full of memories, but not of pointers."""
LARGE_GRID: Final = 30
RADIUS: Final = 0.16
"""Radius of the discs, as a fraction of the side of the picture."""


def follow_clip(stages: Stages) -> Iterator[tuple[Tensor, float]]:
    """Follow the clip.

    Yields:
        low-resolution logits (4h, 4w), on the host, and the object score of each object on each
        frame.
    """
    tracker = Tracker(stages, TrackerConfig())
    new_objects, side = _new_objects(stages), stages.sizes.image_size
    last = max(new_objects)
    for index in range(last + 2):
        image, centres = clip_frame(index, side)
        result = tracker.step(Frame(image))
        for _ in range(new_objects.get(index, 0)):
            tracker.add_prompt(_first_prompt(len(tracker.object_ids), centres, side))
        if index == last:
            x, y = centres[0]
            beside = (x, y + 1.5 * RADIUS * side)
            tracker.add_prompt(Prompt(object_id=1, points=[beside], point_labels=[BACKGROUND]))
        result = tracker.result or result
        for state in result.objects:
            yield state.mask_logits.cpu(), state.object_score_logit


def _new_objects(stages: Stages) -> Mapping[int, int]:
    slow = stages.device.type == "cpu" and stages.sizes.grid > LARGE_GRID
    return FEWER_OBJECTS if slow else NEW_OBJECTS


def _first_prompt(number: int, centres: list[tuple[float, float]], side: int) -> Prompt:
    """The first prompt of an object; discs, kinds of prompts and positions alternate."""
    x, y = centres[number % 2]
    radius = RADIUS * side
    kind = number // 2 % 4
    if kind == 1:
        return Prompt(box=(x - radius, y - radius, x + radius, y + radius))
    if kind == 3:
        rows, columns = np.mgrid[:side, :side]
        return Prompt(mask=np.hypot(columns - x, rows - y) < radius)
    angle = 0.8 * number
    points = [(x, y), (x + 0.5 * radius * math.cos(angle), y + 0.5 * radius * math.sin(angle))]
    used = points[: 1 + kind // 2]
    return Prompt(points=used, point_labels=[FOREGROUND] * len(used))


def clip_frame(index: int, side: int) -> tuple[NDArray[np.uint8], list[tuple[float, float]]]:
    """Frame `index` of the clip.

    Returns:
        (S, S, 3) uint8 RGB, and the discs' centres (x, y) in pixels; their radius is RADIUS * S.
    """
    y, x = np.mgrid[:side, :side] / side
    ground = 0.5 + 0.2 * np.sin(17 * x + 5 * y) + 0.1 * np.sin(31 * y - 9 * x)
    picture = np.stack((0.6 * ground, 0.8 * ground, ground), axis=-1)
    shift = 0.06 * math.sin(0.4 * index)
    centres = [(0.3 + shift, 0.35 + shift), (0.7 - shift, 0.66)]
    colours = ((0.9, 0.25, 0.2), (0.95, 0.85, 0.2))
    for (centre_x, centre_y), colour in zip(centres, colours, strict=True):
        inside = np.hypot(x - centre_x, y - centre_y) < RADIUS
        picture[inside] = np.array(colour) * (0.8 + 0.2 * np.sin(40 * y[inside]))[:, None]
    image = np.rint(picture.clip(0.0, 1.0) * 255).astype(np.uint8)
    return image, [(a * side, b * side) for a, b in centres]

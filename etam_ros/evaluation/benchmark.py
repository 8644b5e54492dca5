"""How long the stages and the tracker take on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import TrackerConfig
from etam_ros.records import FOREGROUND, Frame, Prompt
from etam_ros.runtime import STAGE_NAMES, Stages, TimedStages
from etam_ros.tracking import Tracker

FILLING_FRAMES: Final = 17
"""Steps after which a bank is full: 6 recent memories and 15 recent pointers, and some more."""
PICTURES: Final = 8


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one part of a frame, over many frames."""

    name: str
    p50_ms: float
    p99_ms: float

    @staticmethod
    def of(name: str, values_ms: list[float]) -> Timing:
        """Median and 99th percentile."""
        p50, p99 = np.percentile(values_ms, (50, 99))
        return Timing(name, float(p50), float(p99))


def synthetic_pictures(source_hw: tuple[int, int], objects: int) -> list[NDArray[np.uint8]]:
    """A row of discs that tremble before soft colours, the same at every call.

    A trained network follows the discs, whose masks are of a usual size; what an untrained one
    makes of them is as slow or slower.

    Args:
        source_hw: (H, W).
        objects: how many discs; their centres are those of `clicks`.

    Returns:
        PICTURES pictures, (H, W, 3) uint8.
    """
    rng = np.random.default_rng(0)
    height, width = source_hw
    coarse = rng.integers(96, 160, (9, 16, 3), np.uint8)
    background = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    colours = rng.integers(0, 256, (objects, 3)).tolist()
    radius = round(0.3 * min(height, width / (objects + 1)))
    pictures = []
    for index in range(PICTURES):
        picture = background.copy()
        shift = 0.05 * radius * np.sin(2 * np.pi * index / PICTURES)
        for (x, y), colour in zip(clicks(source_hw, objects), colours, strict=True):
            cv2.circle(picture, (round(x + shift), round(y)), radius, colour, cv2.FILLED)
        pictures.append(np.asarray(picture, np.uint8))
    return pictures


def clicks(source_hw: tuple[int, int], objects: int) -> list[tuple[float, float]]:
    """Where to click on the objects of the pictures, (x, y) in pixels."""
    height, width = source_hw
    return [(width * (index + 1) / (objects + 1), height / 2) for index in range(objects)]


def time_tracker(
    stages: Stages,
    *,
    objects: int,
    frames: int,
    source_hw: tuple[int, int],
    on_frame: Callable[[], None] = lambda: None,
) -> list[Timing]:
    """Follow objects with full banks and time each frame.

    Args:
        stages: what to measure.
        objects: how many to follow.
        frames: measured frames, at least 1; FILLING_FRAMES come before.
        source_hw: (H, W) of the pictures.
        on_frame: called after each frame, filling ones too.

    Returns:
        each stage, the rest of `step`, and the whole of it.
    """
    timed = TimedStages(stages)
    tracker = Tracker(timed, TrackerConfig(max_objects=objects))
    pictures = [Frame(picture) for picture in synthetic_pictures(source_hw, objects)]
    tracker.step(pictures[0])
    for point in clicks(source_hw, objects):
        tracker.add_prompt(Prompt(points=[point], point_labels=[FOREGROUND]))
    spent: dict[str, list[float]] = {name: [] for name in (*STAGE_NAMES, "rest of step", "step")}
    for index in range(FILLING_FRAMES + frames):
        timed.take()
        start_s = time.perf_counter()
        tracker.step(pictures[index % PICTURES])
        whole_ms = (time.perf_counter() - start_s) * 1e3
        if index >= FILLING_FRAMES:
            in_stages = timed.take()
            for name, value_ms in in_stages.items():
                spent[name].append(value_ms)
            spent["rest of step"].append(whole_ms - sum(in_stages.values()))
            spent["step"].append(whole_ms)
        on_frame()
    return [Timing.of(name, values_ms) for name, values_ms in spent.items()]

"""How long the stages and the tracker take on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import TrackerConfig
from etam_ros.records import Frame, FrameResult
from etam_ros.runtime import STAGE_NAMES, Stages, TimedStages
from etam_ros.tracking import Tracker

FILLING_FRAMES: Final = 17
"""Steps after which a bank is full: 6 recent memories and 15 recent pointers, and some more."""
PICTURES: Final = 8
WHOLE: Final = ("rest of step", "step")


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


class FrameClock:
    """A tracker that keeps the time of each frame and of its stages.

    Args:
        stages: what it runs on.
        objects: how many it may follow.
    """

    def __init__(self, stages: Stages, objects: int) -> None:
        self._timed = TimedStages(stages)
        self.tracker = Tracker(self._timed, TrackerConfig(max_objects=objects))
        self._spent_ms: dict[str, list[float]] = {name: [] for name in (*STAGE_NAMES, *WHOLE)}

    def step(self, frame: Frame, measured: bool) -> FrameResult:
        """Step, and keep how long it took if this frame is measured."""
        self._timed.take()
        start_s = time.perf_counter()
        result = self.tracker.step(frame)
        self._timed.synchronize()
        whole_ms = (time.perf_counter() - start_s) * 1e3
        if measured:
            in_stages = self._timed.take()
            rest_ms = whole_ms - sum(in_stages.values())
            for name, value_ms in (*in_stages.items(), *zip(WHOLE, (rest_ms, whole_ms))):  # noqa: B905
                self._spent_ms[name].append(value_ms)
        return result

    def timings(self) -> dict[str, Timing]:
        """Each stage, the rest of a step, and the whole of it, by name."""
        return {name: Timing.of(name, values) for name, values in self._spent_ms.items()}

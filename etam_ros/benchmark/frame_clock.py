"""A tracker whose frames are timed, with what they take of a GPU's memory."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from etam_ros.benchmark.workload import clicks
from etam_ros.config import TrackerConfig
from etam_ros.records import FOREGROUND, Frame, FrameResult, Prompt
from etam_ros.runtime import STAGE_NAMES, Stages, TimedStages
from etam_ros.tracking import Tracker

MIB: Final = 2**20
STEP: Final = "step"
REST: Final = "rest of step"
MASKS: Final = "masks on the host"
"""The part of a step after which its masks lie in host memory; a GPU may go on working."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one part of a frame, over many frames."""

    mean_ms: float
    p50_ms: float
    p99_ms: float

    @staticmethod
    def of(values_ms: list[float]) -> Timing:
        """Mean, median and 99th percentile."""
        p50, p99 = np.percentile(values_ms, (50, 99))
        return Timing(float(np.mean(values_ms)), float(p50), float(p99))


@dataclass
class DeviceUse:
    """What measured frames took of a GPU's memory.

    Attributes:
        peak_mib: most that PyTorch took within a frame, beside what it held before.
        allocations: of device memory by PyTorch, over all measured frames.
        retries: times its allocator had to free memory first, over all measured frames.
    """

    peak_mib: float = 0.0
    allocations: int = 0
    retries: int = 0

    def add(self, before: Counter[str], after: Counter[str]) -> None:
        """Take in a frame: torch's statistics before it, with a new peak, and after it."""
        peak = after["allocated_bytes.all.peak"] - before["allocated_bytes.all.current"]
        self.peak_mib = max(self.peak_mib, peak / MIB)
        self.allocations += after["segment.all.allocated"] - before["segment.all.allocated"]
        self.retries += after["num_alloc_retries"] - before["num_alloc_retries"]


class FrameClock:
    """A tracker that keeps what each frame took.

    Args:
        stages: what it runs on.
        objects: how many it follows.
        parts: time each stage as well; on a GPU that costs some events a frame.
    """

    def __init__(self, stages: Stages, objects: int, *, parts: bool = True) -> None:
        self._timed = TimedStages(stages) if parts else None
        self._stages, self._objects = stages, objects
        self.tracker = Tracker(self._timed or stages, TrackerConfig(max_objects=objects))
        self._spent_ms: dict[str, list[float]] = {}
        self.device_use = DeviceUse() if stages.device.type == "cuda" else None

    def begin(self, first: Frame) -> None:
        """Warm up, step onto the first of `synthetic_pictures`, and click on its objects."""
        self._stages.warm_up(self._objects)
        self.tracker.step(first)
        for point in clicks(first.hw, self._objects):
            self.tracker.add_prompt(Prompt(points=[point], point_labels=[FOREGROUND]))

    def step(self, frame: Frame, measured: bool) -> FrameResult:
        """Step, and keep how long it took if this frame is measured."""
        if self._timed is not None:
            self._timed.take()
        self._stages.synchronize()
        if self.device_use:
            torch.cuda.reset_peak_memory_stats()
            before = Counter(torch.cuda.memory_stats())
        start_s = time.perf_counter()
        result = self.tracker.step(frame)
        masks_ms = (time.perf_counter() - start_s) * 1e3
        self._stages.synchronize()
        step_ms = (time.perf_counter() - start_s) * 1e3
        if measured:
            self._keep(step_ms, masks_ms)
            if self.device_use:
                self.device_use.add(before, Counter(torch.cuda.memory_stats()))
        return result

    def _keep(self, step_ms: float, masks_ms: float) -> None:
        parts = {}
        if self._timed is not None:
            in_stages = self._timed.take()
            parts = {**in_stages, REST: step_ms - sum(in_stages.values())}
        for name, value_ms in (*parts.items(), (MASKS, masks_ms), (STEP, step_ms)):
            self._spent_ms.setdefault(name, []).append(value_ms)

    def timings(self) -> dict[str, Timing]:
        """Each stage and the rest where they are timed, MASKS and STEP, by name."""
        return {name: Timing.of(values) for name, values in self._spent_ms.items()}


PARTS: Final = (*STAGE_NAMES, REST)
"""What a step is made of, in order."""

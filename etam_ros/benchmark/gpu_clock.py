"""Ways to run one model, timed frame by frame in turn, with what they take of a GPU's memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch

from etam_ros.benchmark.benchmark import FILLING_FRAMES, clicks, synthetic_pictures
from etam_ros.benchmark.side_by_side import EAGER
from etam_ros.config import TrackerConfig
from etam_ros.records import FOREGROUND, Frame, Prompt
from etam_ros.runtime import Stages
from etam_ros.tracking import Tracker

MIB: Final = 2**20


@dataclass(frozen=True)
class Turn:
    """One way to run a model, with so many objects.

    Attributes:
        model, way, objects: what ran.
        frames_per_s: by the mean, nothing left to do on the device.
        p50_ms, p99_ms: of a frame, until the device has nothing left to do.
        masks_p50_ms: until the masks lie in host memory.
        ratio: median frame of eager torch in the same precision over this one's; NaN without.
        peak_mib: most memory that PyTorch took within a frame, beside what it held before.
        allocations: of device memory by PyTorch, over all measured frames.
        retries: times its allocator had to free memory first, over all measured frames.
    """

    model: str
    way: str
    objects: int
    frames_per_s: float
    p50_ms: float
    p99_ms: float
    masks_p50_ms: float
    ratio: float
    peak_mib: float
    allocations: int
    retries: int

    @property
    def spread(self) -> float:
        """p99 over p50."""
        return self.p99_ms / self.p50_ms


@dataclass(eq=False)
class Clock:
    """A tracker on one way, and what its frames took."""

    tracker: Tracker
    frame_ms: list[float] = field(default_factory=list)
    masks_ms: list[float] = field(default_factory=list)
    peak: int = 0
    allocations: int = 0
    retries: int = 0

    def step(self, frame: Frame, measured: bool) -> None:
        """Step, and keep the times and what was taken of the device's memory."""
        stages = self.tracker.stages
        on_gpu = stages.device.type == "cuda"
        stages.synchronize()
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
            held, before = torch.cuda.memory_allocated(), _allocations()
        start_s = time.perf_counter()
        self.tracker.step(frame)
        masks_s = time.perf_counter()
        stages.synchronize()
        end_s = time.perf_counter()
        if measured:
            self.frame_ms.append((end_s - start_s) * 1e3)
            self.masks_ms.append((masks_s - start_s) * 1e3)
            if on_gpu:
                taken, retried = (
                    now - then for now, then in zip(_allocations(), before, strict=True)
                )
                self.allocations += taken
                self.retries += retried
                self.peak = max(self.peak, torch.cuda.max_memory_allocated() - held)


def turns(
    model: str,
    ways: Mapping[str, Stages],
    objects: int,
    frames: int,
    source_hw: tuple[int, int],
    notes: list[str],
) -> list[Turn]:
    """Follow the same objects on every way, frame by frame in turn.

    Args:
        model: for the rows.
        ways: stages by name, as "torch fp16".
        objects: how many to follow.
        frames: measured, after those that fill the banks.
        source_hw: (H, W) of the frames.
        notes: what fails is added.

    Returns:
        a row for each way that went through.
    """
    pictures = [Frame(picture) for picture in synthetic_pictures(source_hw, objects)]
    clocks = {}
    for name, stages in ways.items():
        clock = Clock(Tracker(stages, TrackerConfig(max_objects=objects)))
        if _goes(
            f"{model} on {name}, {objects} objects", notes, _begin, clock, pictures[0], objects
        ):
            clocks[name] = clock
    order = list(clocks)
    for index in range(FILLING_FRAMES + frames):
        order = order[1:] + order[:1]
        picture = pictures[index % len(pictures)]
        for name in list(order):
            what = f"{model} on {name}, {objects} objects"
            measured = index >= FILLING_FRAMES
            if not _goes(what, notes, Clock.step, clocks[name], picture, measured):
                order.remove(name)
                del clocks[name]
    medians = {name: float(np.median(clock.frame_ms)) for name, clock in clocks.items()}
    return [
        Turn(
            model=model,
            way=name,
            objects=objects,
            frames_per_s=1e3 / float(np.mean(clock.frame_ms)),
            p50_ms=medians[name],
            p99_ms=float(np.percentile(clock.frame_ms, 99)),
            masks_p50_ms=float(np.median(clock.masks_ms)),
            ratio=medians.get(f"{EAGER} {name.split()[-1]}", float("nan")) / medians[name],
            peak_mib=clock.peak / MIB,
            allocations=clock.allocations,
            retries=clock.retries,
        )
        for name, clock in clocks.items()
    ]


def _begin(clock: Clock, first: Frame, objects: int) -> None:
    """Click on every object of the first frame."""
    clock.tracker.step(first)
    height, width = first.hw
    for point in clicks((height, width), objects):
        clock.tracker.add_prompt(Prompt(points=[point], point_labels=[FOREGROUND]))


def _goes(what: str, notes: list[str], call: Callable[..., None], *arguments: object) -> bool:
    """Call; what fails is noted."""
    try:
        call(*arguments)
    except Exception as error:  # one way that fails leaves the others to be measured
        notes.append(f"{what}: {words_of(error)}")
        return False
    return True


def words_of(error: Exception) -> str:
    """An error as one line."""
    reason = (str(error).strip().splitlines() or ["no message"])[0]
    return f"{type(error).__name__}: {reason[:300]}"


def _allocations() -> tuple[int, int]:
    """How often PyTorch has taken memory from the device, and had to try again."""
    stats = torch.cuda.memory_stats()
    return stats.get("segment.all.allocated", 0), stats.get("num_alloc_retries", 0)

"""Several ways to run one model, timed on the same frames, turn by turn, and held to one of them.

Machines change their speed from minute to minute: what is compared runs in the same moments.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Final

from etam_ros.benchmark.frame_clock import STEP, DeviceUse, FrameClock, Timing
from etam_ros.benchmark.workload import FILLING_FRAMES, Workload, synthetic_pictures
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.records import Frame, FrameResult
from etam_ros.runtime import Stages
from etam_ros.runtime.engines import open_torch_stages
from etam_ros.tracking import open_stages

EAGER: Final = "eager"
"""The way that is torch without captures, to be held against."""
GRAPHS: Final = "graphs"
"""The way that is torch in fixed shapes, captured on CUDA, on a CPU too."""


@dataclass(frozen=True)
class Measured:
    """One way to run the model, with so many objects.

    Attributes:
        name: of the way.
        objects: followed.
        timings: of the step and its parts, by name.
        ratio: median step of the reference over this one's: above 1 it is faster; NaN where the
            reference was not measured.
        agreement: mean IoU of its masks with the reference's, over frames and objects; NaN
            likewise.
        peak_mib: memory of a process that does nothing else; 0: not measured.
        device_use: what it took of a GPU's memory; None on a CPU.
    """

    name: str
    objects: int
    timings: dict[str, Timing]
    ratio: float
    agreement: float
    peak_mib: int = 0
    device_use: DeviceUse | None = None

    @property
    def step(self) -> Timing:
        """Of a whole frame."""
        return self.timings[STEP]

    @property
    def frames_per_s(self) -> float:
        """Of the tracker, by the median."""
        return 1e3 / self.step.p50_ms


def open_way(
    model: str, weights: str, backend: str, precision: str, device: str,
    *, engine_dir: str = "", on_step: Callable[[str], None] | None = None,
) -> Stages:  # fmt: skip
    """`open_stages` for one of several ways, of which EAGER and GRAPHS are two.

    Raises:
        ConfigError, BackendError, WeightsError: as `open_stages`.
    """
    if backend in (EAGER, GRAPHS):
        return open_torch_stages(model, weights, precision, device, fixed=backend == GRAPHS)
    return open_stages(
        model, weights=weights, backend=backend, precision=precision, device=device,
        engine_dir=engine_dir, on_step=on_step,
    )  # fmt: skip


def measure_side_by_side(
    ways: Mapping[str, Stages],
    references: Mapping[str, str],
    work: Workload,
    *,
    parts: bool = True,
    on_frame: Callable[[], None] = lambda: None,
    on_failure: Callable[[str, Exception], None] | None = None,
    on_end: Callable[[str, FrameClock], None] = lambda _name, _clock: None,
) -> list[Measured]:
    """Follow the same objects in every way, frame by frame in turn.

    Args:
        ways: stages by name.
        references: for each way, the one that it is held against.
        work: objects, frames and their size.
        parts: time the stages too.
        on_frame: called after each frame of each way.
        on_failure: told which way failed and how, while the others go on; None raises.
        on_end: given every way's clock once all is measured.

    Returns:
        what was measured, in the order of `ways`.
    """
    pictures = [Frame(picture) for picture in synthetic_pictures(work.source_hw, work.objects)]
    clocks = {name: FrameClock(each, work.objects, parts=parts) for name, each in ways.items()}

    def attempt(name: str, call: Callable[[], FrameResult | None]) -> FrameResult | None:
        try:
            return call()
        except Exception as error:
            if on_failure is None:
                raise
            del clocks[name]
            on_failure(name, error)
            return None

    for name, clock in list(clocks.items()):
        attempt(name, partial(clock.begin, pictures[0]))
    agreements: dict[str, list[float]] = {name: [] for name in ways}
    order = deque(ways)
    for index in range(FILLING_FRAMES + work.frames):
        picture, measured = pictures[index % len(pictures)], index >= FILLING_FRAMES
        order.rotate(-1)  # nobody is always first
        results = {}
        for name in [each for each in order if each in clocks]:
            results[name] = attempt(name, partial(clocks[name].step, picture, measured))
            on_frame()
        for name, result in results.items():
            other = results.get(references[name])
            if result is not None and other is not None:
                agreements[name] += _agreement(result, other)
    for name, clock in clocks.items():
        on_end(name, clock)
    return _measured(clocks, references, agreements, work.objects)


def _measured(
    clocks: Mapping[str, FrameClock],
    references: Mapping[str, str],
    agreements: Mapping[str, list[float]],
    objects: int,
) -> list[Measured]:
    timings = {name: clock.timings() for name, clock in clocks.items()}
    base_ms = {name: each[STEP].p50_ms for name, each in timings.items()}
    return [
        Measured(
            name,
            objects,
            timings[name],
            ratio=base_ms.get(references[name], math.nan) / base_ms[name],
            agreement=fmean(agreements[name]) if agreements[name] else math.nan,
            device_use=clock.device_use,
        )
        for name, clock in clocks.items()
    ]


def _agreement(result: FrameResult, other: FrameResult) -> list[float]:
    return [
        region_similarity(
            result.label_image == state.object_id, other.label_image == state.object_id
        )
        for state in other.objects
    ]

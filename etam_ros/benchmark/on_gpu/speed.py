"""How fast: every way to run the models takes turns on 720p frames, with the floor beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import Final

import torch

from etam_ros.benchmark.floor import (
    Ceilings,
    HostCalls,
    count_flops,
    count_host_calls,
    fewest_bytes,
    measure_ceilings,
)
from etam_ros.benchmark.frame_clock import MASKS, FrameClock
from etam_ros.benchmark.on_gpu.findings import Findings, words_of
from etam_ros.benchmark.opening import open_timed
from etam_ros.benchmark.side_by_side import EAGER, GRAPHS, Measured, measure_side_by_side, open_way
from etam_ros.benchmark.workload import FILLING_FRAMES, Workload, synthetic_pictures
from etam_ros.records import Frame
from etam_ros.runtime import Stages
from etam_ros.runtime.backends.torch.stages import TorchStages
from etam_ros.runtime.engines import is_installed

Way = tuple[str, str]
"""A backend and a precision."""
GROUPS: Final = (
    ((EAGER, "fp16"), (GRAPHS, "fp16"), (EAGER, "bf16"), (GRAPHS, "bf16")),
    ((EAGER, "fp16"), (GRAPHS, "fp16"), ("tensorrt", "fp16"), ("tensorrt_rtx", "fp16")),
)
"""What takes turns. Plans can take long to build: they come when all else is written."""
FRAME_HW: Final = (720, 1280)


@dataclass(frozen=True)
class SpeedPlan:
    """What to measure.

    Attributes:
        models: names and weights, what matters most first.
        groups: backends and precisions that take turns.
        objects: numbers of objects.
        frames: measured for one object; fewer for more.
        device: cuda, or cpu to rehearse.
        engine_dir: of plans and exports; empty for the default one.
    """

    models: Sequence[tuple[str, str]]
    groups: Sequence[Sequence[Way]] = GROUPS
    objects: Sequence[int] = (1, 4, 16)
    frames: int = 100
    device: str = "cuda"
    engine_dir: str = ""

    def frames_for(self, objects: int) -> int:
        """Measured with so many objects: at least a quarter of the frames, and two."""
        return max(2, self.frames // 4, self.frames // objects)


def measure(plan: SpeedPlan, found: Findings) -> None:
    """The rates of the device, the floor of each model, and every group of ways."""
    _Measuring(plan, found).run()


class _Measuring:
    """A plan at work: what has been found by now, and the rates of the device."""

    def __init__(self, plan: SpeedPlan, found: Findings) -> None:
        self.plan, self.found = plan, found
        self.rates: Ceilings | None = None

    def run(self) -> None:
        """Everything, as far as there is time."""
        plan, found = self.plan, self.found
        with found.noted("rates of the device"):
            self.rates = measure_ceilings(torch.device(plan.device))
            found.add("Measured rates", _rates(self.rates))
        parts = [(model, ways) for ways in plan.groups for model in plan.models]
        done: dict[str, set[Way]] = {}
        for index, (model, ways) in enumerate(parts):
            name, share_s = model[0], found.left_s / (len(parts) - index)
            here = self._installed(name, ways)
            first = name not in done
            if done.get(name, set()).issuperset(here):
                continue  # nothing of this group is new
            done.setdefault(name, set()).update(here)
            with found.noted(f"{name}: {', '.join(map(' '.join, here))}"):
                self._measure_group(model, here, found.left_s - share_s, share_s / 2)
            if self.rates is not None and first and found.has_time("the floor"):
                with found.noted(f"floor of {name}"):
                    self._floor(*model, self.rates)

    def _installed(self, model: str, ways: Sequence[Way]) -> list[Way]:
        """The ways whose libraries are there; the others are noted."""
        here = [way for way in ways if way[0] in (EAGER, GRAPHS) or is_installed(way[0])]
        for way in ways:
            if way not in here:
                self.found.note(f"{model} on {' '.join(way)}: not installed")
        return here

    def _measure_group(
        self, model: tuple[str, str], ways: Sequence[Way], end_s: float, turns_s: float
    ) -> None:
        """Open the ways of a model, and let them take turns in at least `turns_s`.

        Args:
            model: its name and weights.
            ways: that are installed.
            end_s: what shall be left of the time of all.
            turns_s: for taking turns.
        """
        plan, found = self.plan, self.found
        with ExitStack() as stack:
            opened: dict[str, Stages] = {}
            for way in ways:
                name = " ".join(way)
                if not found.has_time(f"{model[0]} on {name}", end_s + turns_s):
                    continue
                with found.noted(f"{model[0]}: opening {name}"):
                    took, stages = open_timed(
                        model, way, plan.device, plan.engine_dir, max(plan.objects)
                    )
                    opened[name] = stack.enter_context(stages)
                    found.add("Opening", {"model": model[0], "way": name, **took})
            for objects in plan.objects if opened else ():
                what = f"{model[0]}, {objects} objects, {', '.join(opened)}"
                if found.has_time(what, end_s):
                    with found.noted(what):
                        self._take_turns(model[0], opened, objects)

    def _take_turns(self, model: str, ways: dict[str, Stages], objects: int) -> None:
        calls: dict[str, HostCalls] = {}
        picture = Frame(synthetic_pictures(FRAME_HW, objects)[0])

        def count(name: str, clock: FrameClock) -> None:
            with self.found.noted(f"{model} on {name}, {objects} objects, profiled"):
                calls[name] = count_host_calls(clock, picture)

        def fail(name: str, error: Exception) -> None:
            self.found.note(f"{model} on {name}, {objects} objects: {words_of(error)}")

        for each in measure_side_by_side(
            ways,
            {name: f"{EAGER} {name.split()[-1]}" for name in ways},
            Workload(objects, self.plan.frames_for(objects), FRAME_HW),
            parts=False,
            on_failure=fail,
            on_end=count,
        ):
            row = _row(each) | _device_row(each, calls.get(each.name), self.rates)
            self.found.add(f"{model}: a picture in host memory to masks in host memory", row)

    def _floor(self, name: str, weights: str, rates: Ceilings) -> None:
        """What a frame would take at the measured rates."""
        precision = "fp16" if "fp16" in rates.flops else "bf16"
        with open_way(name, weights, EAGER, "fp32", self.plan.device) as eager:
            assert isinstance(eager, TorchStages)
            parameters = sum(parameter.numel() for parameter in eager.network.parameters())
            for objects in self.plan.objects:
                if not self.found.has_time(f"floor of {name}, {objects} objects"):
                    return
                picture = Frame(synthetic_pictures(FRAME_HW, objects)[0])
                flops = count_flops(eager, picture, objects, FILLING_FRAMES)
                moved = fewest_bytes(eager.sizes, parameters, precision, objects, FRAME_HW)
                self.found.add("The floor: a frame at the measured rates", {
                    "model": name,
                    "objects": objects,
                    "precision": precision,
                    "GFLOP": flops / 1e9,
                    "MB": moved / 1e6,
                    "arithmetic ms": 1e3 * flops / rates.flops[precision],
                    "bytes ms": 1e3 * moved / rates.bytes_per_s,
                })  # fmt: skip


def _rates(ceilings: Ceilings) -> dict[str, object]:
    return {
        "measured on": date.today().isoformat(),
        **{f"{name} TFLOP/s": rate / 1e12 for name, rate in ceilings.flops.items()},
        "copy GB/s": ceilings.bytes_per_s / 1e9,
        "launch µs": ceilings.launch_s * 1e6,
    }


def _row(measured: Measured) -> dict[str, object]:
    step = measured.step
    return {
        "objects": measured.objects,
        "way": measured.name,
        "frames/s": 1e3 / step.mean_ms,
        "p50 ms": step.p50_ms,
        "p99 ms": step.p99_ms,
        "p99/p50": step.p99_ms / step.p50_ms,
        "masks p50 ms": measured.timings[MASKS].p50_ms,
        "times eager": measured.ratio,
        "IoU with eager": measured.agreement,
    }


def _device_row(
    measured: Measured, calls: HostCalls | None, ceilings: Ceilings | None
) -> dict[str, object]:
    row: dict[str, object] = {}
    if use := measured.device_use:
        row = {"peak MiB": use.peak_mib, "allocations": use.allocations, "retries": use.retries}
    if calls is not None and calls.launches:
        row |= {"launches": calls.launches, "waits": calls.waits}
        if ceilings is not None:
            row["launches at the measured rate, ms"] = 1e3 * calls.launches * ceilings.launch_s
    return row

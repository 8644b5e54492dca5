"""How fast: every way to run the models takes turns on 720p frames, with the floor beside it."""

from __future__ import annotations

import time
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


@dataclass(frozen=True)
class SpeedPlan:
    """What to measure.

    Attributes:
        models: names and weights, what matters most first.
        groups: backends and precisions that take turns.
        objects: numbers of objects.
        frames: measured for one object; fewer for more.
        source_hw: (H, W) of the frames.
        device: cuda, or cpu to rehearse.
        engine_dir: of plans and exports; empty for the default one.
    """

    models: Sequence[tuple[str, str]]
    groups: Sequence[Sequence[Way]] = GROUPS
    objects: Sequence[int] = (1, 4, 16)
    frames: int = 100
    source_hw: tuple[int, int] = (720, 1280)
    device: str = "cuda"
    engine_dir: str = ""

    def frames_for(self, objects: int) -> int:
        """Measured with so many objects: at least a quarter of the frames, and two."""
        return max(2, self.frames // 4, self.frames // objects)


def measure(plan: SpeedPlan, found: Findings) -> None:
    """The rates of the device, the floor of each model, and every group of ways."""
    ceilings = None
    with found.noted("rates of the device"):
        ceilings = measure_ceilings(torch.device(plan.device))
        found.add("Measured rates", _rates(ceilings))
    parts = [(model, ways) for ways in plan.groups for model in plan.models]
    measured: dict[str, set[str]] = {}
    for index, (model, ways) in enumerate(parts):
        share_s = found.left_s / (len(parts) - index)
        here = _installed(model[0], ways, found)
        done = measured.setdefault(model[0], set())
        if {" ".join(way) for way in here} <= done:
            continue  # nothing of this group is new
        done |= {" ".join(way) for way in here}
        with found.noted(f"{model[0]}: {', '.join(' '.join(way) for way in here)}"):
            _measure_group(plan, model, here, share_s, found, ceilings)
        if ceilings is not None and len(done) == len(here) and found.has_time("the floor"):
            with found.noted(f"floor of {model[0]}"):
                _floor(plan, model, ceilings, found)


def _rates(ceilings: Ceilings) -> dict[str, object]:
    rates: dict[str, object] = {"measured on": date.today().isoformat()}
    rates |= {f"{name} TFLOP/s": rate / 1e12 for name, rate in ceilings.flops.items()}
    return {
        **rates,
        "copy GB/s": ceilings.bytes_per_s / 1e9,
        "launch µs": ceilings.launch_s * 1e6,
    }


def _installed(model: str, ways: Sequence[Way], found: Findings) -> list[Way]:
    """The ways whose libraries are there; the others are noted."""
    here = [way for way in ways if way[0] in (EAGER, GRAPHS) or is_installed(way[0])]
    for way in ways:
        if way not in here:
            found.note(f"{model} on {' '.join(way)}: not installed")
    return here


def _measure_group(
    plan: SpeedPlan,
    model: tuple[str, str],
    ways: Sequence[Way],
    share_s: float,
    found: Findings,
    ceilings: Ceilings | None,
) -> None:
    """Open the ways of a model in half of the time, and let them take turns in the other."""
    end_s = time.monotonic() + share_s
    with ExitStack() as stack:
        opened: dict[str, Stages] = {}
        for way in ways:
            name = " ".join(way)
            if time.monotonic() > end_s - share_s / 2:
                found.note(f"{model[0]} on {name}: not opened, no time was left")
                continue
            with found.noted(f"{model[0]}: opening {name}"):
                took, stages = open_timed(
                    model, way, plan.device, plan.engine_dir, max(plan.objects)
                )
                opened[name] = stack.enter_context(stages)
                found.add("Opening", {"model": model[0], "way": name, **took})
        for objects in plan.objects if opened else ():
            what = f"{model[0]}, {objects} objects, {', '.join(opened)}"
            if time.monotonic() > end_s:
                found.note(f"{what}: no time was left")
                continue
            with found.noted(what):
                _take_turns(plan, model[0], opened, objects, found, ceilings)


def _take_turns(
    plan: SpeedPlan,
    model: str,
    ways: dict[str, Stages],
    objects: int,
    found: Findings,
    ceilings: Ceilings | None,
) -> None:
    calls: dict[str, HostCalls] = {}
    picture = Frame(synthetic_pictures(plan.source_hw, objects)[0])

    def count(name: str, clock: FrameClock) -> None:
        with found.noted(f"{model} on {name}, {objects} objects, profiled"):
            calls[name] = count_host_calls(clock, picture)

    def fail(name: str, error: Exception) -> None:
        found.note(f"{model} on {name}, {objects} objects: {words_of(error)}")

    for each in measure_side_by_side(
        ways,
        {name: f"{EAGER} {name.split()[-1]}" for name in ways},
        Workload(objects, plan.frames_for(objects), plan.source_hw),
        parts=False,
        on_failure=fail,
        on_end=count,
    ):
        found.add(f"{model}: a picture in host memory to masks in host memory", {
            **_row(each), **_device_row(each, calls.get(each.name), ceilings),
        })  # fmt: skip


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
    if measured.device_use is not None:
        use = measured.device_use
        row = {
            "peak MiB": use.peak_mib,
            "allocations": use.allocations,
            "retries": use.retries,
        }
    if calls is not None and calls.launches:
        row |= {"launches": calls.launches, "waits": calls.waits}
        if ceilings is not None:
            row["launches at the measured rate, ms"] = 1e3 * calls.launches * ceilings.launch_s
    return row


def _floor(plan: SpeedPlan, model: tuple[str, str], ceilings: Ceilings, found: Findings) -> None:
    """What a frame would take at the measured rates."""
    name, weights = model
    precision = "fp16" if "fp16" in ceilings.flops else "bf16"
    with open_way(name, weights, EAGER, "fp32", plan.device) as eager:
        for objects in plan.objects:
            if not found.has_time(f"floor of {name}, {objects} objects"):
                return
            picture = Frame(synthetic_pictures(plan.source_hw, objects)[0])
            flops = count_flops(eager, picture, objects, FILLING_FRAMES)
            moved = fewest_bytes(
                eager.sizes, _parameters(eager), precision, objects, plan.source_hw
            )
            found.add("The floor: a frame at the measured rates", {
                "model": name,
                "objects": objects,
                "precision": precision,
                "GFLOP": flops / 1e9,
                "MB": moved / 1e6,
                "arithmetic ms": 1e3 * flops / ceilings.flops[precision],
                "bytes ms": 1e3 * moved / ceilings.bytes_per_s,
            })  # fmt: skip


def _parameters(eager: Stages) -> int:
    assert isinstance(eager, TorchStages)
    return sum(parameter.numel() for parameter in eager.network.parameters())

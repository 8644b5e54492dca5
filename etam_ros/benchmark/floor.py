"""What the hardware could do at best: measured rates, and the work of a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from timeit import repeat, timeit
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from etam_ros.benchmark.frame_clock import FrameClock
from etam_ros.records import Frame
from etam_ros.runtime import Stages, StageSizes
from etam_ros.runtime.backends.torch.stages import DTYPES

REPEATS: Final = 10
PROFILED_FRAMES: Final = 3
_PROFILERS_WAIT: Final = "cudaDeviceSynchronize"
_WAITS: Final = {
    "cudaStreamSynchronize", "cudaEventSynchronize", _PROFILERS_WAIT, "cudaMemcpy",
}  # fmt: skip
_LAUNCHES: Final = {
    "cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx",
    "cudaGraphLaunch",
}  # fmt: skip


@dataclass(frozen=True)
class Ceilings:
    """What was measured of a device.

    Attributes:
        flops: floating-point operations a second in a large matrix product, by precision.
        bytes_per_s: read and written in a large copy.
        launch_s: of one small operation, which the host gives to PyTorch and does not wait for.
    """

    flops: dict[str, float]
    bytes_per_s: float
    launch_s: float


@dataclass(frozen=True)
class HostCalls:
    """What the host asks of CUDA in one frame: kernels and graphs launched, times it waited."""

    launches: float
    waits: float


def measure_ceilings(device: torch.device) -> Ceilings:
    """Matrix products, a copy and a row of launches; random values, because zeros are faster."""
    on_gpu = device.type == "cuda"
    side, length, launches = (8192, 2**28, 2000) if on_gpu else (512, 2**22, 200)
    flops = {}
    for name, dtype in DTYPES.items():
        if name == "fp16" and not on_gpu:
            continue  # emulated on CPUs
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(left)
        took_s = _median_s(lambda a=left, b=right, c=out: torch.mm(a, b, out=c), device)  # type: ignore[misc]
        flops[name] = 2 * side**3 / took_s
    source = torch.randn(length, device=device)
    target = torch.empty_like(source)
    bandwidth = 2 * 4 * length / _median_s(lambda: target.copy_(source), device)
    few = torch.randn(16, device=device)
    _median_s(lambda: few.add_(1.0), device)  # CUDA loads a kernel when it is first launched
    return Ceilings(flops, bandwidth, timeit(lambda: few.add_(1.0), number=launches) / launches)


def _median_s(call: Callable[[], object], device: torch.device) -> float:
    def finished() -> None:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    finished()
    return median(repeat(finished, number=1, repeat=REPEATS))


def count_flops(eager: Stages, picture: Frame, objects: int, filling_frames: int) -> int:
    """Operations of matrix products and convolutions in a frame with full banks.

    Args:
        eager: stages on PyTorch, whose operations can be counted.
        picture: of `synthetic_pictures`.
        objects: to follow.
        filling_frames: after which the banks are full.
    """
    clock = FrameClock(eager, objects, parts=False)
    clock.begin(picture)
    for _ in range(filling_frames):
        clock.step(picture, measured=False)
    with FlopCounterMode(display=False) as counter:
        clock.tracker.step(picture)
    return int(counter.get_total_flops())


def fewest_bytes(
    sizes: StageSizes, parameters: int, precision: str, objects: int, source_hw: tuple[int, int]
) -> int:
    """Read or written at least once in a frame: weights, memories, the picture, the masks."""
    height, width = source_hw
    memory = sizes.memory_frames * sizes.memory_dim * sizes.grid**2 * 4
    return parameters * DTYPES[precision].itemsize + objects * memory + height * width * (3 + 2)


def count_host_calls(clock: FrameClock, picture: Frame) -> HostCalls:
    """Ask CUDA's own profiler what the host called; nothing on a CPU.

    Args:
        clock: with objects that are followed.
        picture: to step onto, PROFILED_FRAMES times.
    """
    if clock.tracker.stages.device.type != "cuda":
        return HostCalls(0.0, 0.0)
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profile:
        for _ in range(PROFILED_FRAMES):
            clock.tracker.step(picture)
    return counted({each.key: each.count for each in profile.key_averages()})


def counted(calls: Mapping[str, int]) -> HostCalls:
    """What PROFILED_FRAMES took, of a profiler's counts of CUDA calls by name.

    The profiler itself waits once for the device when it ends, and counts that too.
    """
    launches = sum(count for name, count in calls.items() if name in _LAUNCHES)
    waits = sum(count for name, count in calls.items() if name in _WAITS)
    waits -= min(1, calls.get(_PROFILERS_WAIT, 0))
    return HostCalls(launches / PROFILED_FRAMES, waits / PROFILED_FRAMES)

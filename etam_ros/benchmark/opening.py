"""What it takes to open a way to run a model, and which machine that is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch

from etam_ros.benchmark.frame_clock import MIB
from etam_ros.benchmark.side_by_side import open_way
from etam_ros.runtime import Stages
from etam_ros.runtime.backends.tensorrt.backend import driver_version
from etam_ros.runtime.engines import BY_NAME, is_installed


def open_timed(
    model: tuple[str, str], way: tuple[str, str], device: str, engine_dir: str, objects: int
) -> tuple[dict[str, float | None], Stages]:
    """Open and warm up one way.

    Args:
        model: its name and weights.
        way: backend and precision.
        device, engine_dir: as in `open_stages`.
        objects: to warm up for.

    Returns:
        the seconds and the device's memory it took, and its stages.
    """
    steps: list[str] = []

    def open_it() -> Stages:
        return open_way(*model, *way, device, engine_dir=engine_dir, on_step=steps.append)

    free = _free_bytes()
    build_s, stages = _timed(open_it)
    load_s = build_s
    if steps:  # something was built: what the next start takes is another number
        stages.close()
        load_s, stages = _timed(open_it)
    start_s = time.perf_counter()
    stages.warm_up(objects)
    stages.synchronize()
    warm_s = time.perf_counter() - start_s
    took = {
        "build s": round(build_s, 2) if steps else None,
        "load s": round(load_s, 2),
        "warm-up s": round(warm_s, 2),
        "held MiB": round((free - _free_bytes()) / MIB),
    }
    return took, stages


def _free_bytes() -> int:
    """What is free on the GPU, without what PyTorch keeps for later."""
    if not torch.cuda.is_available():
        return 0
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info()[0]


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start_s = time.perf_counter()
    result = call()
    return time.perf_counter() - start_s, result


def machine() -> dict[str, str]:
    """Processor, GPU and versions."""
    found = {"CPU cores": str(os.cpu_count()), "torch": str(torch.__version__)}
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found["GPU"] = f"{properties.name}, sm{properties.major}{properties.minor}"
        found["memory"] = f"{properties.total_memory / 2**30:.0f} GiB"
        found["CUDA"] = f"{torch.version.cuda}, driver {driver_version()}"
    for backend in ("tensorrt", "tensorrt_rtx"):
        if is_installed(backend):
            found[backend] = BY_NAME[backend].version()
    return found

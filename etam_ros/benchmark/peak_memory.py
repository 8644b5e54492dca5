"""How much memory a process needs that follows objects and does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

import torch

from etam_ros.benchmark.frame_clock import MIB, FrameClock
from etam_ros.benchmark.side_by_side import open_way
from etam_ros.benchmark.workload import synthetic_pictures
from etam_ros.errors import BackendError
from etam_ros.records import Frame

FRAMES: Final = 10
"""Until the bank of a model with up to eight memories is full."""
KIB_PER_MIB: Final = 1024


@dataclass(frozen=True)
class Load:
    """What the process does: arguments of `open_way`, objects and (H, W) of the pictures."""

    model: str
    weights: str
    backend: str
    precision: str
    device: str
    objects: int
    source_hw: tuple[int, int]


def peak_memory_mib(load: Load) -> int:
    """Run a process with that load.

    Returns:
        its peak in MiB: resident memory on a CPU, Python and libraries included; memory of the
        device, the context excluded, on a GPU.

    Raises:
        BackendError: the process fails.
    """
    command = [sys.executable, "-m", __name__, json.dumps(astuple(load))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return int(done.stdout.split()[-1])
    except (IndexError, ValueError):
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:160]
        raise BackendError(
            f"peak memory of {load.model} on {load.backend} is unknown ({reason}): skip it with "
            "--no-memory"
        ) from None


def _follow(load: Load) -> int:
    """Carry the load in this process; returns its peak in MiB."""
    on_gpu = load.device != "cpu" and torch.cuda.is_available()
    free_before = torch.cuda.mem_get_info()[0] if on_gpu else 0
    pictures = [Frame(picture) for picture in synthetic_pictures(load.source_hw, load.objects)]
    way = load.model, load.weights, load.backend, load.precision, load.device
    with open_way(*way) as stages:
        clock = FrameClock(stages, load.objects, parts=False)
        clock.begin(pictures[0])
        for index in range(FRAMES):
            clock.step(pictures[index % len(pictures)], measured=False)
        if on_gpu:  # what PyTorch and other libraries hold by now they keep
            return int(free_before - torch.cuda.mem_get_info()[0]) // MIB
    return _resident_kib() // KIB_PER_MIB


def _resident_kib() -> int:
    """Most resident memory that this process had; `getrusage` would count the parent's, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0])
    raise BackendError("this system does not report the peak memory of a process: expected Linux")


if __name__ == "__main__":
    print(_follow(Load(*json.loads(sys.argv[1]))))

"""How much memory a process needs that follows objects and does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from etam_ros.errors import BackendError

FRAMES: Final = 10
"""Until the bank of a model with up to eight memories is full."""
KIB_PER_MIB: Final = 1024
BYTES_PER_MIB: Final = 2**20


@dataclass(frozen=True)
class Load:
    """What the process does: arguments of `open_stages`, objects and (H, W) of the pictures."""

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
    command = [sys.executable, "-m", __name__, json.dumps(asdict(load))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return int(done.stdout.split()[-1])
    except (IndexError, ValueError):
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:160]
        raise BackendError(
            f"peak memory of {load.model} on {load.backend} is unknown ({reason}): "
            "measure without it, --no-memory"
        ) from None


def _follow(load: Load) -> int:
    """Carry the load in this process; returns its peak in MiB."""
    import torch

    from etam_ros.benchmark.workload import clicks, synthetic_pictures
    from etam_ros.config import TrackerConfig
    from etam_ros.records import FOREGROUND, Frame, Prompt
    from etam_ros.tracking import Tracker, open_stages

    on_gpu = load.device == "cuda" or (load.device == "auto" and torch.cuda.is_available())
    free_before = torch.cuda.mem_get_info()[0] if on_gpu else 0
    pictures = synthetic_pictures(load.source_hw, load.objects)
    with open_stages(
        load.model,
        weights=load.weights,
        backend=load.backend,
        precision=load.precision,
        device=load.device,
    ) as stages:
        tracker = Tracker(stages, TrackerConfig(max_objects=load.objects))
        tracker.step(Frame(pictures[0]))
        for point in clicks(load.source_hw, load.objects):
            tracker.add_prompt(Prompt(points=[point], point_labels=[FOREGROUND]))
        for index in range(FRAMES):
            tracker.step(Frame(pictures[index % len(pictures)]))
        if on_gpu:  # what PyTorch and other libraries hold by now they keep
            return int(free_before - torch.cuda.mem_get_info()[0]) // BYTES_PER_MIB
    return _resident_kib() // KIB_PER_MIB


def _resident_kib() -> int:
    """Most resident memory that this process had; `getrusage` would count the parent's, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0])
    raise BackendError("this system does not tell a process's peak memory: expected Linux")


def main() -> int:
    """Carry the load that the command line describes, and print the peak."""
    values = json.loads(sys.argv[1])
    height, width = values.pop("source_hw")
    print(_follow(Load(**values, source_hw=(height, width))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Follow coming and going objects for thousands of frames, and hold memory against a limit.

    python scripts/soak.py                  2,000 frames, 3 objects, a small network
    python scripts/soak.py --frames 20000   longer

Exit code 1 when the median resident memory of the last tenth of the frames lies more than 1 %
above that of the second tenth.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from etam_ros import Frame, Prompt, Tracker, TrackerConfig, open_stages

LIMIT = 1.01
SIZES = ((480, 640), (360, 640))


def resident_mb() -> float:
    """Memory of this process in RAM, in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this needs /proc, as Linux has it")


def stream(frames: int) -> Iterator[Frame]:
    """Noise of changing brightness; the size changes now and then, and time goes back once."""
    rng = np.random.default_rng(0)
    for index in range(frames):
        height, width = SIZES[index // 500 % len(SIZES)]
        image = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        stamp = index if index < frames // 2 else index - frames // 4
        yield Frame(image.repeat(8, axis=0).repeat(8, axis=1), stamp_ns=(stamp + 1) * 33_000_000)


def disturb(tracker: Tracker, index: int, rng: np.random.Generator) -> None:
    """Keep three objects: add what is missing, refine now and then, replace one at times."""
    height, width = tracker.result.image_hw if tracker.result else SIZES[0]

    def click(object_id: int, label: int) -> None:
        point = (float(rng.integers(0, width)), float(rng.integers(0, height)))
        tracker.add_prompt(Prompt(object_id=object_id, points=[point], point_labels=[label]))

    if index % 50 == 49 and tracker.object_ids:
        tracker.remove(int(rng.choice(tracker.object_ids)))
    while len(tracker.object_ids) < 3:
        click(0, 1)
    if index % 20 == 19:
        click(int(rng.choice(tracker.object_ids)), int(rng.integers(0, 2)))


def soak_tracker(frames: int, model: str, weights: str) -> list[float]:
    """Resident memory after each frame, in megabytes."""
    rng = np.random.default_rng(1)
    memory = []
    with open_stages(model, weights=weights) as stages:
        tracker = Tracker(stages, TrackerConfig(forget_after_s=5.0))
        for index, frame in enumerate(stream(frames)):
            tracker.step(frame)
            disturb(tracker, index, rng)
            memory.append(resident_mb())
            if index % 200 == 199:
                print(f"frame {index + 1:6d}  {memory[-1]:8.1f} MB", flush=True)
    return memory


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--model", default="tiny_test")
    parser.add_argument("--weights", default="random:0")
    options = parser.parse_args()
    memory = soak_tracker(options.frames, options.model, options.weights)
    tenth = max(1, options.frames // 10)
    early = statistics.median(memory[tenth : 2 * tenth])
    late = statistics.median(memory[-tenth:])
    print(
        f"median of frames {tenth}-{2 * tenth}: {early:.1f} MB, "
        f"of the last {tenth}: {late:.1f} MB, ratio {late / early:.4f}, limit {LIMIT}"
    )
    return 0 if late <= LIMIT * early else 1


if __name__ == "__main__":
    sys.exit(main())

"""Is it right: the tests that need a GPU, and the same clip on the CPU and on every way here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch

from etam_ros.benchmark.on_gpu.findings import Findings
from etam_ros.benchmark.side_by_side import EAGER, GRAPHS, open_way
from etam_ros.benchmark.workload import clicks, synthetic_pictures
from etam_ros.config import TrackerConfig
from etam_ros.errors import BackendError
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.records import FOREGROUND, Frame, FrameResult, Prompt
from etam_ros.runtime import Stages
from etam_ros.synthetic.scene.clips import generate_clip
from etam_ros.tracking import Tracker
from etam_ros.tracking.cuda_postprocessor import CudaPostprocessor
from etam_ros.tracking.publishing import CpuPostprocessor

WAYS: Final = (
    (EAGER, "fp32"), (GRAPHS, "fp32"), (GRAPHS, "fp16"), (GRAPHS, "bf16"),
    ("tensorrt", "fp16"), ("tensorrt_rtx", "fp16"),
)  # fmt: skip
"""Backends and precisions, each held against the CPU in fp32."""
FRAMES: Final = 12
"""Of the discs; the made-up clip has twice as many."""
OBJECTS: Final = 4
CLIP_SEED: Final = 106
CLIP_HW: Final = (360, 640)
CLIPS_SHARE: Final = 0.6
"""Of the time; the tests have the rest."""
NOTHING_COLLECTED: Final = 5
"""What pytest ends with where no test has the mark."""
ROOT: Final = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class CorrectnessPlan:
    """What to compare.

    Attributes:
        models: names and weights.
        device: cuda, or cpu to rehearse.
        engine_dir: of plans and exports; empty for the default one.
    """

    models: Sequence[tuple[str, str]]
    device: str
    engine_dir: str


@dataclass
class _Agreement:
    """How a run agrees with the one on the CPU, over frames and objects."""

    ious: list[float] = field(default_factory=list)
    flags: list[bool] = field(default_factory=list)
    logit: float = 0.0

    def add(self, result: FrameResult, other: FrameResult) -> None:
        for state, reference in zip(result.objects, other.objects, strict=True):
            here = result.label_image == state.object_id
            there = other.label_image == reference.object_id
            if here.any() or there.any():
                self.ious.append(region_similarity(here, there))
            self.flags.append(state.occluded == reference.occluded)
            difference = state.mask_logits.float().cpu() - reference.mask_logits.float().cpu()
            self.logit = max(self.logit, float(difference.abs().max()))


def check(plan: CorrectnessPlan, found: Findings) -> None:
    """Compare drawing and clips, then run the tests that need a GPU with the time that is left."""
    with found.noted("drawing"):
        row = _drawing(torch.device(plan.device))
        found.add("The device's drawing against the host's", row)
    share_s = CLIPS_SHARE * found.left_s / len(plan.models)
    for model, weights in plan.models:
        end_s = found.left_s - share_s
        with found.noted(f"{model} on the CPU"):
            _compare(plan, model, weights, end_s, found)
    with found.noted("tests that need a GPU"):
        found.add("Tests that need a GPU", run_gpu_tests(ROOT, found.left_s - 3.0))


def _drawing(device: torch.device) -> dict[str, object]:
    """Soft discs drawn at 720p by both."""
    objects, side, hw = 16, 128, (720, 1280)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    middles, radii = rng.uniform(0, side, (objects, 2)), rng.uniform(4, 24, objects)
    planes = [
        torch.from_numpy((r - np.hypot(x - mx, y - my)).astype(np.float32))[None, None]
        for (mx, my), r in zip(middles, radii, strict=True)
    ]
    scores = [torch.tensor([5.0, 0.9])] * objects
    ids = tuple(range(1, objects + 1))
    config = TrackerConfig(max_objects=objects)
    host = CpuPostprocessor(side).draw(ids, planes, scores, hw, config)()
    there, placed = ([each.to(device) for each in values] for values in (planes, scores))
    drawn = CudaPostprocessor(side, device).draw(ids, there, placed, hw, config)()
    distances = [
        np.hypot(*np.subtract(one.centroid, other.centroid))
        for one, other in zip(host.masks, drawn.masks, strict=True)
        if one.area and other.area
    ]
    return {
        "objects": objects,
        "pixels of another id": int((host.label_image != drawn.label_image).sum()),
        "of": hw[0] * hw[1],
        "largest distance of centroids, px": float(max(distances)),
    }


def _compare(
    plan: CorrectnessPlan, name: str, weights: str, end_s: float, found: Findings
) -> None:
    """Follow discs and a made-up clip on the CPU and on every way, and compare frame by frame."""
    clips = {"discs": _discs()}
    if not weights.startswith("random:"):  # untrained masks mean nothing where things hide
        clips["made-up clip"] = _made_up(2 * FRAMES)
    with open_way(name, weights, EAGER, "fp32", "cpu") as stages:
        references = {clip: list(_follow(stages, *given)) for clip, given in clips.items()}
    for way in WAYS:
        what = f"{name} on {' '.join(way)}"
        if not found.has_time(what, end_s):
            continue
        with (
            found.noted(what),
            open_way(name, weights, *way, plan.device, engine_dir=plan.engine_dir) as stages,
        ):
            for clip, given in clips.items():
                agreement = _Agreement()
                for result, other in zip(_follow(stages, *given), references[clip], strict=True):
                    agreement.add(result, other)
                found.add("The same clip on the CPU in fp32", {
                    "model": name, "way": " ".join(way), "clip": clip,
                    "masks' IoU, mean": float(np.mean(agreement.ious or [1.0])),
                    "lowest": float(min(agreement.ious, default=1.0)),
                    "flags that agree": float(np.mean(agreement.flags)),
                    "largest difference of logits": agreement.logit,
                })  # fmt: skip


Given = tuple[list[Frame], list[Prompt]]


def _discs() -> Given:
    pictures = synthetic_pictures(CLIP_HW, OBJECTS)
    clicked = clicks(CLIP_HW, OBJECTS)
    prompts = [Prompt(points=[point], point_labels=[FOREGROUND]) for point in clicked]
    return [Frame(pictures[index % len(pictures)]) for index in range(FRAMES)], prompts


def _made_up(frames: int) -> Given:
    """A clip in which things hide, prompted by the true masks of its first frame."""
    height, width = CLIP_HW
    clip = generate_clip(CLIP_SEED, frames=frames, height=height, width=width)
    pictures = list(clip)
    label_image = pictures[0].label_image
    prompts = [
        Prompt(mask=label_image == object_id)
        for object_id in clip.object_ids
        if (label_image == object_id).any()
    ]
    return [Frame(picture.image) for picture in pictures], prompts


def _follow(stages: Stages, frames: list[Frame], prompts: list[Prompt]) -> Iterator[FrameResult]:
    """Every frame after the first, on which all is prompted."""
    tracker = Tracker(stages, TrackerConfig(max_objects=max(1, len(prompts))))
    tracker.step(frames[0])
    for prompt in prompts:
        tracker.add_prompt(prompt)
    for frame in frames[1:]:
        yield tracker.step(frame)


def run_gpu_tests(root: Path, seconds: float) -> dict[str, object]:
    """Run what is marked `gpu` below root/test; counts, and the names of what failed.

    The files are found by their mark: others import what a bare machine does not have.

    Raises:
        BackendError: pytest cannot run them.
    """
    files = [
        str(path.relative_to(root))
        for path in sorted((root / "test").rglob("test_*.py"))
        if "mark.gpu" in path.read_text()
    ]
    if not files:
        return {"passed": 0, "of": "no tests are here: run it from a checkout"}
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-rfE", "--tb=short", *files]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True,
            timeout=max(1.0, seconds), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        print(said, flush=True)
        return {**_counts(said), "ended": f"after {seconds:.0f} s"}
    print(done.stdout, done.stderr, sep="\n", flush=True)
    row = _counts(done.stdout)
    if done.returncode not in (0, NOTHING_COLLECTED) and not row["failed"] and not row["error"]:
        lines = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise BackendError(f"pytest ended with exit code {done.returncode}: {lines[-1]}")
    return row


def _counts(said: str) -> dict[str, object]:
    """Of pytest's last lines; before these, of the letters it prints."""
    numbers = {
        word: int(count)
        for count, word in re.findall(r"(\d+) (passed|failed|skipped|error)s?\b", said)
    }
    if not numbers:
        letters = "".join(re.findall(r"^([.sFE]+)", said, re.MULTILINE))
        numbers = {"passed": letters.count("."), "failed": letters.count("F")}
    names = re.findall(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    row = {word: numbers.get(word, 0) for word in ("passed", "failed", "skipped", "error")}
    return {**row, "names": ", ".join(names)}

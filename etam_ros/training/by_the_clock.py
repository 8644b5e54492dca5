"""Train for a given number of minutes on any machine, with settings from a short measurement.

    python -m etam_ros.training.by_the_clock OUT --minutes 5 [--data packed.npz] [--init etam_nano]

The first seconds measure how fast clips are made, and how fast steps of several sizes run. The
results determine the number of clips per step, and how often each clip is used, each time with
other prompts. The learning rate reaches its minimum when the time is over. OUT/choice.json has the
measurements.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from types import FrameType
from typing import Final

import torch

from etam_ros.config import DEFAULT_MODEL
from etam_ros.ending_signals import ending_signals
from etam_ros.errors import EtamError, TrainingError
from etam_ros.media.files import writing, writing_whole
from etam_ros.options import counts
from etam_ros.plain_options import add_options, given_options
from etam_ros.synthetic.samples import ClipSource
from etam_ros.training.config import TrainingConfig
from etam_ros.training.data.batches import ClipBatch, batches
from etam_ros.training.data.clip_sources import open_clips
from etam_ros.training.loop import train
from etam_ros.training.outputs.progress_report import print_note
from etam_ros.training.processes import joined_processes
from etam_ros.training.trainer import Trainer

RECIPE: Final = TrainingConfig(
    init=DEFAULT_MODEL, optimizer="muon", lr=5.5e-4, layer_decay=1.0, warmup=50, ema=0.995,
    bce_share=1.0, taught_presence=0.0, frames=12, size=128, largest=224, objects=2, stills=0.25,
    smallest=0.006, mask_prompts=0.45, click_prompts=0.4, steps=10**7, schedule="minutes",
    minutes=5.0, log_every=10, save_every_s=45.0, picture_every=10**9,
)  # fmt: skip
"""The recipe of the last stage of `etam_nano`, but with longer clips; see docs/training.md."""
CHOOSABLE: Final = ("out", "minutes", "data", "init", "device", "frames", "size", "largest")
"""Fields of the recipe that the command line may replace."""
SIZES: Final = "8,16,32,64,128"
FEWEST_STEPS: Final = 400
"""Steps that a run should have at least; the batch is reduced if necessary."""
MOST_USES: Final = 8
RECIPE_CLIPS: Final = 4
"""Clips per step for which the recipe's learning rate was tuned."""
FASTEST_LR: Final = 2.0
"""Upper limit of the learning rate, as a multiple of the recipe's."""
ENOUGH: Final = 0.9
"""A rate of at least this share of the best counts as the best."""
LONGEST_MEASURING_S: Final = 10.0
"""Time for measuring clips, and again for steps; these are not used for training."""
TIMED_STEPS: Final = 1
"""Timed steps of each size, after one that is not timed."""
FULLEST: Final = 0.6
"""Share of a GPU's memory that a measured step may use; corrections and stills need more."""


@dataclass(frozen=True)
class Choice:
    """How a run will learn.

    Attributes:
        batch: clips per step.
        reuse: how often each clip is used.
        lr: learning rate after warm-up.
    """

    batch: int
    reuse: int
    lr: float


def choose(made_per_s: float, step_s: dict[int, float], seconds: float, lr: float) -> Choice:
    """Choose so that neither the device nor the workers wait long for the other.

    Args:
        step_s: seconds per step, by number of clips.
        lr: learning rate for steps of RECIPE_CLIPS clips.
    """
    best = max(clips / took for clips, took in step_s.items())
    good = [clips for clips, took in step_s.items() if clips / took >= ENOUGH * best]
    short = [clips for clips, took in step_s.items() if seconds / took >= FEWEST_STEPS]
    batch = min(good) if min(good) in short else max(short, default=min(step_s))
    learned_per_s = batch / step_s[batch]
    reuse = min(MOST_USES, max(1, round(learned_per_s / made_per_s)))
    return Choice(batch, reuse, lr * min(FASTEST_LR, max(1.0, (batch / RECIPE_CLIPS) ** 0.5)))


def train_by_the_clock(
    config: TrainingConfig, source: ClipSource, sizes: Sequence[int], stop: Callable[[], bool]
) -> Path:
    """Measure, choose and train until the minutes of the configuration are over.

    Args:
        config: batch, reuse and learning rate are chosen.
        sizes: numbers of clips per step to try, in increasing order.
        stop: called after each step; True stops the run, which can be resumed later.

    Returns:
        the file of the averaged weights.

    Raises:
        EtamError: as `train`.
    """
    end_s = time.monotonic() + 60 * config.minutes
    measuring_s = min(LONGEST_MEASURING_S, 0.05 * 60 * config.minutes)
    made_per_s, clips = _clip_rate(config, source, measuring_s)
    step_s = _step_seconds(config, clips, sizes, measuring_s)
    seconds = end_s - time.monotonic()
    choice = choose(made_per_s, step_s, seconds, config.lr)
    steps = round(seconds / step_s[choice.batch])
    rows: list[dict[str, object]] = [
        {"what": f"clips made by {config.workers} processes", "clips/s": made_per_s},
        *(
            {"what": "steps", "batch": batch, "clips/s": batch / took, "step s": took}
            for batch, took in step_s.items()
        ),
        {"what": "chosen", **asdict(choice), "steps": steps},
    ]
    folder = Path(config.out)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with writing_whole(folder / "choice.json") as unfinished:
        unfinished.write_text(json.dumps(rows, indent=1) + "\n")
    chosen = replace(
        config,
        **asdict(choice),
        warmup=min(config.warmup, steps // 10),
        minutes=(end_s - time.monotonic()) / 60,
    )
    return train(
        chosen,
        source,
        on_report=lambda report: print(
            f"step {report.step} loss {report.loss:.3f} IoU prompted {report.iou_prompted:.3f} "
            f"tracked {report.iou_tracked:.3f} {report.clips_per_s:.1f} clips/s",
            flush=True,
        ),
        on_note=print_note,
        stop=stop,
    )


def _clip_rate(
    config: TrainingConfig, source: ClipSource, seconds: float
) -> tuple[float, ClipBatch]:
    """Clips per second that all workers make together, and some of the clips."""
    feed = batches(source, replace(config, batch=4, stills=0.0), first_sample=0, steps=10**6)
    first = next(feed)
    made, began_s = 0, time.monotonic()
    while made == 0 or time.monotonic() - began_s < seconds:
        made += len(next(feed).images)
    return made / (time.monotonic() - began_s), first


def _step_seconds(
    config: TrainingConfig, clips: ClipBatch, sizes: Sequence[int], seconds: float
) -> dict[int, float]:
    """Seconds per step of each size, until memory or time is used up.

    Pictures of a run have several sizes. The largest determine whether memory suffices; the
    largest and the smallest together determine the time of a step.

    Raises:
        TrainingError: memory does not suffice for a step of any size.
    """
    found: dict[int, float] = {}
    began_s = time.monotonic()
    with joined_processes(config.device) as processes:
        trainer = Trainer(config, processes, lambda: 0.0)
        for batch in sizes:
            try:
                took_s = [
                    _step_s(trainer, at_side(_repeated(clips, batch), side))
                    for side in dict.fromkeys((config.largest or config.size, config.size))
                ]
            except torch.cuda.OutOfMemoryError:
                break
            if found and _share_of_memory(processes.device) > FULLEST:
                break
            found[batch] = fmean(took_s)
            if time.monotonic() - began_s > seconds:
                break
        del trainer
    if processes.device.type == "cuda":
        torch.cuda.empty_cache()
    if not found:
        raise TrainingError(
            f"there is not enough memory for a step of {sizes[0]} clips: try fewer with "
            "--sizes, or smaller pictures with --largest"
        )
    return found


def _step_s(trainer: Trainer, clips: ClipBatch) -> float:
    """Mean seconds of a step; a first step, which allocates memory and tunes, is not timed."""
    feed = trainer.prepared(iter([clips] * (TIMED_STEPS + 1)))
    trainer.step(next(feed))
    start_s = time.monotonic()
    for prepared in feed:
        trainer.step(prepared)
    return (time.monotonic() - start_s) / TIMED_STEPS


def _share_of_memory(device: torch.device) -> float:
    """Peak share of a GPU's memory used so far; 0 on a CPU."""
    if device.type != "cuda":
        return 0.0
    total = torch.cuda.get_device_properties(device).total_memory
    return torch.cuda.max_memory_allocated(device) / total


def at_side(clips: ClipBatch, side: int) -> ClipBatch:
    """The same clips, roughly resized to pictures of another side."""
    there = clips.images.shape[2]
    places = torch.arange(side) * there // side
    images = clips.images[:, :, places][:, :, :, places]
    return ClipBatch(images, clips.masks[:, :, places][:, :, :, places])


def _repeated(clips: ClipBatch, count: int) -> ClipBatch:
    """The given number of clips, by repeating the same ones."""
    objects = len(clips.masks) // len(clips.images)
    which = torch.arange(count) % len(clips.images)
    rows = (which[:, None] * objects + torch.arange(objects)).flatten()
    return ClipBatch(clips.images[which], clips.masks[rows])


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line; returns 0, or 2 for an error that the user can fix."""
    parser = argparse.ArgumentParser(
        prog="python -m etam_ros.training.by_the_clock",
        description="Train for so many minutes; batch and reuse are chosen by what is measured.",
    )
    add_options(parser, TrainingConfig, *CHOOSABLE, positional="out", defaults=RECIPE)
    parser.add_argument(
        "--sizes", default=SIZES, help=f"clips of a step to try [default: {SIZES}]"
    )
    parsed = parser.parse_args(args)
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for each in ending_signals():
        signal.signal(each, ask)
    cores = len(os.sched_getaffinity(0))
    try:
        given = given_options(parsed, TrainingConfig)
        config = replace(RECIPE, workers=max(1, cores - 1), **given)
        sizes = counts("sizes", parsed.sizes)
        source = open_clips(config.data, recover=config.recover, on_note=print_note)
        print(train_by_the_clock(config, source, sizes, lambda: bool(asked)), flush=True)
    except EtamError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

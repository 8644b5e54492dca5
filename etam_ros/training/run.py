"""Training without anything but torch, NumPy and OpenCV: `python -m etam_ros.training.run`.

The options are the fields of `TrainingConfig`; `etam train` does the same with a progress bar.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import FrameType

import torch

from etam_ros.config import option_of
from etam_ros.errors import EtamError
from etam_ros.training.config import TrainingConfig
from etam_ros.training.data.sources import training_source
from etam_ros.training.loop import train
from etam_ros.training.progress_report import Report


def parser() -> argparse.ArgumentParser:
    """Options from the fields of the configuration, and those of this process."""
    made = argparse.ArgumentParser(
        prog="python -m etam_ros.training.run",
        description="Train, or go on with the run in --out.",
        epilog="Example: python -m etam_ros.training.run --data packed.npz --out run --steps 9000",
    )
    made.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="PATH",
        help="what to train on, may be given several times; without it clips are procedural",
    )
    made.add_argument("--threads", type=int, default=0, help="threads of PyTorch; 0: its own")
    for item in fields(TrainingConfig):
        described = option_of(item)
        made.add_argument(
            "--" + item.name.replace("_", "-"),
            type=type(item.default),
            default=item.default,
            choices=described.choices or None,
            metavar=type(item.default).__name__.upper(),
            help=f"{described.description.replace('%', '%%')} (%(default)s)",
        )
    return made


def line(report: Report, steps: int) -> str:
    """A report as one line."""
    return (
        f"{report.step}/{steps} loss {report.loss:.3f} pixel {report.pixel:.3f} "
        f"dice {report.dice:.3f} IoU prompted {report.iou_prompted:.3f} "
        f"tracked {report.iou_tracked:.3f} presence {report.presence_right:.3f} "
        f"norm {report.gradient_norm:.2f} lr {report.lr:.2e} {report.clips_per_s:.2f} clips/s"
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line; 0, or 2 for what the user can mend."""
    options = vars(parser().parse_args(args))
    data, threads = options.pop("data"), options.pop("threads")
    if threads:
        torch.set_num_threads(threads)
    asked: list[bool] = []

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    try:
        config = TrainingConfig(**options)
        weights = train(
            config,
            training_source([Path(path) for path in data]),
            on_report=lambda report: print(line(report, config.steps), flush=True),
            stop=lambda: bool(asked),
        )
    except EtamError as error:
        print(error, file=sys.stderr)
        return 2
    if weights.is_file():  # of several processes the first writes
        print(weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())

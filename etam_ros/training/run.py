"""Training with only torch, NumPy and OpenCV: `python -m etam_ros.training.run`.

`torchrun` can start it, too, once for each GPU. The options are those of `etam train`, made from
the same fields; there is no progress bar and no coloured help, which need further packages.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from etam_ros.ending_signals import ending_signals
from etam_ros.errors import EtamError
from etam_ros.plain_options import add_options, given_options
from etam_ros.training.config import TrainingConfig
from etam_ros.training.loop import train
from etam_ros.training.outputs.progress_report import TrainingReport, print_note


def parse(args: Sequence[str] | None) -> dict[str, Any]:
    """The fields of the configuration that a command line sets."""
    parser = argparse.ArgumentParser(
        prog="python -m etam_ros.training.run",
        description="Train, or go on with the run in --out.",
    )
    add_options(parser, TrainingConfig)
    return given_options(parser.parse_args(args), TrainingConfig)


def line(report: TrainingReport, steps: int) -> str:
    """A report as one line."""
    return (
        f"{report.step}/{steps} loss {report.loss:.3f} pixel {report.pixel:.3f} "
        f"dice {report.dice:.3f} IoU prompted {report.iou_prompted:.3f} "
        f"tracked {report.iou_tracked:.3f} presence {report.presence_right:.3f} "
        f"norm {report.gradient_norm:.2f} lr {report.lr:.2e} {report.clips_per_s:.2f} clips/s"
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line; returns 0, or 2 for an error that the user can fix."""
    given = parse(args)
    asked: list[bool] = []

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)

    for number in ending_signals():
        signal.signal(number, ask)
    try:
        config = TrainingConfig(**given)
        weights = train(
            config,
            on_report=lambda report: print(line(report, config.steps), flush=True),
            on_note=print_note,
            stop=lambda: bool(asked),
        )
    except EtamError as error:
        print(error, file=sys.stderr)
        return 2
    if weights.is_file():  # only the first of several processes writes
        print(weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())

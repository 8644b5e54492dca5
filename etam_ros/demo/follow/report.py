"""What a run in the simulated room measured, as a table, a plot and a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from etam_ros.demo.follow.measures import CommandRow, FollowMeasure, FollowRow
from etam_ros.demo.follow.plot import plot_run
from etam_ros.media.files import writing

COLUMNS = ("measured", "value", "wanted", "")


@dataclass(frozen=True)
class FollowReport:
    """One run.

    Attributes:
        model, weights: of the tracker.
        seed: of the room.
        goal_m: distance that was to be kept.
        rows: of every picture.
        commands: all that the robot heard.
        measures: numbers beside what they have to reach.
    """

    model: str
    weights: str
    seed: int
    goal_m: float
    rows: Sequence[FollowRow]
    commands: Sequence[CommandRow]
    measures: Sequence[FollowMeasure]

    @property
    def passed(self) -> bool:
        """Whether every measure reaches what it has to."""
        return all(measure.passed for measure in self.measures)

    def numbers(self) -> Mapping[str, str]:
        """The run, in words."""
        hidden = [row for row in self.rows if row.shown == 0.0]
        occluded = sum(row.occluded for row in hidden)
        held = sum(not row.state.startswith("following") for row in hidden)
        ious = [row.iou for row in self.rows if row.visible]
        return {
            "model": self.model,
            "weights": self.weights,
            "pictures": f"{len(self.rows)} in {self.rows[-1].time_s:.0f} simulated seconds",
            "mean IoU of the masks": f"{np.mean(ious):.3f}" if ious else "",
            "pictures without the figure": f"{len(hidden)}; on {held} of them the follower had "
            f"stopped, on {occluded} the tracker said that it is hidden",
        }

    def table(self) -> list[tuple[str, str, str, str]]:
        """Name, value, what was wanted, and whether it passed."""
        return [
            (measure.name, measure.value, measure.wanted, "pass" if measure.passed else "FAIL")
            for measure in self.measures
        ]

    def write(self, out: Path) -> None:
        """Leave follow.md and follow.png in a folder.

        Raises:
            EtamError: matplotlib is missing, or a file cannot be written.
        """
        plot_run(out / "follow.png", self.rows, self.commands, self.goal_m)
        lines = ["# etam demo --follow", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in self.numbers().items()]
        lines += ["", f"| {' | '.join(COLUMNS)} |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self.table()]
        lines += ["", "![Plot](follow.png)", "", "![Pictures of the run](follow.jpg)", ""]
        with writing(out):
            (out / "follow.md").write_text("\n".join(lines), encoding="utf-8")

"""What a demo measured, as tables for the terminal and for report.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from etam_ros.demo.options import DemoOptions
from etam_ros.records import FrameResult


@dataclass
class DemoScore:
    """How well one object was followed, measured on the frames that have a result.

    Attributes:
        object_id: its id, in truth and results alike.
        label: what it is.
        ious: on frames on which it can be seen.
        hidden: frames on which it is fully hidden or out of view.
        noticed: those of them on which the tracker said so, or gave an empty mask.
    """

    object_id: int
    label: str
    ious: list[float] = field(default_factory=list)
    hidden: int = 0
    noticed: int = 0

    def add(self, result: FrameResult, truth: NDArray[np.uint16]) -> None:
        """Score one frame, whose truth holds the ids (H, W) that can be seen."""
        found = result.label_image == self.object_id
        real = truth == self.object_id
        if not real.any():
            self.hidden += 1
            self.noticed += int(not found.any())
            return
        self.ious.append(float((found & real).sum() / (found | real).sum()))

    @property
    def mean_iou(self) -> float:
        """Mean IoU over the frames on which it can be seen; NaN without any."""
        return float(np.mean(self.ious)) if self.ious else float("nan")


@dataclass(frozen=True)
class DemoCounts:
    """What went in and came out.

    Attributes:
        images: published by the player, and heard.
        results: published by the tracker; it left the other images out, newer ones had come.
        seconds: from the first image to the last result.
    """

    images: int
    results: int
    seconds: float


@dataclass(frozen=True)
class DemoReport:
    """What went in, what came out, how long it took, and how good it was.

    Attributes:
        source: what was played, in words.
        options: with what.
        counts: what went in and came out.
        latencies_ms: image received to result published, of each result.
        scores: one per object with ground truth.
    """

    source: str
    options: DemoOptions
    counts: DemoCounts
    latencies_ms: Sequence[float]
    scores: Sequence[DemoScore]

    def rows(self) -> Mapping[str, str]:
        """The numbers of the run, in words."""
        options, counts = self.options, self.counts
        rate = f" at {options.rate_hz:g} Hz" if options.rate_hz > 0 else ""
        per_second = counts.results / counts.seconds if counts.seconds > 0 else 0.0
        return {
            "source": self.source,
            "model": options.model,
            "weights": options.weights,
            "frames in": f"{counts.images}{rate}",
            "results out": f"{counts.results} ({per_second:.1f} per second)",
            "dropped": f"{counts.images - counts.results} (a newer frame had come)",
            "latency p50": f"{self._percentile(50):.0f} ms",
            "latency p99": f"{self._percentile(99):.0f} ms",
        }

    def score_rows(self) -> list[tuple[str, str, str, str, str]]:
        """Id, label, mean IoU, frames it was measured on, hidden frames that were noticed."""
        return [
            (
                str(score.object_id),
                score.label,
                f"{score.mean_iou:.3f}" if score.ious else "",
                str(len(score.ious)),
                f"{score.noticed} of {score.hidden}" if score.hidden else "",
            )
            for score in self.scores
        ]

    @property
    def note(self) -> str:
        """One line on what the masks are worth; empty if there is nothing to say."""
        if self.options.trained:
            return ""
        return "The weights are untrained: masks and IoU mean nothing yet, rates and latencies do."

    def markdown(self) -> str:
        """The report as a file."""
        lines = ["# etam demo", ""]
        if self.note:
            lines += [self.note, ""]
        lines += ["| | |", "|---|---|"]
        lines += [f"| {name} | {_cell(value)} |" for name, value in self.rows().items()]
        if self.scores:
            lines += ["", f"| {' | '.join(SCORE_COLUMNS)} |", "|---|---|---|---|---|"]
            lines += [f"| {' | '.join(map(_cell, row))} |" for row in self.score_rows()]
        lines += ["", "![Frames of the overlay](overlay.jpg)", "", _FOOTNOTE, ""]
        return "\n".join(lines)

    def _percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies_ms, percent)) if len(self.latencies_ms) else 0.0


_FOOTNOTE = (
    "The overlay is drawn from the messages that the node published. Latency is from an image "
    "received to its result published, as the node measured it, while objects were followed."
)
SCORE_COLUMNS = ("id", "object", "mean IoU", "frames seen", "hidden frames noticed")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

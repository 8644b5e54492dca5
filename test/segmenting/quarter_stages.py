"""Stages that see four things in every picture: its quarters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tracking"))
from fake_stages import SIZE, FakeStages


def quarter(number: int) -> torch.Tensor:
    """(16, 16) logits of a quarter of the picture, counted by rows from 1."""
    logits = torch.full((16, 16), -5.0)
    top, left = 8 * ((number - 1) // 2), 8 * ((number - 1) % 2)
    logits[top : top + 8, left : left + 8] = 5.0
    return logits


class QuarterStages(FakeStages):
    """A click gives the quarter that it is on; objects that are followed stay on theirs.

    Attributes:
        rows: asked for the quarters of the objects that are followed.
        moved: quarters on which objects are, by row of the table, where they are on others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.iou_scores = torch.tensor([0.1, 0.9, 0.85, 0.2])
        self.rows: Callable[[], list[int]] = list
        self.moved: Mapping[int, int] = {}
        self.mask_for = lambda frame, row: quarter(self.quarter(row))

    def quarter(self, row: int) -> int:
        """The quarter that is meant by a row of what is being decoded."""
        _, points, labels, _ = self.decoded[-1]
        if labels[row, 0] < 0:  # followed, or given as a mask, for which it does not matter
            return self.moved.get(row) or (*self.rows(), 1)[row]
        x, y = points[row, 0].tolist()
        return 1 + (x > SIZE / 2) + 2 * (y > SIZE / 2)

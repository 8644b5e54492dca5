"""Progress of a pretraining run: errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class PretrainingRow:
    """One line of `log.csv`.

    Errors are mean squares over the teacher's standardised features: 1 is a student that always
    returns the mean, 0 a copy of the teacher.

    Attributes:
        step: steps done.
        error: on the batches since the previous line; NaN on the first.
        learning_rate: of the last step.
        unseen: on unseen pictures, hidden and visible tokens together.
        unseen_hidden: the same for the hidden tokens only.
        unseen_whole: on unseen pictures without hidden tokens.
    """

    step: int
    error: float = math.nan
    learning_rate: float = math.nan
    unseen: float = math.nan
    unseen_hidden: float = math.nan
    unseen_whole: float = math.nan

    @property
    def measured(self) -> bool:
        """Whether the line has errors on unseen pictures."""
        return math.isfinite(self.unseen)


PLOTTED: Final = {
    "feature error (1: the mean)": {
        "error": "training, masked",
        "unseen": "unseen pictures, masked",
        "unseen_whole": "unseen pictures, whole",
    }
}
"""The curves of `loss.png`."""

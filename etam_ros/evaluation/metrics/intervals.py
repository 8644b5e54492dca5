"""How sure a mean over sequences is: intervals by bootstrap.

Sequences are drawn with replacement, so that the interval says what other sequences of the same
kind would give. Two runs over the same sequences are compared by the differences of each pair.
Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 (percentile
intervals) and 8 (paired data).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

RESAMPLES: Final = 10_000
CONFIDENCE: Final = 0.95
SEED: Final = 0


@dataclass(frozen=True)
class Interval:
    """A mean and where it lies with 95 % confidence.

    Attributes:
        mean: of the values.
        low, high: the interval; None where there are fewer than two values.
        count: of values.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the mean differs from zero by more than noise."""
        return self.low is not None and self.high is not None and self.low * self.high > 0


def mean_interval(values: Sequence[float], seed: int = SEED) -> Interval:
    """The mean of at least one value and its interval; the same for the same values in any order.

    Args:
        seed: of the draws.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    mean = float(ordered.mean())
    if len(ordered) < 2:
        return Interval(mean, None, None, len(ordered))
    draws = np.random.default_rng(seed).integers(0, len(ordered), (RESAMPLES, len(ordered)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ordered[draws].mean(axis=1), (tail, 1 - tail))
    return Interval(mean, float(low), float(high), len(ordered))


def paired_difference(before: Sequence[float], after: Sequence[float]) -> Interval:
    """The mean of what each value gained, and its interval.

    Args:
        before, after: of the same sequences, in the same order.
    """
    return mean_interval([new - old for old, new in zip(before, after, strict=True)])

"""Confidence intervals of a mean over sequences, by bootstrap.

Sequences are drawn with replacement, so that the interval applies to other sequences of the same
kind. Two runs over the same sequences are compared by the differences of each pair.
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
    """A mean with its 95 % confidence interval.

    Attributes:
        mean: of the values.
        low, high: the interval; None for fewer than two values.
        count: number of values.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the mean differs significantly from zero."""
        return self.low is not None and self.high is not None and self.low * self.high > 0


def mean_interval(values: Sequence[float], seed: int = SEED) -> Interval:
    """The mean of at least one value with its interval, regardless of the order of the values.

    Args:
        seed: seed of the bootstrap.
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
    """The mean difference of paired values, with its interval.

    Args:
        before, after: values of the same sequences, in the same order.
    """
    return mean_interval([new - old for old, new in zip(before, after, strict=True)])

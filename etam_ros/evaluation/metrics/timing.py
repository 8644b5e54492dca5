"""Speed of a recorded run: rate, latency and dropped frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_NS_PER_S = 1e9


@dataclass(frozen=True)
class RecordedTiming:
    """Rate, latency and drops of published results.

    Attributes:
        results: number of results.
        rate_hz: results per second of frame stamps; None for fewer than two results.
        latency_p50_ms, latency_p99_ms: from image received to results published; None if unknown.
        dropped: frames without a result, as counted by the node.
        longest_gap_s: between two results, by frame stamps; None for fewer than two results.
    """

    results: int
    rate_hz: float | None
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    dropped: int
    longest_gap_s: float | None


def timing_of(
    stamps_ns: Sequence[int], latencies_ms: Sequence[float], dropped_frames: Sequence[int]
) -> RecordedTiming:
    """Summarise recorded results.

    Args:
        stamps_ns: stamps of their frames, in recorded order.
        latencies_ms: latency of each; zero or a value that is not finite means not measured.
        dropped_frames: the node's counter at each result; if it decreases, it was reset.
    """
    gaps = np.diff(np.sort(np.asarray(stamps_ns, np.int64))) / _NS_PER_S
    span = float(gaps.sum())
    latencies = np.asarray(latencies_ms, np.float64)
    latencies = latencies[np.isfinite(latencies) & (latencies > 0)]
    p50, p99 = np.percentile(latencies, (50, 99)).tolist() if latencies.size else (None, None)
    counts = list(dropped_frames)
    dropped = sum(now - before if now >= before else now for before, now in pairwise(counts))
    return RecordedTiming(
        results=len(stamps_ns),
        rate_hz=len(gaps) / span if span > 0 else None,
        latency_p50_ms=p50,
        latency_p99_ms=p99,
        dropped=dropped,
        longest_gap_s=float(gaps.max()) if gaps.size else None,
    )

"""What the node counts and measures, over a bounded window of frames."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

NS_PER_MS: Final = 1e6
NS_PER_S: Final = 1e9


@dataclass(frozen=True)
class FrameTimes:
    """When one frame passed through the node, by the monotonic clock.

    Attributes:
        received_ns: its message came out of the middleware.
        taken_ns: the worker began with it.
        published_ns: its last message was handed to the middleware.
        stages_ms: milliseconds in each stage of the network.
    """

    received_ns: int
    taken_ns: int
    published_ns: int
    stages_ms: Mapping[str, float]


@dataclass(frozen=True)
class NewErrors:
    """How many errors there were since the report before."""

    bad_images: int = 0
    failed_frames: int = 0
    failed_overlays: int = 0
    odd_images: int = 0


@dataclass(kw_only=True)
class Counts:
    """What happened since activation.

    Attributes:
        received, processed: images that came, and frames whose results were published.
        dropped: frames that a newer one replaced before their turn.
        bad_images, failed_frames, failed_overlays, refused_prompts: each with the last reason in
            words, empty if there is none.
        time_jumps: how often image stamps went back, or leapt ahead.
        odd_images: that were read, though something is odd about them; with the last remark.
    """

    received: int = 0
    dropped: int = 0
    processed: int = 0
    bad_images: int = 0
    failed_frames: int = 0
    failed_overlays: int = 0
    refused_prompts: int = 0
    time_jumps: int = 0
    odd_images: int = 0
    last_odd_image: str = ""
    last_bad_image: str = ""
    last_failure: str = ""
    last_failed_overlay: str = ""
    last_refusal: str = ""


@dataclass(kw_only=True)
class Snapshot(Counts):
    """The numbers of one moment; times are NaN before the first frame.

    Attributes:
        input_hz, output_hz: frames per second received and published.
        silent_s: seconds since the last image came.
        age_s: seconds since the last result was published.
        latency_p50_ms, latency_p99_ms: received to published.
        waiting_p50_ms: of that, until the worker took the frame.
        overhead_p50_ms: latency less the network's stages.
        stages_p50_ms: by stage.
    """

    input_hz: float
    output_hz: float
    silent_s: float
    age_s: float
    latency_p50_ms: float
    latency_p99_ms: float
    waiting_p50_ms: float
    overhead_p50_ms: float
    stages_p50_ms: Mapping[str, float]


@dataclass
class Statistics:
    """Counts and windows; any thread may call it.

    Args:
        window: frames that rates and percentiles look back.
        started_ns: monotonic time at which counting began.
    """

    window: int
    started_ns: int
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._counts = Counts()
        self._reported = NewErrors()
        self._arrivals_ns: deque[int] = deque(maxlen=self.window)
        self._frames: deque[FrameTimes] = deque(maxlen=self.window)

    def restart(self, now_ns: int) -> None:
        """Count from here: the node was activated."""
        with self._lock:
            self.started_ns = now_ns
            self._counts, self._reported = Counts(), NewErrors()
            self._arrivals_ns.clear()
            self._frames.clear()

    @property
    def received(self) -> int:
        """Images since activation."""
        return self._counts.received

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced, since activation."""
        return self._counts.dropped

    def on_received(self, now_ns: int) -> None:
        """An image came."""
        with self._lock:
            self._counts.received += 1
            self._arrivals_ns.append(now_ns)

    def on_dropped(self) -> None:
        """A newer image took the place of one that waited."""
        with self._lock:
            self._counts.dropped += 1

    def on_processed(self, times: FrameTimes) -> None:
        """A frame's results were published."""
        with self._lock:
            self._counts.processed += 1
            self._frames.append(times)

    def on_bad_image(self, reason: str) -> None:
        """An image could not be read."""
        with self._lock:
            self._counts.bad_images += 1
            self._counts.last_bad_image = reason

    def on_failed_frame(self, reason: str) -> None:
        """A good image could not be processed."""
        with self._lock:
            self._counts.failed_frames += 1
            self._counts.last_failure = reason

    def on_failed_overlay(self, reason: str) -> None:
        """A result was published, but no picture of it could be made."""
        with self._lock:
            self._counts.failed_overlays += 1
            self._counts.last_failed_overlay = reason

    def on_odd_image(self, remark: str) -> None:
        """Something is odd about an image that was read."""
        with self._lock:
            self._counts.odd_images += 1
            self._counts.last_odd_image = remark

    def on_time_jump(self) -> None:
        """Image stamps went back, or leapt ahead."""
        with self._lock:
            self._counts.time_jumps += 1

    def on_refused_prompt(self, reason: str) -> None:
        """A prompt was not applied."""
        with self._lock:
            self._counts.refused_prompts += 1
            self._counts.last_refusal = reason

    def take_new_errors(self) -> NewErrors:
        """Errors since the last call of this."""
        with self._lock:
            counts, before = self._counts, self._reported
            self._reported = NewErrors(
                counts.bad_images,
                counts.failed_frames,
                counts.failed_overlays,
                counts.odd_images,
            )
            return NewErrors(
                counts.bad_images - before.bad_images,
                counts.failed_frames - before.failed_frames,
                counts.failed_overlays - before.failed_overlays,
                counts.odd_images - before.odd_images,
            )

    def snapshot(self, now_ns: int) -> Snapshot:
        """All numbers at this moment."""
        with self._lock:
            counts = vars(self._counts).copy()
            arrivals = list(self._arrivals_ns)
            frames = list(self._frames)
            started_ns = self.started_ns
        latencies = [(f.published_ns - f.received_ns) / NS_PER_MS for f in frames]
        in_stages = [sum(f.stages_ms.values()) for f in frames]
        names = frames[-1].stages_ms if frames else ()
        last_arrival = arrivals[-1] if arrivals else started_ns
        last_result = frames[-1].published_ns if frames else started_ns
        return Snapshot(
            **counts,
            input_hz=_rate_hz(arrivals, now_ns),
            output_hz=_rate_hz([f.published_ns for f in frames], now_ns),
            silent_s=(now_ns - last_arrival) / NS_PER_S,
            age_s=(now_ns - last_result) / NS_PER_S,
            latency_p50_ms=percentile(latencies, 50),
            latency_p99_ms=percentile(latencies, 99),
            waiting_p50_ms=percentile(
                ((f.taken_ns - f.received_ns) / NS_PER_MS for f in frames), 50
            ),
            overhead_p50_ms=percentile(
                (total - spent for total, spent in zip(latencies, in_stages, strict=True)), 50
            ),
            stages_p50_ms={
                name: percentile((f.stages_ms.get(name, 0.0) for f in frames), 50)
                for name in names
            },
        )


def percentile(values: Iterable[float], percent: int) -> float:
    """The nearest-rank percentile, NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    if percent == 50:
        return statistics.median(ordered)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def _rate_hz(times_ns: list[int], now_ns: int, span_s: float = 10.0) -> float:
    """Events per second over the last `span_s`, up to now, so that a stop shows."""
    recent = [t for t in times_ns if now_ns - t <= span_s * NS_PER_S]
    if len(recent) < 2:
        return 0.0
    quiet_ns = now_ns - recent[-1]
    typical_ns = (recent[-1] - recent[0]) / (len(recent) - 1)
    span_ns = recent[-1] - recent[0] + max(quiet_ns - typical_ns, 0.0)
    return (len(recent) - 1) / span_ns * NS_PER_S if span_ns > 0 else 0.0

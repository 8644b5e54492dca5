"""Stages that keep the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.runtime.stages import DecodedMasks, MemoryBatch, Stages

STAGE_NAMES: Final = ("encode_image", "attend_memory", "decode_mask", "encode_memory")


class TimedStages(Stages):
    """Wrap any stages and add up the milliseconds that each stage takes.

    A GPU keeps the time by itself, between events, and is waited for when the times are taken:
    within a frame nothing waits.
    """

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.name = stages.name
        self.sizes, self.traits = stages.sizes, stages.traits
        self.constants = stages.constants
        self.device = stages.device
        self._spent_ms = dict.fromkeys(STAGE_NAMES, 0.0)
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    def take(self) -> dict[str, float]:
        """Milliseconds per stage since the last call of take."""
        for stage, start, end in self._events:
            end.synchronize()
            self._spent_ms[stage] += start.elapsed_time(end)
        self._events.clear()
        spent, self._spent_ms = self._spent_ms, dict.fromkeys(STAGE_NAMES, 0.0)
        return spent

    @contextmanager
    def _timing(self, stage: str) -> Iterator[None]:
        if self.device.type != "cuda":
            start_s = time.perf_counter()
            yield
            self._spent_ms[stage] += (time.perf_counter() - start_s) * 1e3
            return
        start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        start.record()
        yield
        end.record()
        self._events.append((stage, start, end))

    def _encode_image(self, image: Tensor) -> Tensor:
        with self._timing("encode_image"):
            return self.stages.encode_image(image)

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        with self._timing("attend_memory"):
            return self.stages.attend_memory(feature, bank)

    def _decode_mask(
        self, feature: Tensor, points: Tensor, labels: Tensor, mask_logits: Tensor | None
    ) -> DecodedMasks:
        with self._timing("decode_mask"):
            return self.stages.decode_mask(feature, points, labels, mask_logits)

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        with self._timing("encode_memory"):
            return self.stages.encode_memory(feature, mask_logits, binarize)

    def check_serves(self, config: TrackerConfig) -> None:
        """Ask the wrapped stages."""
        self.stages.check_serves(config)

    def warm_up(self, objects: int) -> None:
        """Warm up the wrapped stages."""
        self.stages.warm_up(objects)

    def close(self) -> None:
        """Close the wrapped stages."""
        self.stages.close()

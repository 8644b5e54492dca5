"""Stages around other stages: what sees every call, and what keeps the time of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.runtime.stages import DecodedMasks, EncodedImage, MemoryBatch, Stages

STAGE_NAMES: Final = ("encode_image", "attend_memory", "decode_mask", "encode_memory")


class WrappedStages(Stages):
    """Other stages, whose every call goes through `_ask`.

    Args:
        stages: what answers.
    """

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.name, self.device = stages.name, stages.device
        self.sizes, self.traits, self.constants = stages.sizes, stages.traits, stages.constants

    def _ask(self, stage: str, *arguments: Any) -> Any:
        """Answer the call of a stage, given its name."""
        return getattr(self.stages, stage)(*arguments)

    def _encode_image(self, image: Tensor) -> EncodedImage:
        return self._ask("encode_image", image)  # type: ignore[no-any-return]

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        return self._ask("attend_memory", feature, bank)  # type: ignore[no-any-return]

    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        return self._ask("decode_mask", feature, points, labels, mask_logits, skips)  # type: ignore[no-any-return]

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        return self._ask("encode_memory", feature, mask_logits, binarize)  # type: ignore[no-any-return]

    def check_serves(self, config: TrackerConfig) -> None:
        self.stages.check_serves(config)

    def warm_up(self, objects: int) -> None:
        self.stages.warm_up(objects)

    def close(self) -> None:
        self.stages.close()


class TimedStages(WrappedStages):
    """Wrap any stages and add up the milliseconds that each stage takes.

    A GPU keeps the time by itself, between events, and is waited for when the times are taken:
    within a frame nothing waits.
    """

    def __init__(self, stages: Stages) -> None:
        super().__init__(stages)
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

    def _ask(self, stage: str, *arguments: Any) -> Any:
        with self._timing(stage):
            return super()._ask(stage, *arguments)

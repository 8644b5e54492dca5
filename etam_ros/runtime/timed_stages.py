"""Stages that keep the time."""

from __future__ import annotations

import time
from typing import Final

from torch import Tensor

from etam_ros.runtime.stages import DecodedMasks, MemoryBatch, Stages

STAGE_NAMES: Final = ("encode_image", "attend_memory", "decode_mask", "encode_memory")


class TimedStages(Stages):
    """Wrap any stages and add up the milliseconds that each stage takes.

    On a GPU each stage is waited for, so that its time is its own: for measuring, not for speed.
    """

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.name = stages.name
        self.sizes = stages.sizes
        self.constants = stages.constants
        self.device = stages.device
        self._spent_ms = dict.fromkeys(STAGE_NAMES, 0.0)

    def take(self) -> dict[str, float]:
        """Milliseconds per stage since the last call of take."""
        spent, self._spent_ms = self._spent_ms, dict.fromkeys(STAGE_NAMES, 0.0)
        return spent

    def _add(self, stage: str, start_s: float) -> None:
        self.stages.synchronize()
        self._spent_ms[stage] += (time.perf_counter() - start_s) * 1e3

    def _encode_image(self, image: Tensor) -> Tensor:
        start_s = time.perf_counter()
        feature = self.stages.encode_image(image)
        self._add("encode_image", start_s)
        return feature

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        start_s = time.perf_counter()
        conditioned = self.stages.attend_memory(feature, bank)
        self._add("attend_memory", start_s)
        return conditioned

    def _decode_mask(
        self, feature: Tensor, points: Tensor, labels: Tensor, mask_logits: Tensor | None
    ) -> DecodedMasks:
        start_s = time.perf_counter()
        decoded = self.stages.decode_mask(feature, points, labels, mask_logits)
        self._add("decode_mask", start_s)
        return decoded

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        start_s = time.perf_counter()
        memories = self.stages.encode_memory(feature, mask_logits, binarize)
        self._add("encode_memory", start_s)
        return memories

    def warm_up(self, objects: int) -> None:
        """Warm up the wrapped stages."""
        self.stages.warm_up(objects)

    def close(self) -> None:
        """Close the wrapped stages."""
        self.stages.close()

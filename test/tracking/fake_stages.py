"""Stages for the tracker's own logic, the one double: readable arithmetic, and failures on demand.

`FakeStages` count their frames, and the number of a frame is its feature. Masks and scores are set
by the test, by frame and row; what was read and written is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from etam_ros.errors import StageError
from etam_ros.runtime import (
    DecodedMasks,
    EncodedImage,
    MemoryBatch,
    ModelTraits,
    StageConstants,
    Stages,
    StageSizes,
)

SIZE = 64
GRID = 4


class FakeStages(Stages):
    """A 64-pixel model of one-channel features, pointers and memories.

    Args:
        traits: what the model does, as answers_once=True.
    """

    def __init__(self, **traits: bool) -> None:
        self.name = "fake"
        self.sizes = StageSizes(
            image_size=SIZE, grid=GRID, hidden_dim=4, memory_dim=2, memory_frames=7
        )
        self.traits = ModelTraits(**traits)
        self.device = torch.device("cpu")
        self.constants = StageConstants(
            no_memory=torch.full((1, 4, 1, 1), 1000.0),
            mask_prompt_weight=torch.full((1, 1, 4, 4), 1 / 16),
            mask_prompt_bias=torch.zeros(1),
        )
        self.calls = {"encode_image": 0, "attend_memory": 0, "decode_mask": 0, "encode_memory": 0}
        self.banks: list[MemoryBatch] = []
        self.decoded: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []
        self.remembered: list[tuple[Tensor, Tensor]] = []
        self.mask_for: Callable[[int, int], Tensor] = lambda frame, row: square(4, 12)
        self.score_for: Callable[[int, int], float] = lambda frame, row: 3.0
        self.iou_scores = torch.tensor([0.9, 0.5, 0.8, 0.6])

    def _encode_image(self, image: Tensor) -> EncodedImage:
        self.calls["encode_image"] += 1
        return EncodedImage(torch.full((1, 4, GRID, GRID), float(self.calls["encode_image"])))

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        self.calls["attend_memory"] += 1
        self.banks.append(bank)
        rows = [feature[0] + 0.01 * bank.memories[row].sum() for row in range(len(bank.memories))]
        return torch.stack(rows)

    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        self.calls["decode_mask"] += 1
        self.decoded.append((feature, points, labels, mask_logits))
        batch, frame = len(feature), self.calls["encode_image"]
        masks = torch.stack([self.mask_for(frame, row).expand(4, 16, 16) for row in range(batch)])
        scores = torch.tensor([[self.score_for(frame, row)] for row in range(batch)])
        pointers = torch.arange(4.0)[None, :, None].expand(batch, 4, 4) + 10 * frame
        return DecodedMasks(masks, self.iou_scores.expand(batch, 4), pointers.clone(), scores)

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        self.calls["encode_memory"] += 1
        self.remembered.append((mask_logits, binarize))
        value = feature[0, 0, 0, 0]
        return torch.full((len(mask_logits), 2, GRID, GRID), float(value))


def square(start: int, stop: int, inside: float = 5.0) -> Tensor:
    """(16, 16) logits: `inside` in [start, stop) both ways, -5 elsewhere."""
    logits = torch.full((16, 16), -5.0)
    logits[start:stop, start:stop] = inside
    return logits


class FailingStages(Stages):
    """Other stages that fail where a test says so, and see no object in a dark picture.

    Args:
        stages: that compute.
        traits: what the model does, as answers_once=True.
    """

    def __init__(self, stages: Stages, **traits: bool) -> None:
        self.stages = stages
        self.name, self.device, self.constants = stages.name, stages.device, stages.constants
        self.sizes, self.traits = stages.sizes, replace(stages.traits, **traits)
        self.failing = ""
        self.error: type[Exception] = StageError
        self._dark = False

    def fail(self, stage: str) -> None:
        if self.failing == stage:
            raise self.error(f"{stage} failed")

    def _encode_image(self, image: Tensor) -> EncodedImage:
        self.fail("encode_image")
        self._dark = float(image.mean()) < 0
        return self.stages.encode_image(image)

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        self.fail("attend_memory")
        return self.stages.attend_memory(feature, bank)

    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        self.fail("decode_mask")
        decoded = self.stages.decode_mask(feature, points, labels, mask_logits, skips)
        hidden = self._dark and bool((labels < 0).all())
        scores = torch.full_like(decoded.object_score_logits, -2.0 if hidden else 3.0)
        return replace(decoded, object_score_logits=scores)

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        self.fail("encode_memory")
        return self.stages.encode_memory(feature, mask_logits, binarize)

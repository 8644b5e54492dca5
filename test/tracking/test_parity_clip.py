"""What the parity gate judges: everything that a tracker asks of its stages."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_TEST
from etam_ros.runtime import DecodedMasks, MemoryBatch, ModelTraits
from etam_ros.runtime.backends.torch.stages import TorchStages
from etam_ros.runtime.parity import ParityReport, check_parity
from etam_ros.tracking.parity_clip import follow_clip

sys.path.insert(0, str(Path(__file__).parent))
from fake_stages import FakeStages

CARRYING = replace(TINY_TEST, carries_masks=True)
POINT_NONE = -1


def test_batches_full_banks_carried_masks_and_every_kind_of_prompt_are_judged() -> None:
    stages = FakeStages()
    stages.traits = ModelTraits(carries_masks=True)
    scores = [score for _, score in follow_clip(stages)]
    assert len(scores) == 2 * 20 + 2 * 4 + 4 * 3 + 8 * 2
    assert {len(bank.memories) for bank in stages.banks} == {2, 4, 8, 16}
    lengths = [bank.known_lengths() for bank in stages.banks]
    assert ((7, 16), (7, 16)) in lengths  # full, and equal
    assert any(len(set(each)) > 1 and len(each) == 16 for each in lengths)
    conditioning = [(bank.temporal_index == 6).sum(dim=1).tolist() for bank in stages.banks]
    assert conditioning[-1] == [2] + 15 * [1]  # the first object was corrected
    carried = {
        len(labels)
        for _, _, labels, previous in stages.decoded
        if previous is not None and (labels == POINT_NONE).all()
    }
    assert carried >= {2, 4, 8, 16}
    points = {labels.shape[1] for _, _, labels, _ in stages.decoded}
    assert points == {1, 2}
    prompted = sum(bool(binarize.all()) for _, binarize in stages.remembered)
    assert prompted == 16 + 1


class Wrong(TorchStages):
    """Stages that are right for few objects alone."""

    def __init__(self, wrong: str) -> None:
        super().__init__(load_network(CARRYING, "random:0"), device=torch.device("cpu"))
        self.wrong = wrong

    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        if self.wrong == "carried masks" and len(feature) >= 4:
            mask_logits = None
        return super()._decode_mask(feature, points, labels, mask_logits, skips)

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        if self.wrong == "full banks":
            bank = replace(bank, pointer_count=bank.pointer_count.clamp(max=15))
        if self.wrong == "large batches" and len(bank.memories) == 16:
            bank = replace(bank, memories=bank.memories.flip(0))
        return super()._attend_memory(feature, bank)


def judge(wrong: str) -> ParityReport:
    reference = TorchStages(load_network(CARRYING, "random:0"), device=torch.device("cpu"))
    return check_parity(Wrong(wrong), reference, "fp32", follow_clip, judges_masks=False)


@pytest.mark.parametrize(
    ("wrong", "stage"),
    [
        ("carried masks", "decode_mask mask_logits"),
        ("full banks", "attend_memory"),
        ("large batches", "attend_memory"),
    ],
)
def test_what_is_wrong_with_many_objects_or_full_banks_alone_is_refused(
    wrong: str, stage: str
) -> None:
    failures = judge(wrong).failures
    assert any(each.startswith(stage) for each in failures), failures


def test_nothing_wrong_passes_to_the_last_bit() -> None:
    report = judge("nothing")
    assert report.failures == []
    assert report.agreement == 1.0
    assert max(each.largest for each in report.stages) == 0.0

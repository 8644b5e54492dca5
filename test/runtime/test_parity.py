"""The gate compares stages on what trained networks would give them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from etam_ros.runtime.backends.torch.stages import TorchStages
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.parity import LOGIT, check_parity
from etam_ros.runtime.timed_stages import WrappedStages
from etam_ros.tracking.parity_clip import follow_clip


class Heard(WrappedStages):
    """Another backend, which notes the size of the mask logits that it is given."""

    def __init__(self, stages: TorchStages) -> None:
        super().__init__(stages)
        self.logits: list[float] = []

    def _ask(self, stage: str, *arguments: Any) -> Any:
        if stage == "encode_memory":
            self.logits.append(float(arguments[1].square().mean().sqrt()))
        return super()._ask(stage, *arguments)


@pytest.fixture(scope="module")
def stages():
    source = NetworkSource("tiny_test", "random:0")
    with TorchStages(source.take(), device=torch.device("cpu")) as stages:
        yield stages


def test_memories_of_untrained_weights_are_compared_with_logits_of_usual_size(stages):
    """Those of untrained weights are so small that rounding would look like a fault."""
    heard = Heard(stages)
    report = check_parity(heard, stages, "fp32", follow_clip, judges_masks=False)
    assert report.passed
    assert report.agreement == 1.0  # what follows from a memory is not touched
    calls = len(heard.logits) // 2
    compared, followed = heard.logits[:calls], heard.logits[calls:]
    assert compared == pytest.approx([LOGIT] * calls, rel=1e-3)
    assert min(followed) < LOGIT / 2


def test_memories_of_trained_weights_are_compared_as_they_are(stages):
    heard = Heard(stages)
    assert check_parity(heard, stages, "fp32", follow_clip).passed
    calls = len(heard.logits) // 2
    assert heard.logits[:calls] == heard.logits[calls:]

"""The parity gate: another backend must do what PyTorch in float32 does.

A short clip is followed on the reference, and the candidate answers every call of a stage, too,
which tells the stages apart; then it follows the clip by itself, which tells what the differences
do to masks. Who follows it is given from above: the tracker that will run on the stages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from etam_ros.runtime.stages import IN_FLOAT32, DecodedMasks, EncodedImage, Stages
from etam_ros.runtime.timed_stages import STAGE_NAMES, WrappedStages

Follow = Callable[[Stages], Iterable[tuple[Tensor, float]]]
"""Follows a clip, always the same, and gives low-resolution logits (4h, 4w), on the host, and the
object score of each object on each frame."""
_EXACT: Final = dict.fromkeys(STAGE_NAMES, 1e-4)
_UNREDUCED: Final = dict.fromkeys(IN_FLOAT32, 1e-3)  # sums may still be ordered otherwise
_HALF: Final = {**dict.fromkeys(STAGE_NAMES, 1e-2), **_UNREDUCED}
_BRAIN: Final = {**dict.fromkeys(STAGE_NAMES, 4e-2), **_UNREDUCED}
TOLERANCES: Final = {"fp32": _EXACT, "fp16": _HALF, "bf16": _BRAIN}
"""Root of the mean squared difference over that of the reference, by precision and stage."""
LEAST_AGREEMENT: Final = {"fp32": 0.999, "fp16": 0.98, "bf16": 0.97}
"""Mean IoU of the candidate's masks with the reference's, following by itself."""
LOGIT: Final = 10.0
"""Root of the mean squared mask logit of trained networks, about."""
LEAST_SAME_PRESENCE: Final = 0.99
"""Share of object-frames on which both say the same about visibility."""


@dataclass(frozen=True)
class StageParity:
    """How far one output of a stage is off, over all its calls.

    Attributes:
        stage, output: which.
        largest: difference of one number.
        relative: root of the mean squared difference over that of the reference.
        limit: of `relative`.
    """

    stage: str
    output: str
    largest: float
    relative: float
    limit: float

    @property
    def passed(self) -> bool:
        """Within its limit; a NaN is not."""
        return self.relative <= self.limit


@dataclass(frozen=True)
class ParityReport:
    """What the gate found.

    Attributes:
        candidate: name of the stages.
        precision: whose limits count.
        stages: one entry for each output of each stage.
        agreement: mean IoU of masks with the reference's, over object-frames.
        worst_agreement: the lowest of them.
        same_presence: share of object-frames with the same visibility.
        largest_score: difference of object scores.
        judges_masks: False for untrained weights, whose masks mean nothing.
    """

    candidate: str
    precision: str
    stages: tuple[StageParity, ...]
    agreement: float
    worst_agreement: float
    same_presence: float
    largest_score: float
    judges_masks: bool = True

    @property
    def failures(self) -> list[str]:
        """What is off, with the numbers; empty: it passes."""
        found = [
            f"{each.stage} {each.output} differs by {each.relative:.2g} (limit {each.limit:g})"
            for each in self.stages
            if not each.passed
        ]
        least = LEAST_AGREEMENT[self.precision]
        if self.judges_masks and not self.agreement >= least:
            found.append(f"masks agree with {self.agreement:.3f} (at least {least:g})")
        if self.judges_masks and not self.same_presence >= LEAST_SAME_PRESENCE:
            share, at_least = f"{self.same_presence:.1%}", f"{LEAST_SAME_PRESENCE:.0%}"
            found.append(f"visibility agrees on {share} (at least {at_least})")
        return found

    @property
    def passed(self) -> bool:
        """Nothing is off."""
        return not self.failures


class _Difference:
    """How far one output of a stage is off, summed up over calls."""

    def __init__(self) -> None:
        self.largest = self.squared = self.reference_squared = 0.0

    def add(self, got: Tensor, expected: Tensor) -> None:
        """Take in the output of one call."""
        difference = (got - expected).double()
        self.largest = float(np.maximum(self.largest, float(difference.abs().max())))
        self.squared += float(difference.square().sum())
        self.reference_squared += float(expected.double().square().sum())

    @property
    def relative(self) -> float:
        """Root of the mean squared difference over that of the reference."""
        return float(np.sqrt(self.squared) / max(np.sqrt(self.reference_squared), 1e-12))


class _Compared(WrappedStages):
    """The reference, and beside it the candidate, whose answers to the same calls are compared."""

    def __init__(self, candidate: Stages, reference: Stages, *, trained: bool) -> None:
        super().__init__(reference)
        self.candidate, self._trained = candidate, trained
        self._differences: defaultdict[tuple[str, str], _Difference] = defaultdict(_Difference)

    def parity(self, limits: dict[str, float]) -> Iterator[StageParity]:
        """What the calls so far have shown, stage by stage."""
        for key in sorted(self._differences, key=lambda key: STAGE_NAMES.index(key[0])):
            found, (stage, output) = self._differences[key], key
            yield StageParity(stage, output, found.largest, found.relative, limits[stage])

    def _ask(self, stage: str, *arguments: Any) -> Any:
        answer = expected = super()._ask(stage, *arguments)
        if stage == "encode_memory" and not self._trained:
            arguments = _as_of_trained(*arguments)
            expected = super()._ask(stage, *arguments)
        got = _outputs(getattr(self.candidate, stage)(*arguments))
        for name, value in _outputs(expected).items():
            self._differences[stage, name].add(got[name], value)
        return answer


def check_parity(
    candidate: Stages,
    reference: Stages,
    precision: str,
    follow: Follow,
    *,
    judges_masks: bool = True,
) -> ParityReport:
    """Hold stages against others.

    Args:
        candidate: what is judged.
        reference: the same model and weights on torch in float32, on the same device.
        precision: of the candidate, whose limits count.
        follow: follows the clip.
        judges_masks: whether the weights are trained.
    """
    compared = _Compared(candidate, reference, trained=judges_masks)
    expected = list(follow(compared))
    found = list(follow(candidate))
    agreements = [_iou(a > 0, b > 0) for (a, _), (b, _) in zip(found, expected, strict=True)]
    scores = torch.tensor(
        [[one, other] for (_, one), (_, other) in zip(found, expected, strict=True)]
    )
    return ParityReport(
        candidate=candidate.name,
        precision=precision,
        stages=tuple(compared.parity(TOLERANCES[precision])),
        agreement=float(np.mean(agreements)),
        worst_agreement=float(np.min(agreements)),
        same_presence=float(((scores[:, 0] > 0) == (scores[:, 1] > 0)).float().mean()),
        largest_score=float((scores[:, 0] - scores[:, 1]).abs().max()),
        judges_masks=judges_masks,
    )


def _as_of_trained(feature: Tensor, logits: Tensor, binarize: Tensor) -> tuple[Tensor, ...]:
    """What encodes a memory, with mask logits (B, 1, 4h, 4w) as large as trained networks give.

    Those of untrained weights are all but zero, and the norms behind them make rounding large.
    """
    return feature, logits * (LOGIT / logits.square().mean().sqrt().clamp(min=1e-6)), binarize


def _iou(mask: Tensor, other: Tensor) -> float:
    union = int((mask | other).sum())
    return int((mask & other).sum()) / union if union else 1.0


def _outputs(result: Any) -> dict[str, Tensor]:
    if isinstance(result, EncodedImage):
        skips = {f"skip {level}": skip for level, skip in enumerate(result.skips)}
        return {"feature": result.feature, **skips}
    return vars(result) if isinstance(result, DecodedMasks) else {"": result}

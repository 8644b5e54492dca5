"""The parity gate: another backend must do what PyTorch in float32 does.

A short made-up clip with two objects is followed on the reference, and every call of a stage is
kept. The candidate answers the same calls, which tells the stages apart; then it follows the clip
by itself, which tells what the differences do to masks. Letters: T frames, S image side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.runtime.stages import (
    IN_FLOAT32,
    POINT_BOX_MAX,
    POINT_BOX_MIN,
    POINT_FOREGROUND,
    POINT_NONE,
    DecodedMasks,
    MemoryBatch,
    Stages,
)
from etam_ros.runtime.timed_stages import STAGE_NAMES
from etam_ros.transforms import image_to_tensor

FRAMES: Final = 8
SECOND_OBJECT_FRAME: Final = 2
"""Here the second object is boxed: from then on banks have different lengths."""
_EXACT: Final = dict.fromkeys(STAGE_NAMES, 1e-4)
_UNREDUCED: Final = dict.fromkeys(IN_FLOAT32, 1e-3)  # sums may still be ordered otherwise
_HALF: Final = {**dict.fromkeys(STAGE_NAMES, 1e-2), **_UNREDUCED}
_BRAIN: Final = {**dict.fromkeys(STAGE_NAMES, 4e-2), **_UNREDUCED}
TOLERANCES: Final = {"fp32": _EXACT, "fp16": _HALF, "bf16": _BRAIN}
"""Root of the mean squared difference over that of the reference, by precision and stage."""
LEAST_AGREEMENT: Final = {"fp32": 0.999, "fp16": 0.98, "bf16": 0.97}
"""Mean IoU of the candidate's masks with the reference's, following by itself."""
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


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a stage on the reference."""

    stage: str
    arguments: tuple[Any, ...]
    outputs: dict[str, Tensor]


class _Recorder(Stages):
    """Stages that keep every call."""

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.name, self.sizes, self.traits = stages.name, stages.sizes, stages.traits
        self.constants, self.device = stages.constants, stages.device
        self.calls: list[_Call] = []

    def _note(self, stage: str, *arguments: Any) -> Any:
        result = getattr(self.stages, stage)(*arguments)
        kept = tuple(_copy(argument) for argument in arguments)
        self.calls.append(_Call(stage, kept, _outputs(result)))
        return result

    def _encode_image(self, image: Tensor) -> Tensor:
        return self._note("encode_image", image)  # type: ignore[no-any-return]

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        return self._note("attend_memory", feature, bank)  # type: ignore[no-any-return]

    def _decode_mask(
        self, feature: Tensor, points: Tensor, labels: Tensor, mask_logits: Tensor | None
    ) -> DecodedMasks:
        return self._note("decode_mask", feature, points, labels, mask_logits)  # type: ignore[no-any-return]

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        return self._note("encode_memory", feature, mask_logits, binarize)  # type: ignore[no-any-return]


def check_parity(
    candidate: Stages, reference: Stages, precision: str, *, judges_masks: bool = True
) -> ParityReport:
    """Hold stages against others.

    Args:
        candidate: what is judged.
        reference: the same model and weights on torch in float32.
        precision: of the candidate, whose limits count.
        judges_masks: whether the weights are trained.
    """
    with torch.inference_mode():
        recorder = _Recorder(reference)
        expected = list(follow(recorder))
        stages = tuple(_compare(candidate, recorder.calls, TOLERANCES[precision]))
        found = list(follow(candidate))
    agreements = [_iou(a > 0, b > 0) for (a, _), (b, _) in zip(found, expected, strict=True)]
    scores = torch.tensor(
        [[one, other] for (_, one), (_, other) in zip(found, expected, strict=True)]
    )
    return ParityReport(
        candidate=candidate.name,
        precision=precision,
        stages=stages,
        agreement=float(np.mean(agreements)),
        worst_agreement=float(np.min(agreements)),
        same_presence=float(((scores[:, 0] > 0) == (scores[:, 1] > 0)).float().mean()),
        largest_score=float((scores[:, 0] - scores[:, 1]).abs().max()),
        judges_masks=judges_masks,
    )


def _compare(
    candidate: Stages, calls: list[_Call], limits: dict[str, float]
) -> Iterator[StageParity]:
    differences: dict[tuple[str, str], list[Tensor]] = {}
    references: dict[tuple[str, str], list[Tensor]] = {}
    for call in calls:
        arguments = (_copy(argument, candidate.device) for argument in call.arguments)
        outputs = _outputs(getattr(candidate, call.stage)(*arguments))
        for name, expected in call.outputs.items():
            key = (call.stage, name)
            differences.setdefault(key, []).append((outputs[name] - expected).flatten())
            references.setdefault(key, []).append(expected.flatten())
    for key in sorted(differences, key=lambda key: STAGE_NAMES.index(key[0])):
        difference, expected = torch.cat(differences[key]), torch.cat(references[key])
        size = expected.double().square().mean().sqrt().clamp(min=1e-12)
        off = difference.double().square().mean().sqrt() / size
        stage, output = key
        yield StageParity(stage, output, float(difference.abs().max()), float(off), limits[stage])


def follow(stages: Stages) -> Iterator[tuple[Tensor, float]]:
    """Follow the clip: one object is clicked first, another is boxed a little later.

    Yields:
        low-resolution logits (4h, 4w) and object score of each object on each frame.
    """
    side, memory_frames = stages.sizes.image_size, stages.sizes.memory_frames
    banks: list[_Bank] = []
    for index in range(FRAMES):
        image, centres, radius = clip_frame(index, side)
        feature = stages.encode_image(image_to_tensor(image, side, stages.device))
        if banks:
            conditioned = stages.attend_memory(feature, _batch(banks, memory_frames))
            points = torch.zeros(len(banks), 1, 2, device=stages.device)
            labels = torch.full((len(banks), 1), POINT_NONE, device=stages.device)
            decoded = stages.decode_mask(conditioned, points, labels)
            yield from _remember(stages, feature, decoded, banks, binarize=False)
        if index in (0, SECOND_OBJECT_FRAME):
            x, y = centres[len(banks)]
            new = _Bank()
            banks.append(new)
            prompt = partial(torch.tensor, device=stages.device)
            if index == 0:
                points, labels = prompt([[[x, y]]]), prompt([[POINT_FOREGROUND]])
            else:
                corners = [[x - radius, y - radius], [x + radius, y + radius]]
                points, labels = prompt([corners]), prompt([[POINT_BOX_MIN, POINT_BOX_MAX]])
            conditioned = feature + stages.constants.no_memory
            decoded = stages.decode_mask(conditioned, points, labels)
            yield from _remember(stages, feature, decoded, [new], binarize=True)


@dataclass(eq=False)
class _Bank:
    """Memories of one object: the prompted one, and the others, newest last."""

    memories: list[Tensor] = field(default_factory=list)
    pointers: list[Tensor] = field(default_factory=list)


def _remember(
    stages: Stages, feature: Tensor, decoded: DecodedMasks, banks: list[_Bank], *, binarize: bool
) -> Iterator[tuple[Tensor, float]]:
    """Take the best of masks 1 to 3 of each object, and write their memories."""
    rows = torch.arange(len(banks), device=feature.device)
    best = decoded.iou_scores[:, 1:].argmax(dim=1) + 1
    logits = decoded.mask_logits[rows, best][:, None]
    hard = torch.full((len(banks),), binarize, device=feature.device)
    memories = stages.encode_memory(feature, logits, hard)
    for row, bank in enumerate(banks):
        bank.memories.append(memories[row].clone())
        bank.pointers.append(decoded.pointers[row, best[row]].clone())
        yield logits[row, 0].cpu(), float(decoded.object_score_logits[row])


def _batch(banks: list[_Bank], memory_frames: int) -> MemoryBatch:
    """The banks, padded to the longest."""
    recent = memory_frames - 1
    slots, pointers = [], []
    for bank in banks:
        newest = bank.memories[1:][-recent:]
        slots.append([bank.memories[0], *newest])
        pointers.append([bank.pointers[0], *reversed(bank.pointers[1:])])
    most, longest = max(map(len, slots)), max(map(len, pointers))
    like = slots[0][0]
    memories = like.new_zeros(len(banks), most, *like.shape)
    index = torch.full((len(banks), most), -1, device=like.device)
    held = like.new_zeros(len(banks), longest, pointers[0][0].shape[-1])
    for row, (some, others) in enumerate(zip(slots, pointers, strict=True)):
        memories[row, : len(some)] = torch.stack(some)
        ages = [memory_frames - 1, *range(len(some) - 2, -1, -1)]
        index[row, : len(some)] = torch.tensor(ages, device=like.device)
        held[row, : len(others)] = torch.stack(others)
    lengths = tuple(zip(map(len, slots), map(len, pointers), strict=True))
    count = torch.tensor([used for _, used in lengths], device=like.device)
    return MemoryBatch(memories, index, held, count, lengths)


def clip_frame(
    index: int, side: int
) -> tuple[NDArray[np.uint8], list[tuple[float, float]], float]:
    """Frame `index` of the gate's clip: two discs that move over a striped ground.

    Returns:
        (S, S, 3) uint8, the discs' centres (x, y) and their radius in pixels.
    """
    y, x = np.mgrid[:side, :side] / side
    ground = 0.5 + 0.2 * np.sin(17 * x + 5 * y) + 0.1 * np.sin(31 * y - 9 * x)
    picture = np.stack((0.6 * ground, 0.8 * ground, ground), axis=-1)
    step, radius = 0.015 * index, 0.16
    centres = [(0.3 + step, 0.35 + step), (0.7 - step, 0.66)]
    colours = ((0.9, 0.25, 0.2), (0.95, 0.85, 0.2))
    for (centre_x, centre_y), colour in zip(centres, colours, strict=True):
        inside = np.hypot(x - centre_x, y - centre_y) < radius
        picture[inside] = np.array(colour) * (0.8 + 0.2 * np.sin(40 * y[inside]))[:, None]
    image = np.rint(picture.clip(0.0, 1.0) * 255).astype(np.uint8)
    return image, [(a * side, b * side) for a, b in centres], radius * side


def _iou(mask: Tensor, other: Tensor) -> float:
    union = int((mask | other).sum())
    return int((mask & other).sum()) / union if union else 1.0


def _outputs(result: Any) -> dict[str, Tensor]:
    tensors = vars(result) if isinstance(result, DecodedMasks) else {"": result}
    return {name: value.detach().cpu().clone() for name, value in tensors.items()}


def _copy(argument: Any, device: torch.device | None = None) -> Any:
    """A copy that stages may overwrite, on a device or where it is."""
    if isinstance(argument, MemoryBatch):
        return MemoryBatch(*(_copy(value, device) for value in vars(argument).values()))
    if isinstance(argument, Tensor):
        return argument.to(device or argument.device, copy=True)
    return argument

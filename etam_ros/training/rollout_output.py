"""Results of one pass over a batch of clips: decoder outputs, chosen masks, and memories.

Letters: N rows, n some of them, T frames, h = w feature grid, D hidden dim, M masks of a decode.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from etam_ros.training.prompt_sampling import Click


@dataclass(frozen=True, eq=False)
class DecoderOutput:
    """One output of the decoder for some rows.

    Attributes:
        frame: index of the frame.
        rows: (n,) int64.
        mask_logits: (n, M, 4h, 4w): masks 1 to 3 for an ambiguous prompt, otherwise mask 0; always
            mask 0 for a model that answers once.
        iou_scores: (n, M).
        object_score_logits: (n,).
        kind: kind of input: CLICK, BOX, "correction" or "tracked"; never MASK.
    """

    frame: int
    rows: Tensor
    mask_logits: Tensor
    iou_scores: Tensor
    object_score_logits: Tensor
    kind: str


@dataclass(eq=False)
class Bank:
    """Memories and pointers of all rows, by frame: conditioning ones, and others."""

    conditioning: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    recent: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RolloutOutput:
    """Results of a batch.

    Attributes:
        decodes: all decoder outputs, in order.
        mask_logits: (N, T, 4h, 4w) of the chosen masks, detached.
        prompts: clicks and box corners of each row, by frame; empty for rows that got a mask.
        kinds: kind of each row's first prompt.
    """

    decodes: list[DecoderOutput]
    mask_logits: Tensor
    prompts: dict[int, list[list[Click]]]
    kinds: tuple[str, ...]

"""What a model says of single pictures, whichever it is.

Letters: H, W height and width of the picture in pixels; K masks of a prompt, g their side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from etam_ros.records import Frame, Prompt


@dataclass(frozen=True, eq=False)
class SegmentedObject:
    """The answer to one prompt.

    Attributes:
        mask: (H, W) bool, the mask that the model chose; empty where it sees no object.
        iou_score: the model's own estimate of its quality; of EfficientSAM not bounded, usually
            0..1.
        object_score_logit: presence before the sigmoid, <= 0 is absent; None for models that do
            not judge it.
        mask_logits: (K, g, g) float32, the masks that it chose among, in its own order and as
            the decoder gave them: 3 of EfficientSAM, 4 of EfficientTAM and SAM 2, 1 of models
            that answer once.
        iou_scores: (K,) float32, the estimates of all of them.
    """

    mask: NDArray[np.bool_] = field(repr=False)
    iou_score: float
    object_score_logit: float | None
    mask_logits: NDArray[np.float32] = field(repr=False)
    iou_scores: NDArray[np.float32]


class PictureModel(Protocol):
    """A model that was opened, as `Segmenter` asks it."""

    def set_image(self, frame: Frame) -> None:
        """Encode the picture that the next prompts are for."""
        ...

    def segment(self, prompts: Sequence[Prompt]) -> list[SegmentedObject]:
        """Answer prompts that fit the picture, each by itself.

        Raises:
            PromptError: the model cannot answer one of them.
        """
        ...

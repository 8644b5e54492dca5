"""The results of a model on single pictures, in the same form for every model.

Letters: H, W height and width of the picture in pixels; K masks of a prompt, g their side; M masks
of several clicks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.records import Frame, Prompt


@dataclass(frozen=True, eq=False)
class SegmentedObject:
    """The result for one prompt.

    Attributes:
        mask: (H, W) bool, the mask that the model chose; all False if it sees no object.
        iou_score: the model's own estimate of the mask's IoU; for EfficientSAM unbounded, usually
            in 0..1.
        object_score_logit: presence before the sigmoid, <= 0 is absent; None for models that do
            not estimate it.
        mask_logits: (K, g, g) float32, the candidate masks in the model's own order, as the
            decoder returned them: 3 for EfficientSAM, 4 for EfficientTAM and SAM 2, 1 for models
            with a single answer.
        iou_scores: (K,) float32, the estimates for all candidates.
    """

    mask: NDArray[np.bool_] = field(repr=False)
    iou_score: float
    object_score_logit: float | None
    mask_logits: NDArray[np.float32] = field(repr=False)
    iou_scores: NDArray[np.float32]


@dataclass(frozen=True)
class MaskLimits:
    """Which masks of a model are good enough where nobody points at anything.

    Attributes:
        min_iou_score: of the model's own estimate.
        min_stability: of `stability_of`.
    """

    min_iou_score: float
    min_stability: float


class PictureModel(Protocol):
    """A model that was opened, as `Segmenter` asks it.

    Attributes:
        clicks_at_once: how many clicks it answers as fast as one.
        limits: for masks of clicks that nobody made.
    """

    clicks_at_once: int
    limits: MaskLimits

    def set_image(self, frame: Frame) -> None:
        """Encode the picture that the next prompts are for."""
        ...

    def segment(self, prompts: Sequence[Prompt]) -> list[SegmentedObject]:
        """Answer prompts that fit the picture, each by itself.

        Raises:
            PromptError: the model cannot answer one of them.
        """
        ...

    def click(self, points: Sequence[tuple[float, float]]) -> tuple[Tensor, Tensor]:
        """All masks that clicks may mean, each click by itself; those that show nothing left out.

        Args:
            points: (x, y) in pixels of the picture.

        Returns:
            mask logits (M, g, g) and estimates of their IoU (M,) on the device, by clicks.
        """
        ...

    def draw(self, mask_logits: Tensor) -> NDArray[np.bool_]:
        """One of these masks, (g, g), at the size of the picture: (H, W) bool."""
        ...

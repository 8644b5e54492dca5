"""Models for single pictures alone: EfficientSAM.

Letters: Q queries, P points, H, W height and width of the picture, S network input size, D hidden
dim, h = w feature grid.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from etam_ros.records import BACKGROUND, FOREGROUND, Frame, Prompt
from etam_ros.runtime.backends.torch.picture_stages import QUERIES_AT_ONCE, PictureStages
from etam_ros.runtime.stages import POINT_NONE
from etam_ros.segmenting.answers import MaskLimits, SegmentedObject
from etam_ros.tracking.prompt_inputs import PointPrompt
from etam_ros.transforms import ImageLoader

logger = logging.getLogger(__name__)


class EfficientSAMPictures:
    """EfficientSAM as a `PictureModel`: of three masks a prompt, the best by its own estimate.

    Source: yformer/EfficientSAM and its example scripts (Apache-2.0).
    """

    limits = MaskLimits(min_iou_score=0.7, min_stability=0.9)

    def __init__(self, stages: PictureStages) -> None:
        self.clicks_at_once = 1 if stages.device.type == "cpu" else QUERIES_AT_ONCE
        self._stages = stages
        self._loader = ImageLoader(
            stages.image_size, stages.device, in_float=True, antialias=False
        )
        self._feature: Tensor | None = None
        self._hw = (0, 0)

    def set_image(self, frame: Frame) -> None:
        """Encode the picture; see `PictureModel`."""
        self._feature = self._stages.encode_image(self._loader.load(frame.image))
        self._hw = frame.hw

    def segment(self, prompts: Sequence[Prompt]) -> list[SegmentedObject]:
        """Answer prompts; see `PictureModel`."""
        self._tell_of_limits(prompts)
        mask_logits, iou_scores = self._answer(prompts)
        return [
            self._answered(logits, scores)
            for logits, scores in zip(mask_logits, iou_scores, strict=True)
        ]

    def click(self, points: Sequence[tuple[float, float]]) -> tuple[Tensor, Tensor]:
        """The best mask of each click, as its authors have it; see `PictureModel`."""
        clicks = [Prompt(points=[point], point_labels=[FOREGROUND]) for point in points]
        mask_logits, iou_scores = self._answer(clicks)  # (Q, 3, 4h, 4w), (Q, 3)
        best = iou_scores.argmax(dim=1)
        rows = torch.arange(len(best), device=best.device)
        return mask_logits[rows, best], iou_scores[rows, best]

    def draw(self, mask_logits: Tensor) -> NDArray[np.bool_]:
        """A mask at the size of the picture; see `PictureModel`."""
        return _to_source(mask_logits, self._hw)

    def _answer(self, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """Mask logits (Q, 3, 4h, 4w) and estimates (Q, 3)."""
        assert self._feature is not None  # the segmenter has asked for a picture
        return self._stages.answer(self._feature, *self._queries(prompts))

    def _queries(self, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """Points (Q, P, 2) in network pixels and labels (Q, P), the shorter ones filled up."""
        size, device = self._stages.image_size, self._stages.device
        inputs = [PointPrompt().extended(p).to_network(self._hw, size, device) for p in prompts]
        return (
            pad_sequence([points[0] for points, _ in inputs], True, POINT_NONE),
            pad_sequence([labels[0] for _, labels in inputs], True, POINT_NONE),
        )

    def _answered(self, mask_logits: Tensor, iou_scores: Tensor) -> SegmentedObject:
        """(3, 4h, 4w) and (3,) -> the best of them at the size of the picture."""
        best = int(iou_scores.argmax())
        return SegmentedObject(
            mask=_to_source(mask_logits[best], self._hw),
            iou_score=float(iou_scores[best]),
            object_score_logit=None,
            mask_logits=mask_logits.cpu().numpy(),
            iou_scores=iou_scores.cpu().numpy(),
        )

    def _tell_of_limits(self, prompts: Sequence[Prompt]) -> None:
        """Say what of the prompts the model does not read, or was not taught."""
        most = self._stages.most_points
        counts = [len(prompt.points) + (2 if prompt.box else 0) for prompt in prompts]
        if max(counts) > most:
            logger.warning(
                "a prompt has %d points, of which this model reads the first %d (a box counts as "
                "two): the others change nothing",
                max(counts),
                most,
            )
        if any(BACKGROUND in prompt.point_labels for prompt in prompts):
            logger.warning(
                "background clicks were not taught to this model: it may do anything with them"
            )


def _to_source(mask_logits: Tensor, hw: tuple[int, int]) -> NDArray[np.bool_]:
    """(4h, 4w) -> (H, W) bool: bicubic, not antialiased, and zero counts as inside."""
    logits = functional.interpolate(
        mask_logits[None, None], size=hw, mode="bicubic", align_corners=False
    )[0, 0]
    return np.asarray((logits >= 0).cpu().numpy())

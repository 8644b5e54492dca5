"""Models that follow objects, on single pictures: the answer to a first prompt.

Letters: B clicks, M masks, D hidden dim, h = w feature grid, H, W size of the picture in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.errors import PromptError
from etam_ros.records import FOREGROUND, Frame, Prompt
from etam_ros.runtime import DecodedMasks, ModelTraits, Stages
from etam_ros.runtime.stages import POINT_FOREGROUND
from etam_ros.segmenting.answers import MaskLimits, SegmentedObject
from etam_ros.tracking.current_frame import CurrentFrame
from etam_ros.tracking.frame_steps import FrameSteps
from etam_ros.tracking.masks.selection import shift_to_best_expected_iou
from etam_ros.tracking.prompt_inputs import PointPrompt
from etam_ros.tracking.publishing import Drawing
from etam_ros.transforms import logits_to_source

CLICKS_AT_ONCE: Final = 16
"""On a GPU; a CPU gains nothing from more than one."""
COARSENESS: Final = 2
"""Of what colours say of each click: nearly as good, in less than half of the time."""
LIMITS: Final = MaskLimits(min_iou_score=0.8, min_stability=0.95)
"""Of SAM 2's generator of masks (Apache-2.0)."""
LIMITS_OF_HEDGING: Final = MaskLimits(min_iou_score=0.25, min_stability=0.45)
"""Of models that answer once: one mask stands for all that a click may mean."""


class VideoModelPictures:
    """A model that follows objects as a `PictureModel`: what `Tracker` answers, without memory."""

    def __init__(self, stages: Stages) -> None:
        self.clicks_at_once = 1 if stages.device.type == "cpu" else CLICKS_AT_ONCE
        self.limits = limits_of(stages.traits)
        self._stages = stages
        self._steps = FrameSteps(stages)
        self._answers_once = stages.traits.answers_once
        self._masks = 1 if self._answers_once else None
        self._config = TrackerConfig()
        self._current: CurrentFrame | None = None

    def set_image(self, frame: Frame) -> None:
        """Encode the picture; see `PictureModel`."""
        self._current = self._steps.encode_image(frame, 1)

    def segment(self, prompts: Sequence[Prompt]) -> list[SegmentedObject]:
        """Answer prompts; see `PictureModel`."""
        for prompt in prompts:
            if prompt.box is None and FOREGROUND not in prompt.point_labels:
                raise PromptError(
                    "prompt has only background points, expected a click on an object, or a box"
                )
        return [
            self._answered(*self._steps.segment(prompt, self._encoded, self._config))
            for prompt in prompts
        ]

    def click(self, points: Sequence[tuple[float, float]]) -> tuple[Tensor, Tensor]:
        """The masks of clicks, of an object that is there; see `PictureModel`."""
        decoded = self._decode_clicks(points)
        present = decoded.object_score_logits[:, 0] > 0  # (B,)
        ambiguous = slice(0, 1) if self._answers_once else slice(1, None)
        mask_logits = decoded.mask_logits[present, ambiguous].flatten(0, 1)  # (M, 4h, 4w)
        if self._answers_once:
            mask_logits = shift_to_best_expected_iou(mask_logits[:, None])[:, 0]
        return mask_logits, decoded.iou_scores[present, ambiguous].flatten()

    def draw(self, mask_logits: Tensor) -> NDArray[np.bool_]:
        """A mask at the size of the picture; see `PictureModel`."""
        current, threshold = self._encoded, self._config.mask_threshold
        (edged,) = current.cues.follow_edges([mask_logits[None, None]], threshold)
        logits = np.empty(current.frame.hw, np.float32)
        logits_to_source(edged[0, 0].cpu(), logits)
        return logits > threshold

    @property
    def _encoded(self) -> CurrentFrame:
        assert self._current is not None  # the segmenter has asked for a picture
        return self._current

    def _decode_clicks(self, points: Sequence[tuple[float, float]]) -> DecodedMasks:
        """All masks of B clicks, each a first prompt for another object."""
        stages, current = self._stages, self._encoded
        sizes, hw = stages.sizes, current.frame.hw
        clicks = [PointPrompt(points=(point,), labels=(POINT_FOREGROUND,)) for point in points]
        inputs = [each.to_network(hw, sizes.image_size, stages.device) for each in clicks]
        proposed = [
            current.cues.propose(each.scaled(hw, sizes.mask_size), coarseness=COARSENESS)
            for each in clicks
        ]
        proposals = [each for each in proposed if each is not None]  # of each, or of none
        conditioned = current.feature + stages.constants.no_memory  # (1, D, h, w)
        return stages.decode_mask(
            conditioned.expand(len(clicks), -1, -1, -1),
            torch.cat([coordinates for coordinates, _ in inputs]),  # (B, 1, 2)
            torch.cat([labels for _, labels in inputs]),  # (B, 1)
            torch.cat(proposals) if proposals else None,
            current.encoded.skips,
        )

    def _answered(self, decoded: DecodedMasks, drawing: Drawing) -> SegmentedObject:
        object_score_logit, iou_score = drawing.scores[0]
        return SegmentedObject(
            mask=drawing.label_image > 0,
            iou_score=iou_score,
            object_score_logit=object_score_logit,
            mask_logits=decoded.mask_logits[0, : self._masks].cpu().numpy(),
            iou_scores=decoded.iou_scores[0, : self._masks].cpu().numpy(),
        )


def limits_of(traits: ModelTraits) -> MaskLimits:
    """Which masks of a model that follows objects are good enough."""
    return LIMITS_OF_HEDGING if traits.answers_once else LIMITS

"""Models that follow objects, on single pictures: the answer to a first prompt."""

from __future__ import annotations

from collections.abc import Sequence

from etam_ros.config import TrackerConfig
from etam_ros.errors import PromptError
from etam_ros.records import FOREGROUND, Frame, Prompt
from etam_ros.runtime import DecodedMasks, Stages
from etam_ros.segmenting.answers import SegmentedObject
from etam_ros.tracking.current_frame import CurrentFrame
from etam_ros.tracking.frame_steps import FrameSteps
from etam_ros.tracking.publishing import Drawing


class VideoModelPictures:
    """A model that follows objects as a `PictureModel`: what `Tracker` answers, without memory."""

    def __init__(self, stages: Stages) -> None:
        self._steps = FrameSteps(stages)
        self._masks = 1 if stages.traits.answers_once else None
        self._config = TrackerConfig()
        self._current: CurrentFrame | None = None

    def set_image(self, frame: Frame) -> None:
        """Encode the picture; see `PictureModel`."""
        self._current = self._steps.encode_image(frame, 1)

    def segment(self, prompts: Sequence[Prompt]) -> list[SegmentedObject]:
        """Answer prompts; see `PictureModel`."""
        current = self._current
        assert current is not None  # the segmenter has asked for a picture
        for prompt in prompts:
            if prompt.box is None and FOREGROUND not in prompt.point_labels:
                raise PromptError(
                    "prompt has background points alone, expected a click on an object, or a box"
                )
        return [
            self._answered(*self._steps.segment(prompt, current, self._config))
            for prompt in prompts
        ]

    def _answered(self, decoded: DecodedMasks, drawing: Drawing) -> SegmentedObject:
        object_score_logit, iou_score = drawing.scores[0]
        return SegmentedObject(
            mask=drawing.label_image > 0,
            iou_score=iou_score,
            object_score_logit=object_score_logit,
            mask_logits=decoded.mask_logits[0, : self._masks].cpu().numpy(),
            iou_scores=decoded.iou_scores[0, : self._masks].cpu().numpy(),
        )

"""The search for everything in one picture, a little at a time, whatever model answers.

Letters: M masks, g their side, H, W height and width of the picture in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from etam_ros.config import EverythingConfig
from etam_ros.device_memory import memory_errors_in_words
from etam_ros.records import Frame
from etam_ros.segmenting.answers import MaskLimits, PictureModel
from etam_ros.segmenting.everything.found_masks import (
    FoundMask,
    cleaned,
    keeping_each_once,
    stability_of,
)
from etam_ros.segmenting.everything.grid import Part, grid_points, parts_of
from etam_ros.transforms import one_thread


class Search:
    """Finds everything in a picture: clicks on a grid, and keeps the good masks, each thing once.

    Parts of the picture are encoded once each, however many clicks follow. What is found does not
    depend on how many clicks are answered at a time.

    Source: the generators of masks of SAM, SAM 2 and EfficientSAM (Apache-2.0), with the IoU of
    masks in place of that of boxes, and stability at the resolution of the decoder.

    Args:
        model: answers; nobody else may ask it until the search is over.
        frame: the picture.
        config: the grid, and what is kept.
        encoded: whether the model has been given the picture already.

    Attributes:
        clicks: that are answered in all.
        answered: of them until now.
    """

    def __init__(
        self, model: PictureModel, frame: Frame, config: EverythingConfig, *, encoded: bool
    ) -> None:
        self._model, self._frame, self._config = model, frame, config
        parts = parts_of(frame.hw, config.points_per_side, config.crop_layers)
        self.clicks = sum(part.points_per_side**2 for part in parts)
        self.answered = 0
        self._limits = MaskLimits(
            config.min_iou_score or model.limits.min_iou_score,
            config.min_stability or model.limits.min_stability,
        )
        self._found: list[FoundMask] = []
        self._kept: list[FoundMask] = []
        self._steps = self._looked_through(parts, encoded=encoded and len(parts) == 1)

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def advance(self) -> bool:
        """Encode a part, answer a few clicks on it, or, at the end, leave out some doubles.

        Returns:
            whether there is more to do.
        """
        return next(self._steps, None) is not None

    def found(self) -> list[FoundMask]:
        """What was found, the largest first; nothing before there is no more to do."""
        return sorted(self._kept, key=lambda mask: -mask.area)

    def _looked_through(self, parts: list[Part], *, encoded: bool) -> Iterator[bool]:
        """Yields after each step, behind which there is another."""
        for part in parts:
            if not encoded:
                self._model.set_image(Frame(part.of(self._frame.image)))
                yield True
            points, at_once = (
                grid_points(part.hw, part.points_per_side),
                self._model.clicks_at_once,
            )
            for start in range(0, len(points), at_once):
                self._click(part, points[start : start + at_once])
                yield True
        for _ in keeping_each_once(self._found, self._config.max_overlap, self._kept):
            yield True

    def _click(self, part: Part, points: list[tuple[float, float]]) -> None:
        """Take in the masks that a few clicks give."""
        mask_logits, iou_scores = self._model.click(points)  # (M, g, g), (M,)
        stabilities = stability_of(mask_logits)  # (M,)
        limits, hw = self._limits, self._frame.hw
        good = (iou_scores >= limits.min_iou_score) & (stabilities >= limits.min_stability)
        self.answered += len(points)
        for row in good.nonzero().flatten().tolist():
            mask = cleaned(self._model.draw(mask_logits[row]), self._config.min_area_px)
            if mask.any() and not part.cuts(mask, hw):
                whole = part.in_picture(mask, hw)
                self._found.append(
                    FoundMask.of(whole, float(iou_scores[row]), float(stabilities[row]))
                )

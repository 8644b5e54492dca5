"""From low-resolution logits to masks at source size, the label image, and measurements.

On the host; `cuda_postprocessor` does the same where a GPU runs the network.
Letters: N objects, B some of them, H, W source height and width, h = w feature grid, S network
input size, G side of what is drawn: 4h, or S of a model that follows edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.tracking.masks.holes import fill_holes
from etam_ros.tracking.masks.measures import EMPTY_MASK, MeasuredMask, measure
from etam_ros.transforms import ImageLoader, logits_to_source


@dataclass(frozen=True, eq=False)
class Drawing:
    """All that is published of the N objects of a frame, in the host's memory.

    Attributes:
        label_image: (H, W) uint16; each pixel belongs to the object with the highest logit.
        masks: N masks, made to agree with the label image, or unchanged.
        scores: N pairs of object-score logit and IoU estimate.
    """

    label_image: NDArray[np.uint16]
    masks: list[MeasuredMask]
    scores: list[tuple[float, float]]


class Postprocessor(Protocol):
    """Loads images and draws masks; there is one class for each kind of device."""

    def load(self, image: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) RGB -> (1, 3, S, S) for the image encoder; overwritten by the next call."""

    def fill_holes(self, mask_logits: Tensor, max_area: int) -> Tensor:
        """The masks (B, 1, 4h, 4w) with small holes filled."""

    def draw(
        self,
        object_ids: Sequence[int],
        mask_logits: Sequence[Tensor],
        scores: Sequence[Tensor],
        source_hw: tuple[int, int],
        config: TrackerConfig,
    ) -> Callable[[], Drawing]:
        """Draw and measure the objects of a frame.

        Args:
            object_ids: N ids.
            mask_logits: N tensors (1, 1, G, G), very negative for occluded objects.
            scores: N tensors (2,).
            source_hw: (H, W).
            config: threshold, and how overlaps are resolved.

        Returns:
            a function that waits for the drawing and returns it.
        """


class CpuPostprocessor:
    """The postprocessor for a CPU; it uses OpenCV and NumPy, which are faster there than torch.

    Args:
        image_size: S.
    """

    def __init__(self, image_size: int) -> None:
        self._loader = ImageLoader(image_size, torch.device("cpu"), in_float=False)
        self._canvas = Canvas()
        self.load = self._loader.load
        self.fill_holes = fill_holes

    def draw(
        self,
        object_ids: Sequence[int],
        mask_logits: Sequence[Tensor],
        scores: Sequence[Tensor],
        source_hw: tuple[int, int],
        config: TrackerConfig,
    ) -> Callable[[], Drawing]:
        """See `Postprocessor`. The drawing is finished when this returns."""
        planes = [logits[0, 0] for logits in mask_logits]
        label_image, masks = self._canvas.publish(object_ids, planes, source_hw, config)
        pairs = [(float(present), float(iou)) for present, iou in scores]
        return lambda: Drawing(label_image, masks, pairs)


class Canvas:
    """Draws the objects of a frame at source size.

    Its buffers are reused for every frame of the same size, because allocating memory takes
    longer than the arithmetic.
    """

    def __init__(self) -> None:
        self._resize((0, 0))

    def _resize(self, hw: tuple[int, int]) -> None:
        self._logits = np.empty(hw, np.float32)
        self._mask = np.empty(hw, np.bool_)
        self._highest = np.empty(hw, np.float32)

    def publish(
        self,
        object_ids: Sequence[int],
        mask_logits: Sequence[Tensor],
        source_hw: tuple[int, int],
        config: TrackerConfig,
    ) -> tuple[NDArray[np.uint16], list[MeasuredMask]]:
        """Resize each object's logits once, resolve overlaps, and measure the masks.

        Args:
            object_ids: N ids.
            mask_logits: N tensors (G, G), very negative for occluded objects.
            source_hw: (H, W).
            config: threshold, and how overlaps are resolved.

        Returns:
            label image (H, W) uint16, in which the highest logit always wins, and N masks, made
            to agree with it, or unchanged. Both belong to the caller.
        """
        if self._mask.shape != source_hw:
            self._resize(source_hw)
        threshold = config.mask_threshold
        visible = {
            object_id: logits
            for object_id, logits in zip(object_ids, mask_logits, strict=True)
            if bool((logits > threshold).any())
        }
        label_image = np.zeros(source_hw, dtype=np.uint16)
        alone = len(visible) == 1
        if not alone:
            self._highest.fill(threshold)
        masks = {
            object_id: self._paint(label_image, object_id, logits, threshold, alone)
            for object_id, logits in visible.items()
        }
        if config.overlap == "settle" and not alone:
            masks = {key: _settled(mask, label_image, key) for key, mask in masks.items()}
        return label_image, [masks.get(object_id, EMPTY_MASK) for object_id in object_ids]

    def _paint(
        self,
        label_image: NDArray[np.uint16],
        object_id: int,
        mask_logits: Tensor,
        threshold: float,
        alone: bool,
    ) -> MeasuredMask:
        """Draw an object where its logit is the highest so far; return its unchanged mask."""
        logits_to_source(mask_logits, self._logits)
        measured = measure(np.greater(self._logits, threshold, out=self._mask))
        x0, y0, x1, y1 = measured.box
        crop = np.s_[y0:y1, x0:x1]
        if alone:  # a product is faster than a copy under a mask
            np.multiply(measured.mask, np.uint16(object_id), out=label_image[crop])
        else:
            wins = self._logits[crop] > self._highest[crop]
            np.copyto(self._highest[crop], self._logits[crop], where=wins)
            np.copyto(label_image[crop], np.uint16(object_id), where=wins)
        return measured


def _settled(
    measured: MeasuredMask, label_image: NDArray[np.uint16], object_id: int
) -> MeasuredMask:
    """The part of a mask that the label image shows."""
    x0, y0, x1, y1 = measured.box
    return measure(label_image[y0:y1, x0:x1] == object_id, offset=(x0, y0))

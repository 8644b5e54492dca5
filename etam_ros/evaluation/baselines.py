"""Baselines that the tracker must beat: segmenting objects without a network.

| name | on | does |
|---|---|---|
| `copy` | videos | nothing: the first mask stays where it is |
| `flow` | videos | warps the mask along DIS optical flow |
| `grabcut` | videos | the same, then GrabCut in a band around the warped outline |
| `grabcut` | images | GrabCut inside the box, or from the clicks |
| `disc` | images | a disc around the click, an ellipse in the box |

The first mask of a video that is not given comes from GrabCut, as on images. Source of the flow:
Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016, in OpenCV.
Letters: H, W height and width of a frame in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.cues.grabcut import (
    disc_at,
    ellipse_in,
    mask_at_clicks,
    mask_in_band,
    mask_in_box,
)
from etam_ros.errors import ConfigError
from etam_ros.evaluation.truth_prompts import box_of, correcting_click
from etam_ros.records import Frame

VIDEO_BASELINES: Final = ("copy", "flow", "grabcut")
IMAGE_BASELINES: Final = ("grabcut", "disc")
_DISC_RADIUS: Final = 0.1  # of the diagonal: the best radius over objects of all kinds

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class BaselineVideoSegmenter:
    """A baseline on videos.

    Args:
        name: one of VIDEO_BASELINES.

    Raises:
        ConfigError: there is no such baseline.
    """

    def __init__(self, name: str) -> None:
        self.name = _known(name, VIDEO_BASELINES, "videos")
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.reset()

    def reset(self) -> None:
        """Remove all objects."""
        self._image: Image | None = None
        self._masks: dict[int, Mask] = {}

    def step(self, frame: Frame) -> NDArray[np.uint16]:
        """Propagate every mask to the next frame."""
        if self._image is not None and self._image.shape != frame.image.shape:
            self.reset()  # no flow between pictures of different sizes
        before, self._image = self._image, frame.image
        if before is not None and self._masks and self.name != "copy":
            positions = self._source_positions(before, frame.image)
            self._masks = {
                object_id: self._propagated(mask, positions)
                for object_id, mask in self._masks.items()
            }
        return self._label_image(frame.hw)

    def add_object(self, object_id: int, truth: Mask, kind: str) -> Mask:
        """Track one more object; see VideoSegmenter."""
        if self._image is None:
            raise ConfigError(
                "a baseline was prompted before its first frame, expected a frame: call step first"
            )
        mask = self._masks[object_id] = first_mask(self._image, truth, kind)
        return mask

    def _source_positions(self, before: Image, now: Image) -> NDArray[np.float32]:
        """The position of each pixel on the previous frame: (H, W, 2) of x, y."""
        grey, last = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (now, before))
        start = np.zeros((*grey.shape, 2), np.float32)
        flow = np.asarray(self._flow.calc(grey, last, start), np.float32)
        height, width = grey.shape
        flow[..., 0] += np.arange(width, dtype=np.float32)
        flow[..., 1] += np.arange(height, dtype=np.float32)[:, None]
        return flow

    def _propagated(self, mask: Mask, positions: NDArray[np.float32]) -> Mask:
        values = mask.view(np.uint8) * np.uint8(255)
        nowhere = np.empty(0, np.float32)  # `positions` holds x and y together
        moved = np.asarray(cv2.remap(values, positions, nowhere, cv2.INTER_LINEAR))
        warped = np.asarray(moved > 127, np.bool_)
        if self.name != "grabcut" or self._image is None:
            return warped
        return mask_in_band(self._image, warped)

    def _label_image(self, hw: tuple[int, int]) -> NDArray[np.uint16]:
        """Ids of all masks; where two overlap, the smaller one is in front."""
        labels = np.zeros(hw, np.uint16)
        by_area = sorted(self._masks, key=lambda item: -np.count_nonzero(self._masks[item]))
        for object_id in by_area:
            labels[self._masks[object_id]] = object_id
        return labels


class BaselineImageSegmenter:
    """A baseline on images: GrabCut from the prompt, or a disc around the click.

    Args:
        name: one of IMAGE_BASELINES.

    Raises:
        ConfigError: there is no such baseline.
    """

    def __init__(self, name: str) -> None:
        self._name = _known(name, IMAGE_BASELINES, "images")
        self._image: Image = np.zeros((1, 1, 3), np.uint8)

    def set_image(self, image: Image) -> None:
        """Set the image."""
        self._image = image

    def segment(self, truth: Mask, kind: str) -> Mask:
        """The mask for a prompt; the disc uses the first click only, or fills the box."""
        if self._name == "grabcut" or kind == "mask":
            return first_mask(self._image, truth, kind)
        if kind == "box":
            return ellipse_in(truth.shape, box_of(truth))
        point, _ = correcting_click(np.zeros_like(truth), truth)
        return disc_at(truth.shape, point, _DISC_RADIUS * math.hypot(*truth.shape))


def _known(name: str, baselines: Sequence[str], what: str) -> str:
    if name not in baselines:
        raise ConfigError(
            f"baseline is {name!r}, expected one of {', '.join(baselines)} for {what}"
        )
    return name


def first_mask(image: Image, truth: Mask, kind: str) -> Mask:
    """The mask that a baseline gives for a prompt, one of PROMPT_KINDS, made from (H, W) truth."""
    if kind == "mask":
        return truth
    if kind == "box":
        return mask_in_box(image, box_of(truth))
    mask = np.zeros_like(truth)
    clicks: list[tuple[tuple[float, float], int]] = []
    for _ in range(int(kind[0])):
        clicks.append(correcting_click(mask, truth))
        mask = mask_at_clicks(image, clicks)
    return mask

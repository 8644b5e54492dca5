"""Converting an operator's prompts to inputs of the mask decoder.

Letters: H, W source height and width; P points; D hidden dim, h = w feature grid, S network input
size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from etam_ros.cues.grabcut import Click
from etam_ros.errors import PromptError
from etam_ros.records import FOREGROUND, MOST_POINTS, Frame, Prompt
from etam_ros.runtime.stages import (
    POINT_BACKGROUND,
    POINT_BOX_MAX,
    POINT_BOX_MIN,
    POINT_FOREGROUND,
    POINT_NONE,
    EncodedImage,
    Stages,
)
from etam_ros.tracking.masks.selection import ChosenMasks
from etam_ros.transforms import mask_to_network, points_to_network

MASK_PROMPT_LOGIT = 10.0
Point = tuple[float, float]


@dataclass(frozen=True)
class PointPrompt:
    """The box and the clicks of one object on one frame, in source pixels.

    Attributes:
        box: corners (x_min, y_min), (x_max, y_max), or None.
        points: P clicks (x, y).
        labels: P times POINT_FOREGROUND or POINT_BACKGROUND.
    """

    box: tuple[Point, Point] | None = None
    points: tuple[Point, ...] = ()
    labels: tuple[int, ...] = ()

    def extended(self, prompt: Prompt) -> PointPrompt:
        """A copy with the prompt's clicks added; its box replaces an earlier one.

        Raises:
            PromptError: the result has too many clicks.
        """
        count = len(self.points) + len(prompt.points)
        if count > MOST_POINTS:
            raise PromptError(
                f"prompt adds {len(prompt.points)} points to the {len(self.points)} that its "
                f"object has on that frame, expected up to {MOST_POINTS} in all: prompt it anew "
                "without keep_previous, or on a later frame"
            )
        added = tuple((float(x), float(y)) for x, y in prompt.points)
        labels = tuple(
            POINT_FOREGROUND if label == FOREGROUND else POINT_BACKGROUND
            for label in prompt.point_labels
        )
        merged = replace(self, points=self.points + added, labels=self.labels + labels)
        if prompt.box is None:
            return merged
        x_min, y_min, x_max, y_max = map(float, prompt.box)
        return replace(merged, box=((x_min, y_min), (x_max, y_max)))

    @property
    def ambiguous(self) -> bool:
        """Whether there is at most one point; a box counts as two."""
        return self.box is None and len(self.points) <= 1

    def to_network(
        self, source_hw: tuple[int, int], size: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Points (1, P, 2) float32 in network pixels and labels (1, P) int64, corners first."""
        clicks = self.scaled(source_hw, size)
        return (
            torch.tensor([[point for point, _ in clicks]], dtype=torch.float32, device=device),
            torch.tensor([[label for _, label in clicks]], device=device),
        )

    def scaled(self, source_hw: tuple[int, int], size: int) -> list[Click]:
        """Box corners and then clicks, in a picture of size x size pixels, with their labels."""
        corners = self.box or ()
        box_labels = (POINT_BOX_MIN, POINT_BOX_MAX) if self.box else ()
        points = points_to_network([*corners, *self.points], source_hw, size)
        return list(zip(points, (*box_labels, *self.labels), strict=True))


def no_points(batch: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The decoder's input on a frame without a prompt: one empty point per object."""
    points = torch.zeros(batch, 1, 2, device=device)
    return points, torch.full((batch, 1), POINT_NONE, device=device)


def take_mask(stages: Stages, encoded: EncodedImage, mask: NDArray[np.bool_]) -> ChosenMasks:
    """Use a mask prompt unchanged; only its pointer comes from the decoder.

    The decoder gets the raw feature here, without the no-memory embedding.

    Args:
        stages: of the tracker.
        encoded: the frame.
        mask: (H, W) bool.

    Returns:
        the mask of one object.

    Raises:
        PromptError: the mask is too small for the network's resolution.
    """
    sizes, constants = stages.sizes, stages.constants
    target = mask_to_network(mask, sizes.image_size, stages.device)  # (1, 1, S, S)
    if not target.any():
        raise PromptError(
            f"prompt mask of {int(mask.sum())} pixels is too small for the network's "
            f"{sizes.image_size} x {sizes.image_size}: prompt a larger region, or click"
        )
    stride = constants.mask_prompt_weight.shape[-1]
    prompt_logits = functional.conv2d(
        target, constants.mask_prompt_weight, constants.mask_prompt_bias, stride=stride
    )  # (1, 1, 4h, 4w)
    points, labels = no_points(1, target.device)
    decoded = stages.decode_mask(encoded.feature, points, labels, prompt_logits, encoded.skips)
    mask_logits = functional.interpolate(
        target * (2 * MASK_PROMPT_LOGIT) - MASK_PROMPT_LOGIT,
        size=(sizes.mask_size, sizes.mask_size),
        mode="bilinear",
        antialias=True,
    )
    return ChosenMasks(
        mask_logits=mask_logits,
        scores=torch.tensor([[MASK_PROMPT_LOGIT, 1.0]], device=target.device),
        pointers=decoded.pointers[:, 0],
    )


def check_starts(prompt: Prompt, object_id: int) -> None:
    """Check that a prompt can start an object.

    Raises:
        PromptError: it consists of background clicks only.
    """
    if prompt.mask is None and prompt.box is None and FOREGROUND not in prompt.point_labels:
        raise PromptError(
            f"prompt has only background points and would add object {object_id}, expected a "
            "click on it, a box or a mask first: name an existing object, or click on it"
        )


def check_fits(prompt: Prompt, frame: Frame) -> None:
    """Check that a prompt fits its frame.

    Raises:
        PromptError: a click or a part of a box is outside the frame, or a mask has another size.
    """
    height, width = frame.hw
    for x, y in prompt.points:
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise PromptError(
                f"click ({x:g}, {y:g}) lies outside the frame of {width} x {height} pixels, "
                f"expected 0 <= x <= {width - 1} and 0 <= y <= {height - 1}"
            )
    if prompt.box is not None:
        x_min, y_min, x_max, y_max = prompt.box
        if x_min < -0.5 or y_min < -0.5 or x_max > width or y_max > height:
            raise PromptError(
                f"box ({x_min:g}, {y_min:g}, {x_max:g}, {y_max:g}) extends beyond the frame of "
                f"{width} x {height} pixels: clip it to the frame"
            )
    if prompt.mask is not None:
        if prompt.mask.shape != frame.hw:
            raise PromptError(
                f"prompt mask is {prompt.mask.shape[1]} x {prompt.mask.shape[0]} pixels, "
                f"expected the frame's {width} x {height}"
            )
        if not prompt.mask.any():
            raise PromptError("prompt mask is empty, expected at least one pixel on the object")

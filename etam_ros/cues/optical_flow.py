"""Masks carried along optical flow, for models that follow objects so.

A memory tells well which object is where, and badly how its outline runs. The mask of the frame
before tells that, once it is moved as the picture has moved: dense inverse search (Kroeger et al.:
Fast Optical Flow using Dense Inverse Search, ECCV 2016) in OpenCV's implementation says how.

Letters: B pictures, N masks, S network input size, G = 4h side of the low-resolution masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from etam_ros.cues.box_filter import box_max
from etam_ros.cues.colour_model import colour_indices, follow_colours
from etam_ros.device_memory import upload

Brightness = NDArray[np.uint8]
BESIDE: Final = 2
AROUND: Final = 8
"""Cells from a mask between which lies what its motion is compared with."""


@dataclass(frozen=True, eq=False)
class FlowFrame:
    """What of a picture carries masks.

    Attributes:
        brightness: (S, S) uint8, in which motion is seen.
        colours: (G * G,) int64, which outlines follow.
    """

    brightness: Brightness
    colours: NDArray[np.int64]


def flow_frame_of(small: NDArray[np.uint8], side: int) -> FlowFrame:
    """What of a picture (S, S, 3) uint8 RGB, as the image encoder sees it, carries masks; G."""
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    return FlowFrame(grey, colour_indices(small, side))


class Motion:
    """How pictures have moved since the ones before, and what they look like now.

    Args:
        before, now: B pairs of pictures.
        side: G.
        device: of the masks.
    """

    def __init__(
        self, before: list[FlowFrame], now: list[FlowFrame], side: int, device: torch.device
    ) -> None:
        flows = [
            _backward_flow(last.brightness, this.brightness, side)
            for last, this in zip(before, now, strict=True)
        ]
        moved = torch.from_numpy(np.stack(flows))  # (B, G, G, 2)
        self.places = upload(_grid(side) + moved, device)
        self.shifts = upload(moved * (side / 2.0), device)  # in cells
        colours = np.stack([this.colours for this in now])  # (B, G * G)
        self.colours = upload(torch.from_numpy(colours), device)

    def of(self, index: Tensor) -> Motion:
        """The same for other rows: (N,) int64, which picture each is of."""
        motion = object.__new__(Motion)
        index = index.to(self.places.device)
        motion.places, motion.colours = self.places[index], self.colours[index]
        motion.shifts = self.shifts[index]
        return motion

    def carry(self, mask_logits: Tensor) -> Tensor:
        """Move masks along, and their outlines to where the colours change.

        Args:
            mask_logits: (N, 1, G, G) of the pictures before, a row for each picture, or any
                number for one picture.

        Returns:
            (N, 1, G, G) float32.
        """
        return self.settle(self.move(mask_logits))

    def move(self, mask_logits: Tensor) -> Tensor:
        """Move masks along flow alone; what comes into view from outside is as the border was."""
        places = self.places.expand(len(mask_logits), -1, -1, -1)
        return functional.grid_sample(
            mask_logits.float(), places, padding_mode="border", align_corners=False
        )

    def contrast(self, mask_logits: Tensor) -> Tensor:
        """How differently masks of the pictures now move from what lies around them.

        Args:
            mask_logits: (N, 1, G, G), for one picture.

        Returns:
            (N,) float32: the difference of mean motions in cells a frame; 0 where there is no
            mask, or nothing around it.
        """
        shifts = self.shifts.permute(0, 3, 1, 2)  # (1, 2, G, G)
        mask = (mask_logits > 0).float()
        around = box_max(mask, AROUND) - box_max(mask, BESIDE)
        means = [
            (shifts * where).sum((2, 3)) / where.sum((2, 3)).clamp(min=1.0)  # (N, 2)
            for where in (mask, around)
        ]
        apart: Tensor = (means[0] - means[1]).square().sum(dim=1).sqrt()
        both = around.flatten(1).any(dim=1) & mask.flatten(1).any(dim=1)
        return apart.masked_fill(~both, 0.0)

    def settle(self, mask_logits: Tensor) -> Tensor:
        """Move outlines of masks of the pictures now to where the colours change."""
        return follow_colours(mask_logits, self.colours)


def _backward_flow(before: Brightness, now: Brightness, side: int) -> NDArray[np.float32]:
    """(G, G, 2) float32: from a place now to where it was before, in half sides."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = np.asarray(method.calc(now, before, None), np.float32)  # type: ignore[call-overload]
    small = cv2.resize(flow, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small * np.float32(2.0 / now.shape[0]), np.float32)


def _grid(side: int) -> Tensor:
    """(1, G, G, 2): x and y of every cell's middle, from -1 to 1 over the picture."""
    middle = (torch.arange(side) + 0.5) * (2.0 / side) - 1.0
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack((x, y), dim=-1)[None]

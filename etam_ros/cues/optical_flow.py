"""Masks carried along optical flow, for models that take them as an input.

Memories locate an object well, but not its outline. The mask of the previous frame gives the
outline, after it is moved with the picture. The motion comes from dense inverse search (Kroeger et
al.: Fast Optical Flow using Dense Inverse Search, ECCV 2016) in OpenCV's implementation.

Letters: B pictures, N masks, S network input size, G = 4h side of the low-resolution masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from etam_ros.cues.box_filter import box_max
from etam_ros.cues.colour_model import colour_indices, follow_colours
from etam_ros.cues.steady_outlines import hold
from etam_ros.device_memory import upload

Brightness = NDArray[np.uint8]
BESIDE: Final = 2
AROUND: Final = 8
"""Distances from a mask, in cells, between which its surroundings lie; see `Motion.contrast`."""


@dataclass(frozen=True, eq=False)
class FlowFrame:
    """The parts of a picture that are needed to carry masks.

    Attributes:
        brightness: (S, S) uint8, the input of optical flow.
        colours: (G * G,) int64, which outlines follow.
    """

    brightness: Brightness
    colours: NDArray[np.int64]


def flow_frame_of(small: NDArray[np.uint8], side: int) -> FlowFrame:
    """The `FlowFrame` of a picture (S, S, 3) uint8 RGB at the image encoder's size; side is G."""
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    return FlowFrame(grey, colour_indices(small, side))


class Motion:
    """The motion of pictures since the previous ones, and their colours now.

    Args:
        before, now: B pairs of pictures.
        side: G.
        device: of the masks.
    """

    def __init__(
        self, before: list[FlowFrame], now: list[FlowFrame], side: int, device: torch.device
    ) -> None:
        found = [
            _backward_flow(last.brightness, this.brightness, side)
            for last, this in zip(before, now, strict=True)
        ]
        moved, unexplained = (
            torch.from_numpy(np.stack(each)) for each in zip(*found, strict=True)
        )
        self.places = upload(_grid(side) + moved, device)  # (B, G, G, 2)
        shifts = moved.permute(0, 3, 1, 2) * (side / 2.0)
        self.shifts = upload(shifts.contiguous(), device)  # (B, 2, G, G) in cells
        self.unexplained = upload(unexplained[:, None], device)  # (B, 1, G, G) in grey levels
        colours = np.stack([this.colours for this in now])  # (B, G * G)
        self.colours = upload(torch.from_numpy(colours), device)

    def of(self, index: Tensor) -> Motion:
        """The motion for other rows: (N,) int64, the picture of each."""
        motion = object.__new__(Motion)
        index = index.to(self.places.device)
        motion.places, motion.colours = self.places[index], self.colours[index]
        motion.shifts, motion.unexplained = self.shifts[index], self.unexplained[index]
        return motion

    def carry(self, mask_logits: Tensor) -> Tensor:
        """Move masks along the flow, and their outlines to where the colours change.

        Args:
            mask_logits: (N, 1, G, G) of the previous pictures, one row per picture, or any
                number for a single picture.

        Returns:
            (N, 1, G, G) float32.
        """
        return self.settle(self.move(mask_logits))

    def move(self, mask_logits: Tensor) -> Tensor:
        """Move masks along the flow only; parts that enter the view continue the border."""
        places = self.places.expand(len(mask_logits), -1, -1, -1)
        return functional.grid_sample(
            mask_logits.float(), places, padding_mode="border", align_corners=False
        )

    def hold(self, moved: Tensor, decoded: Tensor) -> Tensor:
        """Keep masks as they were, moved along flow, where only the picture has moved.

        Args:
            moved: (N, 1, G, G), from `move`.
            decoded: (N, 1, G, G) of the pictures now.

        Returns:
            (N, 1, G, G) float32.
        """
        in_view = (self.places.abs() < 1.0).all(dim=-1)[:, None]
        return hold(moved, decoded, self.shifts, self.unexplained, in_view)

    def contrast(self, mask_logits: Tensor) -> Tensor:
        """Motion of the current pictures' masks relative to their surroundings.

        Args:
            mask_logits: (N, 1, G, G), for one picture.

        Returns:
            (N,) float32: the difference of mean motions in cells per frame; 0 if there is no
            mask, or nothing around it.
        """
        mask = (mask_logits > 0).float()
        around = box_max(mask, AROUND) - box_max(mask, BESIDE)
        means = [
            (self.shifts * where).sum((2, 3)) / where.sum((2, 3)).clamp(min=1.0)  # (N, 2)
            for where in (mask, around)
        ]
        apart: Tensor = (means[0] - means[1]).square().sum(dim=1).sqrt()
        both = around.flatten(1).any(dim=1) & mask.flatten(1).any(dim=1)
        return apart.masked_fill(~both, 0.0)

    def settle(self, mask_logits: Tensor) -> Tensor:
        """Move the outlines of the current pictures' masks to where the colours change."""
        return follow_colours(mask_logits, self.colours)


def _backward_flow(
    before: Brightness, now: Brightness, side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The motion from a place to its previous position, and how well it explains the picture.

    Returns:
        (G, G, 2) float32 in units of half a side; and (G, G) float32, the mean absolute difference
        in grey levels between the picture and the one before once that is moved.
    """
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = np.asarray(method.calc(now, before, None), np.float32)  # type: ignore[call-overload]
    cells = cv2.resize(flow, (side, side), interpolation=cv2.INTER_AREA)
    flow += _pixels(now.shape[0])
    nothing = np.empty(0, np.float32)  # x and y are in one array
    moved = cv2.remap(before, flow, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = cv2.resize(cv2.absdiff(moved, now), (side, side), interpolation=cv2.INTER_AREA)
    shifts = np.asarray(cells * np.float32(2.0 / now.shape[0]), np.float32)
    return shifts, np.asarray(apart, np.float32)


@lru_cache(maxsize=4)
def _pixels(size: int) -> NDArray[np.float32]:
    """(S, S, 2) float32: x and y of every pixel."""
    y, x = np.mgrid[:size, :size]
    return np.stack((x, y), axis=-1).astype(np.float32)


def _grid(side: int) -> Tensor:
    """(1, G, G, 2): x and y of every cell's middle, from -1 to 1 over the picture."""
    middle = (torch.arange(side) + 0.5) * (2.0 / side) - 1.0
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack((x, y), dim=-1)[None]

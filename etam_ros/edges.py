"""Masks that follow the edges of the picture, for models that were trained so.

A small model's masks are right about where the object is and blurred about where it ends. A guided
filter (He, Sun, Tang: Guided Image Filtering, 2010) says what the mask would be if it were a
linear function of the colours around each place; the mask that goes on lies half-way between the
two in logits, so that a confident decoder overrules the edges.

Letters: B pictures, N masks, S network input size, G = 4h side of the low-resolution masks.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

EPSILON: Final = 2e-3
"""Variance below which a neighbourhood counts as flat, of normalised colours."""
LEAST: Final = 1e-3
"""Probability that a filtered mask has at least."""
COLOURS: Final = 3


class EdgeGuide:
    """The local colours of pictures, for masks to follow.

    Args:
        images: (B, 3, S, S) float32, normalised, as the image encoder gets them.
        side: G.
        radius: of the neighbourhood, in cells of the mask.
        before: an earlier guide of the same sizes and device, whose table is used again.
    """

    def __init__(
        self, images: Tensor, side: int, radius: int, before: EdgeGuide | None = None
    ) -> None:
        self.means: Tensor = (
            _means(side, radius, images.device) if before is None else before.means
        )
        self.colours = functional.avg_pool2d(images, images.shape[-1] // side)  # (B, 3, G, G)
        self.mean = self._box(self.colours)
        self.inverse = _inverse(self._covariance())  # 6 of (B, 1, G, G)

    def of(self, index: Tensor) -> EdgeGuide:
        """The same for other rows: (N,) int64, which picture each is of."""
        guide = object.__new__(EdgeGuide)
        guide.means = self.means
        guide.colours, guide.mean, guide.inverse = (
            x[index] for x in (self.colours, self.mean, self.inverse)
        )
        return guide

    def refine(self, mask_logits: Tensor) -> Tensor:
        """Let masks follow the edges.

        Args:
            mask_logits: (N, M, G, G), a row for each picture, or any number for one picture.

        Returns:
            (N, M, G, G) float32.
        """
        logits = mask_logits.float()
        masks = torch.split(logits.sigmoid(), 1, dim=1)
        filtered = torch.cat([self._filter(mask) for mask in masks], dim=1)
        return (logits + filtered.clamp(LEAST, 1 - LEAST).logit()) / 2

    def _filter(self, mask: Tensor) -> Tensor:
        """The guided filter of probabilities: (N, 1, G, G) -> (N, 1, G, G)."""
        weighted = torch.cat((mask, self.colours * mask), dim=1)
        means = self._box(weighted)  # (N, 4, G, G)
        mean = means[:, :1]
        together = means[:, 1:] - self.mean * mean  # covariance of colours and mask
        r, g, b = torch.split(together, 1, dim=1)
        rr, rg, rb, gg, gb, bb = torch.split(self.inverse, 1, dim=1)
        slope = torch.cat(
            (rr * r + rg * g + rb * b, rg * r + gg * g + gb * b, rb * r + gb * g + bb * b), dim=1
        )
        offset = mean - (slope * self.mean).sum(dim=1, keepdim=True)
        smooth = self._box(torch.cat((slope, offset), dim=1))
        return (smooth[:, :COLOURS] * self.colours).sum(dim=1, keepdim=True) + smooth[:, COLOURS:]

    def _covariance(self) -> Tensor:
        """(B, 6, G, G): rr, rg, rb, gg, gb, bb of each neighbourhood."""
        pairs = [(i, j) for i in range(COLOURS) for j in range(i, COLOURS)]
        left, right = ([pair[side] for pair in pairs] for side in (0, 1))
        products = self._box(self.colours[:, left] * self.colours[:, right])
        return products - self.mean[:, left] * self.mean[:, right]

    def _box(self, x: Tensor) -> Tensor:
        """Mean over the neighbourhood, of what of it lies in the picture."""
        with torch.autocast(x.device.type, enabled=False):
            return self.means @ (x.float() @ self.means.T)


def _means(side: int, radius: int, device: torch.device) -> Tensor:
    """(G, G): a row for each place, that takes the mean of the places around it."""
    place = torch.arange(side, device=device)
    near = ((place[:, None] - place).abs() <= radius).float()
    return near / near.sum(dim=1, keepdim=True)


def _inverse(covariance: Tensor) -> Tensor:
    """Inverse of symmetric 3 x 3 matrices with EPSILON added to their diagonals, as 6 channels."""
    rr, rg, rb, gg, gb, bb = torch.split(covariance, 1, dim=1)
    rr, gg, bb = rr + EPSILON, gg + EPSILON, bb + EPSILON
    adjugate = torch.cat(
        (
            gg * bb - gb * gb,
            rb * gb - rg * bb,
            rg * gb - rb * gg,
            rr * bb - rb * rb,
            rb * rg - rr * gb,
            rr * gg - rg * rg,
        ),
        dim=1,
    )
    determinant = (
        rr * adjugate[:, :1] + rg * adjugate[:, 1:2] + rb * adjugate[:, 2:3]
    )  # at least EPSILON ** 3
    return adjugate / determinant.clamp(min=EPSILON**3)

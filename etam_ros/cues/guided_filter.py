"""Outlines that follow edges: coarse masks, refined by the picture.

A guided filter (He, Sun, Tang: Guided Image Filtering, TPAMI 2013): near every cell the mask is
fitted by a linear function of red, green and blue, which is then evaluated at the picture's own
resolution (He, Sun: Fast Guided Filter, 2015). Each function is weighted by how much of the mask
it explains: where colours explain nothing, the outline stays where it was.

Letters: N masks of one picture, G side of a mask in cells, S side of the picture, a multiple of G.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from etam_ros.cues.box_filter import box_mean

REACH: Final = 4
"""Cells to each side over which a linear function is fitted."""
FLATNESS: Final = 2e-4
"""Variance below which there is no edge, for a picture of unit variance."""
SURE: Final = 2.0
"""Logits are limited to this magnitude."""
TRUST: Final = 4.0
"""A fit is fully trusted from one over this of the variance; without any, the mask is used."""
FEWEST: Final = 12
"""Minimum size of a mask in cells; smaller ones would be smoothed away."""
_NEVER_ZERO: Final = 1e-3


def follow_edges(mask_logits: Tensor, image: Tensor, threshold: float = 0.0) -> Tensor:
    """Draw masks at a higher resolution, along the edges of a picture.

    Args:
        mask_logits: (N, 1, G, G).
        image: (1, 3, S, S) float32, red, green and blue of about unit variance, on the same
            device, such as the network's input.
        threshold: logit of the outline.

    Returns:
        (N, 1, S, S) float32 with the outline at the threshold, and elsewhere the confidence of the
        given masks; a mask of very few cells, or that would change by more than half, is only
        resized.
    """
    pixels = image.shape[-1] // mask_logits.shape[-1]  # of a cell's side
    coarse = mask_logits.float() - threshold
    resized = _resized(coarse, image)
    guide = functional.avg_pool2d(image, pixels)  # (1, 3, G, G)
    planes = _resized(_planes(coarse.clamp(-SURE, SURE), guide), image)  # (N, 5, S, S)
    fitted = (planes[:, :3] * image).sum(dim=1, keepdim=True) + planes[:, 3:4]
    drawn = torch.lerp(resized.clamp(-SURE, SURE), fitted, planes[:, 4:])
    before, after = ((values > 0).sum(dim=(1, 2, 3)) for values in (resized, drawn))
    fits = (before >= FEWEST * pixels**2) & (2 * after >= before) & (2 * after <= 3 * before)
    as_sure = drawn * (resized.abs() / SURE).clamp(min=1.0)
    return torch.where(fits[:, None, None, None], as_sure, resized) + threshold


def _resized(values: Tensor, image: Tensor) -> Tensor:
    return functional.interpolate(
        values, size=image.shape[-2:], mode="bilinear", align_corners=False
    )


def _planes(values: Tensor, guide: Tensor) -> Tensor:
    """The linear functions of all windows around a cell, averaged by how well each fits.

    Args:
        values: (N, 1, G, G).
        guide: (1, 3, G, G).

    Returns:
        (N, 5, G, G): slopes over red, green and blue, offset, and a confidence in 0..1.
    """
    slopes, offset, explained = _fit(values, guide)
    weight = explained + _NEVER_ZERO
    planes = box_mean(torch.cat((slopes, offset), dim=1) * weight, REACH)
    weights = box_mean(weight, REACH)
    return torch.cat((planes / weights, (weights * TRUST).clamp(max=1.0)), dim=1)


def _fit(values: Tensor, guide: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Least squares in the window around every cell.

    Args:
        values: (N, 1, G, G).
        guide: (1, 3, G, G).

    Returns:
        slopes (N, 3, G, G), offset (N, 1, G, G), and the share of variance that they explain,
        (N, 1, G, G) in 0..1.
    """
    mean, mask_mean = box_mean(guide, REACH), box_mean(values, REACH)
    covariance = box_mean(_products(guide), REACH) - _products(mean)  # (1, 6, G, G)
    covariance[:, :3] += FLATNESS
    rr, gg, bb, rg, gb, br = covariance.unbind(dim=1)
    rows = ((rr, rg, br), (rg, gg, gb), (br, gb, bb))  # of 3 x 3 matrices
    red, green, blue = (torch.stack(row, dim=1) for row in rows)  # (1, 3, G, G) each
    sides = ((green, blue), (blue, red), (red, green))
    columns = [torch.linalg.cross(*pair, dim=1) for pair in sides]
    determinant = (red * columns[0]).sum(dim=1, keepdim=True)  # inverses: columns / determinant
    cross = box_mean(guide * values, REACH) - mean * mask_mean  # (N, 3, G, G), covariances too
    slopes = torch.stack([(column * cross).sum(dim=1) for column in columns], dim=1) / determinant
    offset = mask_mean - (slopes * mean).sum(dim=1, keepdim=True)
    variance = box_mean(values.square(), REACH) - mask_mean.square()
    explained = (slopes * cross).sum(dim=1, keepdim=True) / (variance + _NEVER_ZERO)
    return slopes, offset, explained.clamp(0.0, 1.0)


def _products(values: Tensor) -> Tensor:
    """Each of three channels squared, then each times the next: (1, 3, G, G) -> (1, 6, G, G)."""
    return torch.cat((values.square(), values * values.roll(-1, dims=1)), dim=1)

"""Masks that stay as they are where only the picture has moved.

While a camera turns over a scene that stands still, an object moves as its surroundings do, and
its mask only has to be moved along. A decoder that draws the mask again on every frame loses a
little of it each time, and the next frame starts from what is left. So the mask that optical flow
has moved counts more, the better flow explains the picture: for objects on both sides of whose
outline everything moves alike, where the pictures agree once they are moved, and as long as the
decoder sees the object in about the same place. What moves against its surroundings, is covered,
or comes into view at the border of the picture is left to the decoder.

Letters: N masks, G side of the low-resolution masks in cells.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from etam_ros.cues.box_filter import box_max, box_mean

REACH: Final = 4
"""Cells to each side of an outline in which motion is compared."""
ALIKE: Final = 0.05
"""Cells per frame by which both sides of an outline may move differently and still move alike.
With 0.12, J of a cow that walks slowly fell from 84 to 81, and with 0.3 to 76."""
ALIKE_SHARE: Final = 0.08
"""Of the motion itself, likewise: optical flow is less exact where everything moves fast."""
STEADY: Final = (0.7, 0.95)
"""Share of an outline with both sides moving alike: up to the first the decoder counts alone, from
the second on the moved mask does."""
AGREEING: Final = (0.3, 0.6)
"""IoU of the decoder's mask with the moved one, likewise."""
UNEXPLAINED: Final = 16.0
"""Grey levels of difference between the pictures at which both count the same."""
SURE: Final = 6.0
"""Logits of a moved mask are limited to this."""
_BESIDE: Final = (0.15, 0.85)  # share of the mask in a window that has enough of both sides


def hold(
    moved: Tensor, decoded: Tensor, shifts: Tensor, unexplained: Tensor, in_view: Tensor
) -> Tensor:
    """Join masks that were moved along with those that were decoded.

    Args:
        moved: (N, 1, G, G) logits of the frame before, moved along optical flow.
        decoded: (N, 1, G, G) logits of this frame.
        shifts: (N, 2, G, G) or (1, 2, G, G), motion along x and y in cells per frame.
        unexplained: (N, 1, G, G) or (1, 1, G, G), grey levels by which the pictures differ after
            the motion.
        in_view: of the same shape, bool: the cell was in the picture before.

    Returns:
        (N, 1, G, G) float32; decoded masks without a cell above 0 stay as they are.
    """
    mask, found = moved > 0, decoded > 0
    beside, alike = _outline(mask.float(), shifts)
    steady = _share(beside & alike, beside)
    agreeing = _share(mask & found, mask | found)
    weight = (_rising(steady, STEADY) * _rising(agreeing, AGREEING))[:, None, None, None]
    weight = weight / (1.0 + (box_mean(unexplained, 2) / UNEXPLAINED).pow(4))
    weight = weight * (1.0 - box_max((~in_view).float(), 1))
    return torch.lerp(decoded.float(), moved.clamp(-SURE, SURE), weight)


def _without_turning(shifts: Tensor) -> Tensor:
    """Motion (N, 2, G, G) less what of it rises evenly over the picture.

    A camera that rolls or comes nearer moves the two sides of an outline by different amounts.
    """
    side = shifts.shape[-1]
    along = torch.arange(side, device=shifts.device) - (side - 1) / 2
    for place in (along, along[:, None]):  # orthogonal, so that one slope is found after another
        slope = (shifts * place).mean((2, 3), keepdim=True) / along.square().mean()
        shifts = shifts - slope * place
    return shifts


def _outline(mask: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
    """Which cells lie along an outline, and where both its sides move alike: (N, 1, G, G) bool."""
    own = _without_turning(shifts)
    inside = box_mean(mask, REACH)
    of_inside = box_mean(own * mask, REACH)
    of_outside = box_mean(own, REACH) - of_inside
    apart = of_inside / inside.clamp(min=1e-3) - of_outside / (1.0 - inside).clamp(min=1e-3)
    beside = (inside > _BESIDE[0]) & (inside < _BESIDE[1])
    return beside, _length(apart) < ALIKE + ALIKE_SHARE * _length(shifts)


def _length(vectors: Tensor) -> Tensor:
    """(N, 2, G, G) -> (N, 1, G, G)."""
    return vectors.square().sum(dim=1, keepdim=True).sqrt()


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """How much of (N, 1, G, G) cells lies in a part of them: (N,) in 0..1; 0 of none."""
    return part.sum((1, 2, 3)) / whole.sum((1, 2, 3)).clamp(min=1)


def _rising(values: Tensor, between: tuple[float, float]) -> Tensor:
    """From 0 to 1, smoothly, as values rise from the first to the second."""
    low, high = between
    share = ((values - low) / (high - low)).clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)

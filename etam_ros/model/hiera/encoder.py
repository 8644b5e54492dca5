"""The image encoder of SAM 2: Hiera and a feature pyramid.

Source: ImageEncoder and FpnNeck of SAM 2 (Apache-2.0). Letters: B batch, S image side, h = w
feature grid, D hidden dim.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model.hiera.config import HieraConfig
from etam_ros.model.hiera.trunk import Hiera


class Pyramid(nn.Module):
    """The stages of a trunk brought to one width; the coarsest is added to the feature alone."""

    def __init__(self, widths: Sequence[int], dim: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList()  # the coarsest stage first
        for width in reversed(widths):
            level = nn.Sequential()
            level.add_module("conv", nn.Conv2d(width, dim, 1))
            self.convs.append(level)

    def forward(self, stages: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Four stages, the finest first -> (B, D, h, w), (B, D, 4h, 4w), (B, D, 2h, 2w)."""
        coarse, feature, fine, finest = (
            conv(stage) for conv, stage in zip(self.convs, reversed(stages), strict=True)
        )
        feature = feature + functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return feature, finest, fine


class HieraEncoder(nn.Module):
    """(B, 3, S, S) -> (B, D, h, w)."""

    def __init__(self, config: HieraConfig, image_size: int, dim: int) -> None:
        super().__init__()
        self.trunk = Hiera(config, image_size)
        self.neck = Pyramid(config.widths, dim)

    def forward(self, image: Tensor) -> Tensor:
        return self.levels(image)[0]

    def levels(self, image: Tensor) -> tuple[Tensor, ...]:
        """The feature, and finer levels, the finest first: as `Pyramid` gives them."""
        return self.neck(self.trunk(image))  # type: ignore[no-any-return]

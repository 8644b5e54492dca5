"""The memory encoder: a frame's feature and one object's mask become a memory.

Source: MemoryEncoder of SAM 2 (Apache-2.0). Letters: B objects, D hidden dim, E memory dim, S
image side, h = w feature grid.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model.config import ModelConfig
from etam_ros.model.layers import LayerNorm2d


class MaskDownsampler(nn.Module):
    """(B, 1, S, S) -> (B, D, h, w): each strided convolution halves the side."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = nn.Sequential()
        channels = 1
        for _ in range(int(math.log2(config.patch_size))):
            self.encoder.append(nn.Conv2d(channels, 4 * channels, 3, stride=2, padding=1))
            channels = 4 * channels
            self.encoder.append(LayerNorm2d(channels))
            self.encoder.append(nn.GELU())
        self.encoder.append(nn.Conv2d(channels, config.hidden_dim, 1))

    def forward(self, mask: Tensor) -> Tensor:
        return self.encoder(mask)  # type: ignore[no-any-return]


class ConvNeXtBlock(nn.Module):
    """Depthwise 7 x 7, norm, two pointwise layers, scaled and added; (B, D, h, w)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = LayerNorm2d(dim)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad and x.device.type == "cpu":  # backwards three times as fast
            x = x.contiguous(memory_format=torch.channels_last)
        y = self.norm(self.dwconv(x)).permute(0, 2, 3, 1)  # (B, h, w, D)
        y = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class Fuser(nn.Module):
    """Two ConvNeXt blocks."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ConvNeXtBlock(dim) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MemoryEncoder(nn.Module):
    """(1 or B, D, h, w) feature and (B, 1, S, S) mask -> (B, E, h, w)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.mask_downsampler = MaskDownsampler(config)
        self.pix_feat_proj = nn.Conv2d(dim, dim, 1)
        self.fuser = Fuser(dim)
        self.out_proj = nn.Conv2d(dim, config.memory_dim, 1)

    def forward(self, feature: Tensor, mask: Tensor) -> Tensor:
        x = self.pix_feat_proj(feature) + self.mask_downsampler(mask)
        return self.out_proj(self.fuser(x))  # type: ignore[no-any-return]

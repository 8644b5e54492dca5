"""The image encoder: a plain ViT with windows, and a neck of two convolutions.

Source: ViTDet as EfficientTAM configures it (Apache-2.0). Letters: B batch, C embed dim, h = w
feature grid, S = patch * h image side, W windows, D hidden dim.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model.config import ModelConfig
from etam_ros.model.layers import MLP, LayerNorm, LayerNorm2d, attention


def split_windows(x: Tensor, size: int) -> Tensor:
    """Cut a grid into windows, zero-padded at the right and bottom.

    The padding is not masked: pad tokens attend and are attended to, as in training.

    Args:
        x: (B, h, w, C).
        size: tokens per window side.

    Returns:
        (B * W, size, size, C).
    """
    batch, height, width, channels = x.shape
    x = functional.pad(x, (0, 0, 0, -width % size, 0, -height % size))
    rows, columns = x.shape[1] // size, x.shape[2] // size
    x = x.reshape(batch, rows, size, columns, size, channels)
    return x.transpose(2, 3).reshape(-1, size, size, channels)


def join_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Undo `split_windows`: (B * W, size, size, C) -> (B, h, w, C), padding cut off."""
    size, channels = windows.shape[1], windows.shape[3]
    rows, columns = math.ceil(height / size), math.ceil(width / size)
    x = windows.reshape(-1, rows, columns, size, size, channels).transpose(2, 3)
    return x.reshape(-1, rows * size, columns * size, channels)[:, :height, :width]


class ViTAttention(nn.Module):
    """Multi-head self-attention over all tokens of a grid or window."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, h, w, C)."""
        batch, height, width, dim = x.shape
        qkv = self.qkv(x).reshape(batch, height * width, 3, self.heads, dim // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, h * w, C / heads)
        attended = attention(q, k, v)
        return self.proj(attended.transpose(1, 2).reshape(x.shape))  # type: ignore[no-any-return]


class ViTBlock(nn.Module):
    """Pre-norm attention and MLP; attention within windows, or global when window_size is 0."""

    def __init__(self, config: ModelConfig, window_size: int) -> None:
        super().__init__()
        dim = config.embed_dim
        self.window_size = window_size
        self.norm1 = LayerNorm(dim, eps=1e-6)
        self.attn = ViTAttention(dim, config.heads)
        self.norm2 = LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, config.mlp_ratio * dim, dim, depth=2, gelu=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, h, w, C)."""
        normed = self.norm1(x)
        if self.window_size:
            windows = self.attn(split_windows(normed, self.window_size))
            x = x + join_windows(windows, x.shape[1], x.shape[2])
        else:
            x = x + self.attn(normed)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class PatchEmbedding(nn.Module):
    """(B, 3, S, S) -> (B, h, w, C)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        patch = config.patch_size
        self.proj = nn.Conv2d(3, config.embed_dim, kernel_size=patch, stride=patch)

    def forward(self, image: Tensor) -> Tensor:
        return self.proj(image).permute(0, 2, 3, 1)  # type: ignore[no-any-return]


class ViT(nn.Module):
    """The trunk: only the last block's output is used, and no norm follows it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.grid = config.grid
        self.position_grid = config.position_grid
        tokens = config.position_grid**2 + 1  # and a class token, which is not used
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, config.embed_dim))
        self.patch_embed = PatchEmbedding(config)
        self.blocks = nn.ModuleList(
            ViTBlock(config, 0 if index in config.global_blocks else config.window_size)
            for index in range(config.depth)
        )

    def position_embedding(self) -> Tensor:
        """The stored embedding resized to the grid: bicubic, not antialiased; (1, h, w, C)."""
        side = self.position_grid
        stored = self.pos_embed[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        if side != self.grid:
            stored = functional.interpolate(
                stored, size=(self.grid, self.grid), mode="bicubic", align_corners=False
            )
        return stored.permute(0, 2, 3, 1)

    def fuse_position_embedding(self) -> None:
        """Resize the stored embedding once for all."""
        resized = self.position_embedding().flatten(1, 2)  # (1, h * w, C)
        self.pos_embed.data = torch.cat((self.pos_embed[:, :1], resized), dim=1)
        self.position_grid = self.grid

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C, h, w)."""
        x = (self.patch_embed(image) + self.position_embedding()).contiguous()  # (B, h, w, C)
        for block in self.blocks:
            x = block(x)
        return x.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class Neck(nn.Module):
    """(B, C, h, w) -> (B, D, h, w): one level, no pyramid."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.hidden_dim
        level = nn.Sequential()
        level.add_module("conv_1x1", nn.Conv2d(config.embed_dim, dim, 1, bias=False))
        level.add_module("norm_0", LayerNorm2d(dim))
        level.add_module("conv_3x3", nn.Conv2d(dim, dim, 3, padding=1, bias=False))
        level.add_module("norm_1", LayerNorm2d(dim))
        self.convs = nn.ModuleList([level])

    def forward(self, x: Tensor) -> Tensor:
        return self.convs[0](x)  # type: ignore[no-any-return]


class ImageEncoder(nn.Module):
    """(B, 3, S, S) -> (B, D, h, w)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.trunk = ViT(config)
        self.neck = Neck(config)

    def forward(self, image: Tensor) -> Tensor:
        return self.neck(self.trunk(image))  # type: ignore[no-any-return]

    def levels(self, image: Tensor) -> tuple[Tensor, ...]:
        """The feature alone: this encoder has no finer level."""
        return (self(image),)

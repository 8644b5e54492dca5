"""Hiera, a ViT whose grid is halved three times on the way.

Source: Hiera as SAM 2 uses it (Apache-2.0; arXiv 2306.00989 and 2408.00714). Letters: B batch, S
image side, H = W the grid at hand, C channels of the block, K those after it, W windows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model.hiera.config import FIRST_STRIDE, STAGES, HieraConfig
from etam_ros.model.image_encoder import join_windows, split_windows
from etam_ros.model.layers import MLP, LayerNorm, attention

EPS = 1e-6


def halve(x: Tensor) -> Tensor:
    """The largest of 2 x 2 neighbours: (B, H, W, C) -> (B, H / 2, W / 2, C)."""
    return functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


class HieraAttention(nn.Module):
    """Self-attention of a grid or window; where it halves the grid, queries alone are fewer."""

    def __init__(self, dim: int, out_dim: int, heads: int, *, halves: bool) -> None:
        super().__init__()
        self.heads, self.halves = heads, halves
        self.qkv = nn.Linear(dim, 3 * out_dim)
        self.proj = nn.Linear(out_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, K), or half as high and wide."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)  # (B, H, W, K) each
        if self.halves:
            q = halve(q)
        attended = attention(self.split_heads(q), self.split_heads(k), self.split_heads(v))
        return self.proj(attended.transpose(1, 2).reshape(q.shape))  # type: ignore[no-any-return]

    def split_heads(self, x: Tensor) -> Tensor:
        """(B, H, W, K) -> (B, heads, H * W, K / heads)."""
        batch, height, width, dim = x.shape
        x = x.reshape(batch, height * width, self.heads, dim // self.heads)
        return x.transpose(1, 2)


class HieraBlock(nn.Module):
    """Pre-norm attention and MLP; attention within windows, or global when window_size is 0.

    A block that changes the width halves the grid, and what goes past its attention is a
    projection of the normalised input.
    """

    def __init__(
        self, dim: int, out_dim: int, heads: int, *, window_size: int, mlp_ratio: int
    ) -> None:
        super().__init__()
        halves = dim != out_dim
        self.window_size = window_size
        self.norm1 = LayerNorm(dim, eps=EPS)
        self.attn = HieraAttention(dim, out_dim, heads, halves=halves)
        self.norm2 = LayerNorm(out_dim, eps=EPS)
        self.mlp = MLP(out_dim, mlp_ratio * out_dim, out_dim, depth=2, gelu=True)
        self.proj = nn.Linear(dim, out_dim) if halves else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, K), or half as high and wide."""
        normed = self.norm1(x)
        if self.proj is not None:
            x = halve(self.proj(normed))
        if self.window_size:
            windows = self.attn(split_windows(normed, self.window_size))
            x = x + join_windows(windows, x.shape[1], x.shape[2])
        else:
            x = x + self.attn(normed)
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class OverlappingPatches(nn.Module):
    """Overlapping patches: (B, 3, S, S) -> (B, S / 4, S / 4, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=7, stride=FIRST_STRIDE, padding=3)

    def forward(self, image: Tensor) -> Tensor:
        return self.proj(image).permute(0, 2, 3, 1)  # type: ignore[no-any-return]


class Hiera(nn.Module):
    """The trunk: what each stage ends with is used, and no norm follows."""

    def __init__(self, config: HieraConfig, image_size: int) -> None:
        super().__init__()
        self.grid = image_size // FIRST_STRIDE
        self.fused = False
        side, window, width = config.position_grid, config.windows[0], config.width
        self.pos_embed = nn.Parameter(torch.zeros(1, width, side, side))
        self.pos_embed_window = nn.Parameter(torch.zeros(1, width, window, window))
        self.patch_embed = OverlappingPatches(width)
        self.blocks = nn.ModuleList(_blocks(config))
        self.last_blocks = {sum(config.blocks[: stage + 1]) - 1 for stage in range(STAGES)}

    def position_embedding(self) -> Tensor:
        """(1, S / 4, S / 4, C): one embedding stretched over the grid, one repeated over it.

        The first is resized bicubic and not antialiased; the second has the size of a window.
        """
        if self.fused:
            return self.pos_embed.permute(0, 2, 3, 1)
        size = (self.grid, self.grid)
        whole = functional.interpolate(
            self.pos_embed, size=size, mode="bicubic", align_corners=False
        )
        times = self.grid // self.pos_embed_window.shape[-1]
        return (whole + self.pos_embed_window.tile(times, times)).permute(0, 2, 3, 1)

    def fuse_position_embedding(self) -> None:
        """Make the whole embedding once for all."""
        self.pos_embed.data = self.position_embedding().permute(0, 3, 1, 2).contiguous()
        self.fused = True

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, S, S) -> the four stages, the finest first: (B, K, H, W) each."""
        x = (self.patch_embed(image) + self.position_embedding()).contiguous()
        stages = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.last_blocks:
                stages.append(x.permute(0, 3, 1, 2))
        return stages


def _blocks(config: HieraConfig) -> list[HieraBlock]:
    blocks: list[HieraBlock] = []
    dim = config.width
    for stage, (out_dim, count) in enumerate(zip(config.widths, config.blocks, strict=True)):
        for _ in range(count):
            window_size = config.windows[stage if dim == out_dim else stage - 1]
            block = HieraBlock(
                dim,
                out_dim,
                config.heads * 2**stage,
                window_size=0 if len(blocks) in config.global_blocks else window_size,
                mlp_ratio=config.mlp_ratio,
            )
            blocks.append(block)
            dim = out_dim
    return blocks

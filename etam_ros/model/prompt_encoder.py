"""The prompt encoder: points and a previous mask become sparse tokens and a dense map.

Source: PromptEncoder of segment_anything (Apache-2.0). Letters: B objects, P points, D hidden
dim, S image side, h = w feature grid.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from etam_ros.model.config import ModelConfig
from etam_ros.model.layers import LayerNorm2d
from etam_ros.model.positions import RandomFourierPositions

NOT_A_POINT: Final = -1
MASK_CHANNELS: Final = 16


class PromptEncoder(nn.Module):
    """Embed points (label -1 none, 0 background, 1 foreground, 2 and 3 box corners) and masks."""

    fused_positions: Tensor | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.image_size = config.image_size
        self.grid = config.grid
        self.pe_layer = RandomFourierPositions(dim)
        self.register_buffer("fused_positions", None, persistent=False)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, dim)
        self.no_mask_embed = nn.Embedding(1, dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, MASK_CHANNELS // 4, 2, stride=2),
            LayerNorm2d(MASK_CHANNELS // 4),
            nn.GELU(),
            nn.Conv2d(MASK_CHANNELS // 4, MASK_CHANNELS, 2, stride=2),
            LayerNorm2d(MASK_CHANNELS),
            nn.GELU(),
            nn.Conv2d(MASK_CHANNELS, dim, 1),
        )

    def fuse_grid_positions(self) -> None:
        """Compute them once for all."""
        self.register_buffer("fused_positions", self.grid_positions(), persistent=False)

    def grid_positions(self) -> Tensor:
        """(1, D, h, w): the encoding of points, at the cells of the feature grid."""
        if self.fused_positions is not None:
            return self.fused_positions
        return self.pe_layer.grid(self.grid, self.grid)[None]

    def embed_points(self, points: Tensor, labels: Tensor) -> Tensor:
        """Embed P points and the one empty point that is always appended.

        Args:
            points: (B, P, 2) float32, x and y in pixels of the network's input.
            labels: (B, P) int.

        Returns:
            (B, P + 1, D).
        """
        batch = points.shape[0]
        points = torch.cat((points + 0.5, points.new_zeros(batch, 1, 2)), dim=1)
        labels = torch.cat((labels, labels.new_full((batch, 1), NOT_A_POINT)), dim=1)
        position = self.pe_layer(points / self.image_size)  # (B, P + 1, D)
        position = position * (labels != NOT_A_POINT)[..., None]
        kinds = (self.not_a_point_embed, *self.point_embeddings)  # of labels -1 to 3
        table = torch.cat([kind.get_parameter("weight") for kind in kinds])  # (5, D)
        embedded: Tensor = position + table[labels + 1]
        return embedded

    def embed_mask(self, mask_logits: Tensor | None) -> Tensor:
        """Previous logits (B, 1, 4h, 4w) -> (B, D, h, w); None -> (1, D, 1, 1)."""
        if mask_logits is None:
            return self.no_mask_embed.weight[:, :, None, None]
        return self.mask_downscaling(mask_logits)  # type: ignore[no-any-return]

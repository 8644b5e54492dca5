"""EfficientSAM's prompt encoder: always six points a query, and no mask.

Source: yformer/EfficientSAM (Apache-2.0). Letters: Q queries, P points, D hidden dim, S image
side, h = w feature grid.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model.config import ModelConfig
from etam_ros.model.positions import RandomFourierPositions

POINTS: Final = 6
"""What a query is padded or cut to."""
PADDING: Final = -1
"""Coordinates and label of a point that is none; it keeps its position, unlike in SAM."""


class QueryEncoder(nn.Module):
    """Embed points (label -1 none, 1 foreground, 2 and 3 box corners).

    A background point (0) has no vector of its own: it is its position alone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.image_size = config.image_size
        self.grid = config.grid
        self.pe_layer = RandomFourierPositions(dim)
        self.invalid_points = nn.Embedding(1, dim)
        self.point_embeddings = nn.Embedding(1, dim)
        self.bbox_top_left_embeddings = nn.Embedding(1, dim)
        self.bbox_bottom_right_embeddings = nn.Embedding(1, dim)

    def grid_positions(self) -> Tensor:
        """(1, D, h, w): the encoding of points, at the cells of the feature grid."""
        return self.pe_layer.grid(self.grid, self.grid)[None]

    def forward(self, points: Tensor, labels: Tensor) -> Tensor:
        """Embed the first six points of each query.

        Args:
            points: (Q, P, 2) float32, x and y in pixels of the network's input; whatever is
                negative counts as -1.
            labels: (Q, P) int64.

        Returns:
            (Q, 6, D).
        """
        missing = max(0, POINTS - points.shape[1])
        points = functional.pad(points[:, :POINTS], (0, 0, 0, missing), value=PADDING)
        labels = functional.pad(labels[:, :POINTS], (0, missing), value=PADDING)
        points = torch.where(points < 0, torch.full_like(points, PADDING), points)
        position = self.pe_layer((points + 0.5) / self.image_size)  # (Q, 6, D)
        return position + self._vectors()[labels + 1]  # type: ignore[no-any-return]

    def _vectors(self) -> Tensor:
        """(5, D): of labels -1 to 3."""
        nothing = torch.zeros_like(self.point_embeddings.weight)
        return torch.cat(
            (
                self.invalid_points.weight,
                nothing,
                self.point_embeddings.weight,
                self.bbox_top_left_embeddings.weight,
                self.bbox_bottom_right_embeddings.weight,
            )
        )

"""The student of pretraining: an image encoder that gets a part of each picture.

Source: SAMI of EfficientSAM (arXiv 2312.00863, section 3), from its description. Letters:
B pictures, S image side, h = w token grid, L = h * w tokens, V visible and M hidden ones,
C channels of the ViT, D channels of the teacher.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from etam_ros.model.config import ModelConfig
from etam_ros.model.image_encoder import ImageEncoder, ViT, ViTAttention, ViTBlock
from etam_ros.model.layers import attention
from etam_ros.training.pretraining.masked_decoder import (
    MaskedDecoder,
    TokenSplit,
    merge_tokens,
    take_tokens,
)


def encode_visible(trunk: ViT, image: Tensor, visible: Tensor) -> Tensor:
    """Run a ViT on some tokens of a picture.

    Global blocks attend among all visible tokens, the others among those of one window, as they do
    when the encoder is used. If every token is visible, and the grid consists of whole windows,
    this is the trunk's own forward pass.

    Args:
        image: (B, 3, S, S), normalised.
        visible: (B, V) int64, row-major positions in the grid.

    Returns:
        (B, V, C).
    """
    grid = trunk.patch_embed(image) + trunk.position_embedding()  # (B, h, w, C)
    tokens = take_tokens(grid.flatten(1, 2), visible)  # (B, V, C)
    biases: dict[int, Tensor | None] = {0: None}
    for module in trunk.blocks:
        block = cast(ViTBlock, module)
        size = block.window_size
        if size not in biases:
            biases[size] = window_bias(visible, trunk.grid, size)
        tokens = tokens + attend_tokens(block.attn, block.norm1(tokens), biases[size])
        tokens = tokens + block.mlp(block.norm2(tokens))
    return tokens


def window_bias(visible: Tensor, grid: int, window_size: int) -> Tensor:
    """Attention bias that separates tokens at (B, V) row-major positions of different windows.

    Returns:
        (B, 1, V, V) float32, 0 within a window and minus infinity between windows.
    """
    row = torch.div(visible, grid, rounding_mode="floor")
    column = visible % grid
    window = torch.div(row, window_size, rounding_mode="floor") * grid
    window = window + torch.div(column, window_size, rounding_mode="floor")  # (B, V), one by one
    same = window[:, :, None] == window[:, None, :]
    bias = torch.zeros(same.shape, device=visible.device).masked_fill(~same, float("-inf"))
    return bias[:, None]


def attend_tokens(layer: ViTAttention, tokens: Tensor, bias: Tensor | None) -> Tensor:
    """A ViT's self-attention over a list of tokens: (B, V, C), (B, 1, V, V) -> (B, V, C)."""
    batch, length, dim = tokens.shape
    qkv = layer.qkv(tokens).reshape(batch, length, 3, layer.heads, dim // layer.heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, V, C / heads)
    attended = attention(q, k, v, None if bias is None else bias.to(q.dtype))
    return layer.proj(attended.transpose(1, 2).reshape(tokens.shape))  # type: ignore[no-any-return]


class MaskedStudent(nn.Module):
    """An image encoder with a decoder for hidden tokens, and a projection to the teacher.

    Merged tokens pass through the encoder's own neck before the linear projection. The paper
    projects the ViT's tokens; here training starts from the neck, too, so it is pretrained as
    well.

    Args:
        decoder_depth: blocks of the cross-attention decoder.
        teacher_channels: D.
    """

    def __init__(
        self, encoder: ImageEncoder, config: ModelConfig, decoder_depth: int, teacher_channels: int
    ) -> None:
        super().__init__()
        self.grid = config.grid
        self.image_encoder = encoder
        self.decoder = MaskedDecoder(config.embed_dim, config.heads, decoder_depth, config.grid)
        self.projection = nn.Linear(config.hidden_dim, teacher_channels)

    def forward(self, image: Tensor, split: TokenSplit) -> Tensor:
        """Predict the teacher's features from the visible tokens: (B, 3, S, S) -> (B, L, D)."""
        visible = encode_visible(self.image_encoder.trunk, image, split.visible)  # (B, V, C)
        hidden = self.decoder(visible, split)  # (B, M, C)
        merged = merge_tokens(visible, hidden.to(visible.dtype), split)  # (B, L, C)
        grid = merged.transpose(1, 2).reshape(len(merged), -1, self.grid, self.grid)
        return self._project(self.image_encoder.neck(grid))  # neck takes (B, C, h, w)

    def whole(self, image: Tensor) -> Tensor:
        """The same prediction from the whole picture, as the encoder is used later: (B, L, D)."""
        return self._project(self.image_encoder(image))

    def _project(self, feature: Tensor) -> Tensor:
        return self.projection(feature.flatten(2).transpose(1, 2))  # type: ignore[no-any-return]

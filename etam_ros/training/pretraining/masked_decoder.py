"""Hide most tokens of a picture, and reconstruct them from the others by cross-attention.

Source: the cross-attention decoder of EfficientSAM's SAMI pretraining (arXiv 2312.00863,
section 3), from its description. Letters: B pictures, h = w token grid, L = h * w tokens, V of
them visible and M hidden, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from etam_ros.errors import ConfigError
from etam_ros.model.layers import MLP, Attention
from etam_ros.model.positions import sine_positions

MLP_RATIO = 4


@dataclass(frozen=True)
class TokenSplit:
    """Which tokens of each picture are visible, and which are hidden.

    Attributes:
        visible: (B, V) int64, row-major positions in the grid.
        hidden: (B, M) int64, all others.
    """

    visible: Tensor
    hidden: Tensor

    def to(self, device: torch.device) -> TokenSplit:
        """The same split on a device."""
        return TokenSplit(self.visible.to(device), self.hidden.to(device))


def draw_split(
    pictures: int, tokens: int, hidden_share: float, generator: torch.Generator
) -> TokenSplit:
    """Hide a random share of each picture's tokens, uniformly distributed.

    Args:
        pictures: B.
        tokens: L.
        hidden_share: 0 <= share < 1; at least one token stays visible.

    Raises:
        ConfigError: the share hides everything.
    """
    hidden = round(tokens * hidden_share)
    if not 0 <= hidden < tokens:
        raise ConfigError(
            f"hidden share is {hidden_share:g} of {tokens} tokens, expected at least one "
            "visible token: give a share from 0 to below 1"
        )
    order = torch.rand(pictures, tokens, generator=generator).argsort(dim=1)  # (B, L)
    return TokenSplit(visible=order[:, hidden:], hidden=order[:, :hidden])


def take_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Tokens at the given positions: (B or 1, L, C), (B, K) -> (B, K, C)."""
    tokens = tokens.expand(len(index), -1, -1)
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))


def merge_tokens(visible: Tensor, hidden: Tensor, split: TokenSplit) -> Tensor:
    """Put tokens in the order of a split, (B, V, C) and (B, M, C), back in row-major order."""
    origin = torch.cat((split.visible, split.hidden), dim=1)  # (B, L)
    return take_tokens(torch.cat((visible, hidden), dim=1), origin.argsort(dim=1))


class CrossAttentionBlock(nn.Module):
    """Pre-norm cross-attention and MLP, for the hidden tokens only."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, MLP_RATIO * dim, dim, depth=2, gelu=True)

    def forward(self, hidden: Tensor, visible: Tensor) -> Tensor:
        """(B, M, C), (B, V, C) -> (B, M, C): hidden tokens attend to all tokens."""
        queries = self.norm1(hidden)
        keys = torch.cat((self.norm1(visible), queries), dim=1)  # (B, V + M, C)
        hidden = hidden + self.attn(queries, keys, keys)
        return hidden + self.mlp(self.norm2(hidden))  # type: ignore[no-any-return]


class MaskedDecoder(nn.Module):
    """Reconstructs the hidden tokens of a picture from its encoded visible ones.

    Hidden tokens start as one learned token plus their position. Visible tokens get their
    position, too, but are not updated.

    Args:
        dim: C, channels of the encoder's tokens; a multiple of 4 and of heads.
        grid: h = w.

    Raises:
        ConfigError: the number of channels is not supported.
    """

    positions: Tensor

    def __init__(self, dim: int, heads: int, depth: int, grid: int) -> None:
        super().__init__()
        if dim % 4 or dim % heads:
            raise ConfigError(
                f"the encoder has {dim} channels and {heads} heads, expected a multiple of 4 and "
                "of the heads: choose another student"
            )
        self.hidden_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.blocks = nn.ModuleList(CrossAttentionBlock(dim, heads) for _ in range(depth))
        positions = sine_positions(dim, grid, grid).flatten(1).T[None]  # (1, L, C)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, visible: Tensor, split: TokenSplit) -> Tensor:
        """(B, V, C) encoded visible tokens -> (B, M, C) reconstructed hidden ones."""
        hidden = self.hidden_token + take_tokens(self.positions, split.hidden)
        visible = visible + take_tokens(self.positions, split.visible)
        for block in self.blocks:
            hidden = block(hidden, visible)
        return hidden

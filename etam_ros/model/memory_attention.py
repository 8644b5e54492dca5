"""The memory attention: the frame's tokens attend to themselves and to what is remembered.

Source: MemoryAttention of SAM 2 and the pooled cross-attentions of EfficientTAM (Apache-2.0;
arXiv 2411.18933, section 3.2). Letters: B objects, L = h * w tokens, D hidden dim, E memory dim,
M memory frames, P pointer tokens.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model.config import ModelConfig
from etam_ros.model.layers import Attention, LayerNorm, attention
from etam_ros.model.positions import HalvedLinear, rotary_table, rotate, sine_positions

POOL = 2
RotaryTable = tuple[Tensor, Tensor]
"""Cosines and sines of a rotary encoding, (tokens, D / 2) float32 each."""
EMPTY_PENALTY: Final = -1e4
"""Added to the logits of an empty slot's keys: exp of it is zero, and float16 has it."""


class Penalty(NamedTuple):
    """What is added to the logits of keys: (B, M) of memories, (B, P) of pointer tokens."""

    memories: Tensor
    pointers: Tensor

    @staticmethod
    def of(memories: Tensor, pointers: Tensor, *, width: int) -> Penalty:
        """The penalty of empty slots: (B, M) and (B, R) bool, R * width = P."""
        return Penalty(
            memories.float() * EMPTY_PENALTY,
            pointers.float().repeat_interleave(width, dim=1) * EMPTY_PENALTY,
        )


class BankTokens(NamedTuple):
    """A bank as keys and values.

    Attributes:
        keys: (B, M * L + P, E) memories with their positions, pointer tokens last.
        values: (B, M * L + P, E) the same without positions.
        frames: M.
        rotary: rotary table of the keys.
        penalty: of the keys of empty slots; None: none is empty.
    """

    keys: Tensor
    values: Tensor
    frames: int
    rotary: RotaryTable
    penalty: Penalty | None = None


class RotarySelfAttention(Attention):
    """Self-attention with rotary queries and keys, one head."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config.hidden_dim, heads=1)
        self.q_proj = HalvedLinear(config.hidden_dim, config.hidden_dim)
        self.k_proj = HalvedLinear(config.hidden_dim, config.hidden_dim)

    def forward(self, x: Tensor, rotary: RotaryTable) -> Tensor:  # type: ignore[override]
        """(B, L, D) -> (B, L, D)."""
        q = rotate(self.q_proj(x), *rotary)[:, None]  # (B, 1, L, D)
        k = rotate(self.k_proj(x), *rotary)[:, None]
        v = self.v_proj(x)[:, None]
        attended = attention(q, k, v)
        return self.out_proj(attended[:, 0])  # type: ignore[no-any-return]


class RotaryCrossAttention(Attention):
    """Cross-attention to memories: spatial keys are rotated, pointer tokens are not.

    With a pooling, spatial keys and values are averaged 2 x 2 within each memory frame once
    there is more than one frame.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config.hidden_dim, heads=1, key_dim=config.memory_dim)
        self.q_proj = HalvedLinear(config.hidden_dim, config.hidden_dim)
        self.k_proj = HalvedLinear(config.memory_dim, config.hidden_dim)
        self.grid = config.grid
        self.pooling = config.memory_pooling

    def forward(self, x: Tensor, bank: BankTokens, rotary: RotaryTable) -> Tensor:  # type: ignore[override]
        """Attend from the frame's tokens (B, L, D), with their rotary table, to a bank."""
        keys, values, frames, key_rotary, penalty = bank
        q = rotate(self.q_proj(x), *rotary)
        k = rotate(self.k_proj(keys), *key_rotary)
        spatial, cells, constant = frames * x.shape[1], x.shape[1], 0.0
        if self.pooling != "none" and frames > 1:
            pooled_k = self.pool(k[:, :spatial], frames)
            # Values are pooled before their projection: it is linear, and there are fewer then.
            pooled_values = self.pool(values[:, :spatial], frames)
            constant = math.log(POOL * POOL)
            if self.pooling == "keys":
                pooled_k, constant = pooled_k + constant, 0.0
            k = torch.cat((pooled_k, k[:, spatial:]), dim=1)
            values = torch.cat((pooled_values, values[:, spatial:]), dim=1)
            cells = cells // (POOL * POOL)
        pointers = keys.shape[1] - spatial
        bias = key_bias(k, frames, cells, pointers, constant, penalty)
        return self.attend(q, k, self.v_proj(values), bias)

    def pool(self, x: Tensor, frames: int) -> Tensor:
        """Average 2 x 2 neighbours of each frame: (B, M * L, D) -> (B, M * L / 4, D)."""
        batch, _, dim = x.shape
        half = self.grid // POOL
        cells = x.reshape(batch, frames, half, POOL, half, POOL, dim)
        rows = cells[:, :, :, 0] + cells[:, :, :, 1]  # (B, M, h / 2, w / 2, 2, D)
        pooled = (rows[:, :, :, :, 0] + rows[:, :, :, :, 1]) / (POOL * POOL)  # faster than a mean
        return pooled.reshape(batch, frames * half * half, dim)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
        """One head: (B, L, D), (B, K, D), (B, K, D) -> (B, L, D)."""
        attended = attention(q[:, None], k[:, None], v[:, None], bias)
        return self.out_proj(attended[:, 0])  # type: ignore[no-any-return]


def key_bias(
    like: Tensor, frames: int, cells: int, pointers: int, constant: float, penalty: Penalty | None
) -> Tensor | None:
    """What is added to the logits of each key.

    Args:
        like: of the type and on the device that it shall be.
        frames: M.
        cells: spatial keys of a memory frame.
        pointers: P.
        constant: for all spatial keys.
        penalty: for those of empty slots.

    Returns:
        (1 or B, 1, 1, M * cells + P), or None where it would be zero.
    """
    if penalty is not None:
        spatial = (penalty.memories + constant).repeat_interleave(cells, dim=1)
        return torch.cat((spatial, penalty.pointers), dim=1)[:, None, None].to(like.dtype)
    if constant == 0.0:
        return None
    bias = torch.cat((like.new_full((frames * cells,), constant), like.new_zeros(pointers)))
    return bias[None, None, None]


class MemoryAttentionLayer(nn.Module):
    """Pre-norm self-attention, cross-attention and feed-forward."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.self_attn = RotarySelfAttention(config)
        self.cross_attn_image = RotaryCrossAttention(config)
        self.linear1 = nn.Linear(dim, config.memory_ffn_dim)
        self.linear2 = nn.Linear(config.memory_ffn_dim, dim)
        self.norm1 = LayerNorm(dim)
        self.norm2 = LayerNorm(dim)
        self.norm3 = LayerNorm(dim)

    def self_attend(self, x: Tensor, rotary: RotaryTable) -> Tensor:
        """Attend to the frame itself: (B, L, D) -> (B, L, D)."""
        return x + self.self_attn(self.norm1(x), rotary)  # type: ignore[no-any-return]

    def cross_attend(self, x: Tensor, bank: BankTokens, rotary: RotaryTable) -> Tensor:
        """Attend to the bank, then the feed-forward part: (B, L, D) -> (B, L, D)."""
        x = x + self.cross_attn_image(self.norm2(x), bank, rotary)
        return x + self.linear2(functional.relu(self.linear1(self.norm3(x)), inplace=True))  # type: ignore[no-any-return]


class MemoryAttention(nn.Module):
    """Condition a feature on the bank of each object."""

    feature_position: Tensor
    memory_position: Tensor
    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        grid = config.grid
        self.pointer_width = config.hidden_dim // config.memory_dim
        self.layers = nn.ModuleList(
            MemoryAttentionLayer(config) for _ in range(config.memory_layers)
        )
        self.norm = LayerNorm(config.hidden_dim)
        cos, sin = rotary_table(config.hidden_dim, grid, grid)
        feature_position = sine_positions(config.hidden_dim, grid, grid).flatten(1).T  # (L, D)
        memory_position = sine_positions(config.memory_dim, grid, grid).flatten(1).T  # (L, E)
        self.register_buffer("feature_position", feature_position, persistent=False)
        self.register_buffer("memory_position", memory_position, persistent=False)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def self_attend(self, feature: Tensor) -> Tensor:
        """What the first layer sees of the frame itself, the same for all objects of it.

        Args:
            feature: (B, D, h, w); one row serves all objects of a frame.

        Returns:
            (B, L, D).
        """
        x = feature.flatten(2).transpose(1, 2)  # (B, L, D)
        x = (x + 0.1 * self.feature_position.to(x.dtype)).contiguous()
        return self.layers[0].self_attend(x, (self.cos, self.sin))  # type: ignore[operator, no-any-return]

    def forward(
        self,
        x: Tensor,
        memories: Tensor,
        temporal_position: Tensor,
        pointers: Tensor,
        empty: tuple[Tensor, Tensor] | None = None,
        pointer_position: Tensor | None = None,
    ) -> Tensor:
        """Condition one frame on B banks of equal length.

        Args:
            x: (1 or B, L, D), from `self_attend`.
            memories: (B, M, E, h, w).
            temporal_position: (B, M, E), what says how long ago each memory was.
            pointers: (B, R, D), R object pointers; each becomes D / E tokens.
            empty: (B, M) and (B, R) bool, slots that nothing may be read from; None: none is.
            pointer_position: (B, R, E), what says how long ago each pointer was; None: nothing.

        Returns:
            (B, D, h, w).
        """
        batch, frames, width = memories.shape[:3]
        tokens = memories.flatten(3).transpose(2, 3)  # (B, M, L, E)
        position = self.memory_position.to(tokens.dtype) + temporal_position[:, :, None, :]
        pointer_tokens = pointers.reshape(batch, -1, width)  # (B, P, E)
        values = torch.cat((tokens.flatten(1, 2), pointer_tokens), dim=1)
        pointer_keys = pointer_tokens
        if pointer_position is not None:
            of_tokens = pointer_position.repeat_interleave(self.pointer_width, dim=1)  # (B, P, E)
            pointer_keys = pointer_tokens + of_tokens
        keys = torch.cat(((tokens + position).flatten(1, 2), pointer_keys), dim=1)
        rotary = (self.cos, self.sin)
        key_rotary = self.key_table(frames, pointer_tokens.shape[1])
        penalty = None if empty is None else Penalty.of(*empty, width=self.pointer_width)
        bank = BankTokens(keys, values, frames, key_rotary, penalty)
        x = x.expand(batch, -1, -1)
        for index, layer in enumerate(self.layers):
            if index:
                x = layer.self_attend(x, rotary)  # type: ignore[operator]
            x = layer.cross_attend(x, bank, rotary)  # type: ignore[operator]
        return self.norm(x).transpose(1, 2).unflatten(2, memories.shape[-2:])  # type: ignore[no-any-return]

    def key_table(self, frames: int, pointer_tokens: int) -> RotaryTable:
        """Rotary table of the bank: every frame turns alike, pointer tokens do not turn."""
        still = self.cos.new_ones(pointer_tokens, self.cos.shape[1])
        cos = torch.cat((self.cos.repeat(frames, 1), still))  # (M * L + P, D / 2)
        sin = torch.cat((self.sin.repeat(frames, 1), torch.zeros_like(still)))
        return cos, sin

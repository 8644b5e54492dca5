"""Small parts that several files share.

In an exported graph, norms and softmax are computed in float32 whatever its precision; eager
kernels do so inside.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v.

    Written out in an exported graph, and where gradients are wanted on a CPU: the fused kernel is
    slow backwards there.

    Args:
        q: (..., Q, d).
        k: (..., K, d).
        v: (..., K, d).
        bias: broadcastable to (..., Q, K), or None.

    Returns:
        (..., Q, d).
    """
    exporting = torch.compiler.is_exporting()
    if exporting or (q.requires_grad and q.device.type == "cpu"):
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)  # (..., Q, K)
        if exporting:
            scores = scores.float()
        if bias is not None:
            scores = scores + bias
        attended: Tensor = scores.softmax(dim=-1).to(v.dtype) @ v
        return attended
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)


class LayerNorm(nn.LayerNorm):
    """Layer norm over the last dimension."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype is torch.float32 or not torch.compiler.is_exporting():
            return super().forward(x)
        weight, bias = self.weight.float(), self.bias.float()
        normed = functional.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps)
        return normed.to(x.dtype)


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (B, C, H, W), eps 1e-6.

    Operation by operation, too, what comes in float16 is squared in float32: above 255 the square
    is more than float16 holds.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        dtype = x.dtype
        if dtype is torch.float16 or torch.compiler.is_exporting():
            x = x.float()
        mean = x.mean(1, keepdim=True)  # (B, 1, H, W)
        centred = x - mean
        variance = centred.square().mean(1, keepdim=True)  # (B, 1, H, W)
        x = (centred * torch.rsqrt(variance + 1e-6)).to(dtype)
        return torch.addcmul(self.bias[:, None, None], x, self.weight[:, None, None])


class MLP(nn.Module):
    """Linear layers with an activation between them."""

    def __init__(
        self, in_dim: int, hidden_dim: int, out_dim: int, depth: int, gelu: bool = False
    ) -> None:
        super().__init__()
        dims = [in_dim] + [hidden_dim] * (depth - 1) + [out_dim]
        self.layers = nn.ModuleList(
            nn.Linear(width_in, width_out) for width_in, width_out in pairwise(dims)
        )
        self.gelu = gelu

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x)
            x = functional.gelu(x) if self.gelu else functional.relu(x)
        return self.layers[-1](x)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Multi-head attention with separate projections, optionally in a narrower space.

    Source: the attention layer of SAM's mask decoder (segment_anything, Apache-2.0).
    """

    def __init__(
        self, dim: int, heads: int, inner_dim: int | None = None, key_dim: int | None = None
    ) -> None:
        super().__init__()
        inner_dim = inner_dim or dim
        key_dim = key_dim or dim
        self.heads = heads
        self.q_proj = nn.Linear(dim, inner_dim)
        self.k_proj = nn.Linear(key_dim, inner_dim)
        self.v_proj = nn.Linear(key_dim, inner_dim)
        self.out_proj = nn.Linear(inner_dim, dim)

    def split_heads(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, heads, L, D / heads)."""
        batch, length, dim = x.shape
        return x.reshape(batch, length, self.heads, dim // self.heads).transpose(1, 2)

    def join_heads(self, x: Tensor) -> Tensor:
        """(B, heads, L, d) -> (B, L, heads * d)."""
        batch, heads, length, dim = x.shape
        return x.transpose(1, 2).reshape(batch, length, heads * dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, Q, D), (B, K, D'), (B, K, D') -> (B, Q, D)."""
        attended = attention(
            self.split_heads(self.q_proj(q)),
            self.split_heads(self.k_proj(k)),
            self.split_heads(self.v_proj(v)),
        )
        return self.out_proj(self.join_heads(attended))  # type: ignore[no-any-return]

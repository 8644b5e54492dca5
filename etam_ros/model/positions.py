"""Where a token sits: sine, rotary and random-Fourier position encodings, in real arithmetic."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

TEMPERATURE: Final = 10000.0


def sine_positions(channels: int, height: int, width: int) -> Tensor:
    """Sine position encoding of a grid: the y half first, then x; sin and cos interleaved.

    Source: PositionEmbeddingSine of SAM 2 (Apache-2.0), normalised to 2 pi.

    Returns:
        (channels, height, width) float32.
    """
    half = channels // 2
    exponent = 2 * (torch.arange(half, dtype=torch.float32) // 2) / half
    period = TEMPERATURE**exponent  # (half,)

    def encode(length: int) -> Tensor:
        position = torch.arange(1, length + 1, dtype=torch.float32)
        position = position / (position[-1:] + 1e-6) * (2 * math.pi)
        angle = position[:, None] / period  # (length, half)
        return torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)

    y = encode(height)[:, None, :].expand(height, width, half)
    x = encode(width)[None, :, :].expand(height, width, half)
    return torch.cat((y, x), dim=2).permute(2, 0, 1).contiguous()


def sine_of_numbers(numbers: Tensor, channels: int) -> Tensor:
    """Sine encoding of plain numbers: sines first, then cosines; each frequency occurs twice.

    Source: get_1d_sine_pe of SAM 2 (Apache-2.0).

    Args:
        numbers: (...) float32.
        channels: of the encoding, even.

    Returns:
        (..., channels) float32.
    """
    half = channels // 2
    index = torch.arange(half, dtype=torch.float32, device=numbers.device)
    period = TEMPERATURE ** (2 * torch.div(index, 2, rounding_mode="floor") / half)  # (half,)
    angle = numbers[..., None] / period  # (..., half)
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


def rotary_table(dim: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the axial rotary encoding: x turns the first pairs, y the others.

    Source: compute_axial_cis of SAM 2 (Apache-2.0), without complex numbers.

    Returns:
        two (height * width, dim / 2) float32 tables, one row per token in row-major order.
    """
    frequency = TEMPERATURE ** -(torch.arange(0, dim, 4, dtype=torch.float32) / dim)  # (dim / 4,)
    token = torch.arange(height * width)
    x = (token % width).float()[:, None] * frequency
    y = torch.div(token, width, rounding_mode="floor").float()[:, None] * frequency
    angle = torch.cat((x, y), dim=1)  # (h * w, dim / 2)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the channel pairs (j, j + dim / 2) of every token, in float32.

    The weights are trained for pairs (2j, 2j + 1); `HalvedLinear` brings them into this order,
    in which both members of all pairs lie side by side in memory. Dot products of queries and
    keys do not depend on the order.

    Args:
        x: (..., L, dim).
        cos, sin: (L, dim / 2) float32.

    Returns:
        (..., L, dim) of x's type.
    """
    real, imaginary = x.float().chunk(2, dim=-1)  # (..., L, dim / 2) each
    turned_real = torch.addcmul(real * cos, imaginary, sin, value=-1)
    turned_imaginary = torch.addcmul(real * sin, imaginary, cos)
    return torch.cat((turned_real, turned_imaginary), dim=-1).to(x.dtype)


class HalvedLinear(nn.Linear):
    """A projection that gives its channels in `rotate`'s order: even ones first, then odd ones.

    Its parameters are in the order in which they are trained, until they are fused.
    """

    fused = False

    def fuse(self) -> None:
        """Bring the parameters themselves into that order, once for all."""
        if not self.fused:
            self.weight.data, self.bias.data = self._halved()
            self.fused = True

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        weight, bias = (self.weight, self.bias) if self.fused else self._halved()
        return functional.linear(x, weight, bias)

    def _halved(self) -> tuple[Tensor, Tensor]:
        return (
            torch.cat((self.weight[0::2], self.weight[1::2])),
            torch.cat((self.bias[0::2], self.bias[1::2])),
        )


class RandomFourierPositions(nn.Module):
    """Points in the unit square through a fixed Gaussian matrix that is part of the checkpoint.

    Source: PositionEmbeddingRandom of segment_anything (Apache-2.0).
    """

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.zeros(2, channels // 2))

    def forward(self, points: Tensor) -> Tensor:
        """(..., 2) float32 in 0..1 as (x, y) -> (..., channels)."""
        angle = (2 * points - 1) @ self.positional_encoding_gaussian_matrix * (2 * math.pi)
        return torch.cat((angle.sin(), angle.cos()), dim=-1)

    def grid(self, height: int, width: int) -> Tensor:
        """Encoding of the cell centres of a grid: (channels, height, width)."""
        device = self.positional_encoding_gaussian_matrix.device
        y = (torch.arange(height, dtype=torch.float32, device=device) + 0.5) / height
        x = (torch.arange(width, dtype=torch.float32, device=device) + 0.5) / width
        centres = torch.stack((x.expand(height, width), y[:, None].expand(height, width)), dim=-1)
        return self(centres).permute(2, 0, 1)  # type: ignore[no-any-return]

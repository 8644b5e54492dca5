"""Means and maxima over squares, against those that are counted cell by cell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from etam_ros.cues.box_filter import box_max, box_mean


def counted(values: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Mean and maximum of the part of each square that lies in the picture."""
    means, maxima = torch.empty(values.shape), torch.empty(values.shape)
    for y in range(values.shape[-2]):
        for x in range(values.shape[-1]):
            rows, columns = (slice(max(at - reach, 0), at + reach + 1) for at in (y, x))
            square = values[..., rows, columns]
            means[..., y, x], maxima[..., y, x] = square.mean((-2, -1)), square.amax((-2, -1))
    return means, maxima


@pytest.mark.parametrize("reach", [0, 1, 4, 30])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 1, 7), (1, 2, 7, 1), (3, 2, 5, 9)])
def test_squares_end_where_the_picture_does(shape: tuple[int, ...], reach: int) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(reach)) - 3.0
    means, maxima = counted(values, reach)
    torch.testing.assert_close(box_mean(values, reach), means)
    torch.testing.assert_close(box_max(values, reach), maxima, rtol=0.0, atol=0.0)


@pytest.mark.parametrize(
    "seen",
    [
        lambda values: values.transpose(-2, -1),
        lambda values: values.flip(-1)[..., ::2],
        lambda values: values[:1, :1, :1].expand(2, 3, 6, 8),
        lambda values: values.contiguous(memory_format=torch.channels_last),
        lambda values: values.double(),
        lambda values: values.bfloat16(),
        lambda values: values.half(),
        lambda values: values > 0,
        lambda values: values.clone().requires_grad_(),
    ],
    ids=["turned", "stepped", "repeated", "channels", "f64", "bf16", "f16", "bool", "gradient"],
)
def test_values_may_lie_and_be_of_any_kind(seen: Callable[[Tensor], Tensor]) -> None:
    values = seen(torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(0)))
    means, maxima = counted(values.detach().float(), 2)
    torch.testing.assert_close(box_mean(values, 2).float(), means)
    torch.testing.assert_close(box_max(values, 2).float(), maxima)


def test_no_planes_are_no_planes() -> None:
    assert box_mean(torch.empty(0, 1, 4, 4), 2).shape == box_max(torch.empty(0, 1, 4, 4), 2).shape

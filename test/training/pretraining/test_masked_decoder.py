"""What is hidden, who asks, and where rebuilt tokens go."""

from __future__ import annotations

import pytest
import torch

from etam_ros.errors import ConfigError
from etam_ros.training.pretraining.masked_decoder import (
    CrossAttentionBlock,
    MaskedDecoder,
    TokenSplit,
    draw_split,
    merge_tokens,
    take_tokens,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_three_quarters_are_hidden_and_every_token_is_somewhere() -> None:
    split = draw_split(5, 64, 0.75, generator())
    assert split.visible.shape == (5, 16)
    assert split.hidden.shape == (5, 48)
    together = torch.cat((split.visible, split.hidden), dim=1).sort(dim=1).values
    assert together.eq(torch.arange(64)).all()


def test_pictures_hide_different_tokens_all_of_them_as_often() -> None:
    split = draw_split(4000, 16, 0.75, generator())
    assert not split.hidden[0].sort().values.eq(split.hidden[1].sort().values).all()
    share = torch.bincount(split.hidden.flatten(), minlength=16) / 4000
    assert share.sub(0.75).abs().max() < 0.04


def test_hiding_follows_from_the_generator() -> None:
    first, second = draw_split(3, 64, 0.75, generator(7)), draw_split(3, 64, 0.75, generator(7))
    assert first.hidden.equal(second.hidden)
    assert not first.hidden.equal(draw_split(3, 64, 0.75, generator(8)).hidden)


@pytest.mark.parametrize("share", [1.0, 1.5, -0.1])
def test_something_stays_visible(share: float) -> None:
    with pytest.raises(ConfigError, match="expected at least one visible token"):
        draw_split(1, 64, share, generator())


def test_merged_tokens_are_in_the_order_of_the_grid() -> None:
    split = TokenSplit(visible=torch.tensor([[3, 0]]), hidden=torch.tensor([[5, 1, 4, 2]]))
    visible = torch.tensor([[[30.0], [0.0]]])
    hidden = torch.tensor([[[50.0], [10.0], [40.0], [20.0]]])
    merged = merge_tokens(visible, hidden, split)
    assert merged[0, :, 0].tolist() == [0, 10, 20, 30, 40, 50]


def test_merging_undoes_taking() -> None:
    tokens = torch.randn(3, 64, 8, generator=generator())
    split = draw_split(3, 64, 0.75, generator(1))
    visible, hidden = take_tokens(tokens, split.visible), take_tokens(tokens, split.hidden)
    assert merge_tokens(visible, hidden, split).equal(tokens)


def test_queries_are_the_hidden_tokens_only_keys_are_all() -> None:
    decoder = MaskedDecoder(dim=32, heads=2, depth=2, grid=8)
    asked: list[tuple[int, ...]] = []
    answered: list[tuple[int, ...]] = []
    for block in decoder.blocks:
        block.attn.q_proj.register_forward_hook(lambda _m, x, _y: asked.append(x[0].shape))
        block.attn.k_proj.register_forward_hook(lambda _m, x, _y: answered.append(x[0].shape))
    split = draw_split(2, 64, 0.75, generator())
    rebuilt = decoder(torch.randn(2, 16, 32), split)
    assert rebuilt.shape == (2, 48, 32)
    assert asked == [(2, 48, 32)] * 2
    assert answered == [(2, 64, 32)] * 2


def test_a_rebuilt_token_belongs_to_its_place_whatever_the_order() -> None:
    torch.manual_seed(0)
    decoder = MaskedDecoder(dim=32, heads=2, depth=2, grid=4).eval()
    split = draw_split(1, 16, 0.75, generator())
    visible = torch.randn(1, 4, 32)
    shuffled = torch.randperm(12, generator=generator(2))
    other = TokenSplit(split.visible[:, [2, 0, 3, 1]], split.hidden[:, shuffled])
    with torch.no_grad():
        merged = merge_tokens(visible, decoder(visible, split), split)
        visible = visible[:, [2, 0, 3, 1]]
        again = merge_tokens(visible, decoder(visible, other), other)
    torch.testing.assert_close(merged, again, rtol=0, atol=1e-5)


def test_hidden_tokens_see_the_visible_ones_and_each_other() -> None:
    torch.manual_seed(0)
    block = CrossAttentionBlock(32, 2)
    hidden = torch.randn(1, 3, 32, requires_grad=True)
    visible = torch.randn(1, 5, 32, requires_grad=True)
    block(hidden, visible)[0, 0].sum().backward()
    assert visible.grad is not None
    assert hidden.grad is not None
    assert visible.grad.abs().sum(dim=2).gt(0).all()
    assert hidden.grad.abs().sum(dim=2).gt(0).all()


def test_an_encoder_of_odd_width_is_refused_in_a_line() -> None:
    with pytest.raises(ConfigError, match="expected a multiple of 4"):
        MaskedDecoder(dim=30, heads=2, depth=1, grid=4)

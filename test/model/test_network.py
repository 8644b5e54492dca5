"""The network's layout, its smaller sizes, and what may not slip in."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from etam_ros.errors import ConfigError
from etam_ros.model import MODELS, EfficientTAM, ModelConfig, model_config
from etam_ros.model.checkpoint import random_state_dict
from etam_ros.model.config import TINY_TEST
from etam_ros.model.image_encoder import join_windows, split_windows
from etam_ros.model.layers import LayerNorm2d
from etam_ros.model.memory_attention import BankTokens, RotaryCrossAttention
from etam_ros.model.positions import HalvedLinear, rotary_table, rotate
from etam_ros.runtime.backends.torch.weights import PARAMETERS

NAMES = {
    f"efficienttam_{size}{suffix}"
    for size in ("s", "ti")
    for suffix in ("", "_1", "_2", "_512x512")
}


def test_the_eight_official_configurations_are_there() -> None:
    pooled = {f"{name}_pooled" for name in NAMES if not name.endswith(("_1", "_2"))}
    others = {"etam_nano", *(name for name in MODELS if name.startswith("sam2"))}
    assert set(MODELS) == NAMES | pooled | others
    for name in NAMES:
        config = MODELS[name]
        assert config.image_size == (512 if name.endswith("512x512") else 1024)
        assert config.embed_dim // config.heads == 64


def test_pooled_configurations_run_the_weights_of_the_unpooled() -> None:
    pooled, plain = (
        model_config(f"efficienttam_ti{name}") for name in ("_512x512_pooled", "_512x512")
    )
    assert pooled.weights_name == plain.weights_name == plain.name
    assert replace(pooled, name=plain.name, memory_pooling="none", weights_of="") == plain
    with torch.device("meta"):
        layouts = [EfficientTAM(config).state_dict() for config in (pooled, plain)]
    assert layouts[0].keys() == layouts[1].keys()


@pytest.mark.parametrize("size", ["s", "ti"])
def test_the_state_dict_has_the_official_layout(shared: Path, size: str) -> None:
    shapes = json.loads((shared / "golden" / "state_dict_shapes.json").read_text())[size]
    for suffix in ("", "_1", "_512x512"):
        with torch.device("meta"):
            network = EfficientTAM(MODELS[f"efficienttam_{size}{suffix}"])
        assert {name: list(value.shape) for name, value in network.state_dict().items()} == shapes


@pytest.mark.parametrize(("size", "parameters"), [("s", 34_055_842), ("ti", 17_866_018)])
def test_the_networks_are_as_large_as_the_official_ones(size: str, parameters: int) -> None:
    with torch.device("meta"):
        network = EfficientTAM(MODELS[f"efficienttam_{size}"])
    assert sum(value.numel() for value in network.parameters()) == parameters


def test_our_own_network_is_small() -> None:
    with torch.device("meta"):
        network = EfficientTAM(MODELS["etam_nano"])
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS["etam_nano"] < 6e6


@settings(max_examples=12, deadline=None)
@given(
    patch=st.sampled_from([8, 16]),
    grid=st.sampled_from([4, 6, 8]),
    hidden=st.sampled_from([32, 64]),
    memory=st.sampled_from([8, 16]),
    layers=st.integers(1, 3),
    frames=st.integers(2, 5),
    pooling=st.sampled_from(["none", "logits", "keys"]),
)
def test_smaller_networks_can_be_built_and_run(
    patch: int, grid: int, hidden: int, memory: int, layers: int, frames: int, pooling: str
) -> None:
    config = ModelConfig(
        "small",
        image_size=patch * grid,
        embed_dim=32,
        heads=2,
        patch_size=patch,
        depth=2,
        window_size=3,
        global_blocks=(1,),
        hidden_dim=hidden,
        memory_dim=memory,
        memory_layers=layers,
        memory_ffn_dim=64,
        memory_frames=frames,
        memory_pooling=pooling,
        decoder_heads=4,
        decoder_mlp_dim=64,
    )
    network = EfficientTAM(config).eval()
    network.load_state_dict(random_state_dict(network, 0))
    with torch.inference_mode():
        (feature,) = network.encode_image(torch.randn(1, 3, config.image_size, config.image_size))
        memories = torch.randn(2, 3, memory, grid, grid)
        index = torch.tensor([[frames - 1, 1, 0]] * 2)
        seen, pointers = network.self_attend(feature), torch.randn(2, 5, hidden)
        conditioned = network.cross_attend(seen, memories, index, pointers)
        masks, ious, pointers, scores = network.decode_mask(
            conditioned, torch.zeros(2, 1, 2), torch.full((2, 1), -1), None
        )
        stored = network.encode_memory(feature, masks[:, :1], torch.tensor([True, False]))
    assert masks.shape == (2, 4, 4 * grid, 4 * grid)
    assert (ious.shape, pointers.shape, scores.shape) == ((2, 4), (2, 4, hidden), (2, 1))
    assert stored.shape == (2, memory, grid, grid)
    assert torch.isfinite(stored).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_size": 100}, "multiple of patch_size"),
        ({"heads": 5}, "multiple of heads"),
        ({"global_blocks": (0,)}, "last block is global"),
        ({"memory_dim": 48}, "multiple of memory_dim"),
        ({"memory_pooling": "max"}, "none, logits, keys"),
        ({"patch_size": 12, "image_size": 144}, "power of two"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(TINY_TEST, **change)


def test_an_unknown_model_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean efficienttam_ti_512x512"):
        model_config("efficientam_ti_512x51")


@given(height=st.integers(1, 40), width=st.integers(1, 40), size=st.integers(1, 16))
def test_windows_are_joined_to_what_was_split(height: int, width: int, size: int) -> None:
    x = torch.arange(2 * height * width * 3.0).reshape(2, height, width, 3)
    windows = split_windows(x, size)
    assert windows.shape[1:] == (size, size, 3)
    assert torch.equal(join_windows(windows, height, width), x)


def test_window_padding_takes_part_in_the_attention() -> None:
    block = EfficientTAM(TINY_TEST).image_encoder.trunk.blocks[0].eval()
    x = torch.randn(1, 8, 8, 32)
    padded = functional.pad(block.norm1(x), (0, 0, 0, 1, 0, 1))
    corner = block.attn(padded[:, 6:9, 6:9])[:, :2, :2]
    expected = x[:, 6:, 6:] + corner
    expected = expected + block.mlp(block.norm2(expected))
    with torch.no_grad():
        assert torch.allclose(block(x)[:, 6:, 6:], expected, atol=1e-5)


def test_rotation_equals_complex_multiplication_of_interleaved_pairs() -> None:
    projection = HalvedLinear(16, 16)
    x = torch.randn(2, 12, 16)
    cos, sin = rotary_table(16, 3, 4)
    turned = rotate(projection(x), cos, sin)
    plain = torch.nn.functional.linear(x, projection.weight, projection.bias)
    pairs = torch.view_as_complex(plain.unflatten(-1, (8, 2)).contiguous())
    expected = torch.view_as_real(pairs * torch.complex(cos, sin))  # (2, 12, 8, 2)
    assert torch.allclose(turned[..., :8], expected[..., 0], atol=1e-5)
    assert torch.allclose(turned[..., 8:], expected[..., 1], atol=1e-5)


def test_a_network_whose_tables_are_fixed_computes_the_same() -> None:
    config = replace(TINY_TEST, memory_pooling="logits")
    network = EfficientTAM(config)
    network.load_state_dict(random_state_dict(network, 3))
    fixed = EfficientTAM(config)
    fixed.load_state_dict(network.state_dict())
    for _ in range(2):  # twice is once
        fixed.fuse()
    generator = torch.Generator().manual_seed(0)
    side, grid = config.image_size, config.grid
    image = torch.randn(1, 3, side, side, generator=generator)
    memories = torch.randn(2, 3, config.memory_dim, grid, grid, generator=generator)
    pointers = torch.randn(2, 3, config.hidden_dim, generator=generator)
    index = torch.tensor([[6, 0, 1], [6, 0, 2]])
    points, labels = torch.rand(2, 1, 2, generator=generator) * side, torch.ones(2, 1).long()
    outputs = []
    for each in (network, fixed):
        with torch.no_grad():
            (feature,) = each.encode_image(image)
            conditioned = each.cross_attend(each.self_attend(feature), memories, index, pointers)
            decoded = each.decode_mask(conditioned, points, labels, None)
        outputs.append((feature, conditioned, *decoded))
    for plain, same in zip(*outputs, strict=True):
        assert torch.allclose(plain, same, atol=1e-5)


@pytest.mark.parametrize("pooling", ["none", "logits", "keys"])
def test_empty_slots_are_not_read(pooling: str) -> None:
    config = replace(TINY_TEST, memory_pooling=pooling)
    network = EfficientTAM(config).eval()
    network.load_state_dict(random_state_dict(network, 3))
    generator = torch.Generator().manual_seed(0)
    grid = config.grid
    feature = torch.randn(1, config.hidden_dim, grid, grid, generator=generator)
    memories = torch.randn(2, 4, config.memory_dim, grid, grid, generator=generator)
    pointers = torch.randn(2, 3, config.hidden_dim, generator=generator)
    index = torch.tensor([[6, 0, 1, 2], [6, 0, 1, 2]])
    empty = (
        torch.arange(4) >= torch.tensor([[2], [3]]),
        torch.arange(3) >= torch.tensor([[1], [2]]),
    )
    with torch.no_grad():
        seen = network.self_attend(feature)
        padded = network.cross_attend(seen, memories, index, pointers, empty)
        for row, (slots, count) in enumerate(((2, 1), (3, 2))):
            alone = network.cross_attend(
                seen,
                memories[row : row + 1, :slots],
                index[row : row + 1, :slots],
                pointers[row : row + 1, :count],
            )
            assert torch.allclose(padded[row], alone[0], atol=1e-5)


def test_the_first_rotary_pairs_turn_with_x_and_the_others_with_y() -> None:
    cos, _ = rotary_table(8, 2, 3)
    assert cos[1].tolist() == pytest.approx([math.cos(1), math.cos(0.01), 1, 1])
    assert cos[3].tolist() == pytest.approx([1, 1, math.cos(1), math.cos(0.01)])


def attend(pooling: str, frames: int) -> tuple[torch.Tensor, ...]:
    config = replace(TINY_TEST, memory_pooling=pooling)
    torch.manual_seed(0)
    layer = RotaryCrossAttention(config).eval()
    generator = torch.Generator().manual_seed(1)
    tokens, pointers = config.grid**2, 8
    x = torch.randn(1, tokens, config.hidden_dim, generator=generator)
    keys = torch.randn(1, frames * tokens + pointers, config.memory_dim, generator=generator)
    cos, sin = rotary_table(config.hidden_dim, config.grid, config.grid)
    still = torch.ones(pointers, cos.shape[1])
    turn = (cos, sin)
    key_turn = (
        torch.cat((cos.repeat(frames, 1), still)),
        torch.cat((sin.repeat(frames, 1), 0 * still)),
    )
    with torch.no_grad():
        return (
            layer(x, BankTokens(keys, keys, frames, key_turn), turn),
            layer,
            x,
            keys,
            turn,
            key_turn,
        )


@pytest.mark.parametrize("pooling", ["logits", "keys"])
def test_one_memory_is_not_pooled(pooling: str) -> None:
    assert torch.equal(attend(pooling, 1)[0], attend("none", 1)[0])


def test_pooled_attention_equals_repeated_pooled_tokens() -> None:
    """Lemma 1 of the paper: the constant stands for the tokens that were averaged away."""
    out, layer, x, keys, turn, key_turn = attend("logits", 2)
    tokens = x.shape[1]
    with torch.no_grad():
        q = rotate(layer.q_proj(x), *turn)
        k = rotate(layer.k_proj(keys), *key_turn)
        v = layer.v_proj(keys)
        k, v = (
            torch.cat((layer.pool(y[:, : 2 * tokens], 2).repeat(1, 4, 1), y[:, 2 * tokens :]), 1)
            for y in (k, v)
        )
        expected = layer.attend(q, k, v)
    assert torch.allclose(out, expected, atol=1e-5)


def test_the_two_pooled_variants_differ() -> None:
    assert not torch.allclose(attend("logits", 2)[0], attend("keys", 2)[0], atol=1e-4)


def test_no_mask_and_zeros_carry_the_same() -> None:
    """Graphs get zeros where there is no mask of the frame before."""
    network = EfficientTAM(replace(model_config("tiny_test"), carries_masks=True)).eval()
    decoder = network.sam_mask_decoder
    config = network.config
    feature = torch.randn(2, config.hidden_dim, config.grid, config.grid)
    sparse = torch.randn(2, 3, config.hidden_dim)
    positions = network.sam_prompt_encoder.grid_positions()
    dense = torch.zeros(1, config.hidden_dim, 1, 1)
    nothing = torch.zeros(2, 1, config.mask_size, config.mask_size)
    with torch.inference_mode():
        without = decoder(feature, positions, sparse, dense)
        zeros = decoder(feature, positions, sparse, dense, nothing)
        shown = decoder(feature, positions, sparse, dense, nothing + 9.0)
    assert torch.equal(without[0], zeros[0])
    assert not torch.allclose(without[0], shown[0])


def test_large_values_are_normed_in_float16_too() -> None:
    norm = LayerNorm2d(8)
    x = 1000.0 * torch.randn(1, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    expected = norm(x)
    found = norm.half()(x.half())
    assert found.dtype is torch.float16
    torch.testing.assert_close(found.float(), expected, rtol=0.01, atol=0.01)

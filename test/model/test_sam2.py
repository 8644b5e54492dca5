"""SAM 2's layout, and the parts that it has more than EfficientTAM, on a small Hiera."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from etam_ros.errors import ConfigError
from etam_ros.model import MODELS, EfficientTAM, model_config
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_HIERA
from etam_ros.model.hiera.config import SIZES
from etam_ros.model.hiera.trunk import HieraBlock
from etam_ros.model.positions import sine_of_numbers
from etam_ros.runtime.backends.torch.weights import PARAMETERS, repository_of

NAMES = [f"{version}_hiera_{size}" for version in ("sam2.1", "sam2") for size in SIZES]
ONLY_2_1 = {"no_obj_embed_spatial", "obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias"}


def shapes_of(name: str) -> dict[str, list[int]]:
    with torch.device("meta"):
        state = EfficientTAM(model_config(name)).state_dict()
    return {key: list(value.shape) for key, value in state.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_state_dict_has_the_official_layout(shared: Path, name: str) -> None:
    official = json.loads((shared / "golden" / "sam2" / "state_dict_shapes.json").read_text())
    expected = dict(official[name.replace("sam2_", "sam2.1_")])
    if name.startswith("sam2_"):
        for key in ONLY_2_1:
            del expected[key]
        assert name not in official or official[name] == expected
    assert shapes_of(name) == shapes_of(f"{name}_512x512") == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_are_as_large_as_the_official_ones(name: str) -> None:
    with torch.device("meta"):
        network = EfficientTAM(MODELS[name])
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS[name]


def test_weights_at_512_pixels_are_those_at_1024() -> None:
    for name in NAMES:
        smaller, config = MODELS[f"{name}_512x512"], MODELS[name]
        assert (smaller.image_size, config.image_size) == (512, 1024)
        assert smaller.weights_name == config.weights_name == name
    assert repository_of("sam2.1_hiera_base_plus_512x512") == "facebook/sam2.1-hiera-base-plus"
    assert repository_of("sam2_hiera_tiny") == "facebook/sam2-hiera-tiny"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"heads": 3}, "width is a multiple of heads"),
        ({"windows": (8, 4, 7, 7)}, "halved are even"),
        ({"windows": (6, 4, 6, 3)}, "multiple of its window"),
        ({"global_blocks": (2,)}, "third stage"),
        ({"blocks": (1, 0, 3, 1)}, "every stage has a block"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], words: str) -> None:
    assert TINY_HIERA.hiera is not None
    with pytest.raises(ConfigError, match=words):
        replace(TINY_HIERA, hiera=replace(TINY_HIERA.hiera, **change))


def test_the_image_size_has_to_fit() -> None:
    with pytest.raises(ConfigError, match="multiple of 32"):
        replace(TINY_HIERA, image_size=144)


def test_a_block_that_halves_does_so_within_padded_windows() -> None:
    """Written out: pad after the norm, halve queries and the projected input, cut the rest off."""
    torch.manual_seed(0)
    block = HieraBlock(8, 16, 2, window_size=6, mlp_ratio=4).eval()
    x = torch.randn(1, 8, 8, 8)
    assert block.proj is not None
    with torch.no_grad():
        normed = block.norm1(x)
        padded = functional.pad(normed, (0, 0, 0, 4, 0, 4))  # 12 x 12, four windows
        rows = []
        for top in (0, 6):
            windows = [padded[:, top : top + 6, left : left + 6] for left in (0, 6)]
            rows.append(torch.cat([block.attn(window) for window in windows], dim=2))
        attended = torch.cat(rows, dim=1)[:, :4, :4]
        past = functional.max_pool2d(block.proj(normed).permute(0, 3, 1, 2), 2)
        expected = past.permute(0, 2, 3, 1) + attended
        expected = expected + block.mlp(block.norm2(expected))
        torch.testing.assert_close(block(x), expected)


def test_a_network_whose_tables_are_fixed_encodes_the_same() -> None:
    network = load_network(TINY_HIERA, "random:3")
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    expected = network.encode_image(image)
    assert [tuple(level.shape[1:]) for level in expected] == [
        (64, 8, 8), (8, 32, 32), (16, 16, 16),
    ]  # fmt: skip
    for _ in range(2):  # twice is once
        network.fuse()
        for level, same in zip(network.encode_image(image), expected, strict=True):
            torch.testing.assert_close(level, same)


def test_pointers_are_read_with_their_age() -> None:
    network = load_network(TINY_HIERA, "random:3")
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(1, 64, 64, generator=generator)
    memories = torch.randn(1, 1, 16, 8, 8, generator=generator)
    index, pointers = torch.tensor([[6]]), torch.randn(1, 2, 64, generator=generator)

    def conditioned(*ages: float) -> torch.Tensor:
        return network.cross_attend(
            seen, memories, index, pointers, pointer_ages=torch.tensor([ages])
        )

    assert not torch.equal(conditioned(1.0, 300.0), conditioned(1.0, 15.0))
    assert torch.equal(conditioned(2.0, 3.0), conditioned(2.0, 3.0))


def test_numbers_are_encoded_by_sines_and_then_cosines_of_frequencies_in_pairs() -> None:
    encoded = sine_of_numbers(torch.tensor([[0.5]]), 8)[0, 0]
    angles = torch.tensor([0.5, 0.5, 0.5 / 100, 0.5 / 100])
    torch.testing.assert_close(encoded, torch.cat((angles.sin(), angles.cos())))


def test_memories_of_occluded_objects_say_so() -> None:
    network = load_network(TINY_HIERA, "random:3")
    memories = torch.zeros(2, 16, 8, 8)
    marked = network.mark_occlusion(memories, torch.tensor([-0.1, 0.1]))
    assert network.no_obj_embed_spatial is not None
    assert torch.equal(marked[0, :, 3, 4], network.no_obj_embed_spatial[0])
    assert torch.equal(marked[1], memories[1])

"""Parameter groups, schedule, averaged weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from etam_ros.errors import TrainingError
from etam_ros.model import EfficientTAM, model_config
from etam_ros.training.optimization import (
    AverageWeights,
    clip_gradients,
    learning_rate_factor,
    make_optimizer,
    parameter_groups,
    set_learning_rate,
)


@pytest.fixture(scope="module")
def groups_by_name():
    network = EfficientTAM(model_config("tiny_test"))
    groups = parameter_groups(network, weight_decay=0.05, layer_decay=0.5)
    found = {name: group for group in groups for name in group["names"]}
    assert set(found) == {name for name, _ in network.named_parameters()}
    return found


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("image_encoder.trunk.pos_embed", 0.125),
        ("image_encoder.trunk.patch_embed.proj.weight", 0.125),
        ("image_encoder.trunk.blocks.0.mlp.layers.0.weight", 0.25),
        ("image_encoder.trunk.blocks.1.attn.qkv.bias", 0.5),
        ("image_encoder.neck.convs.0.conv_1x1.weight", 1.0),
        ("memory_attention.layers.0.linear1.weight", 1.0),
    ],
)
def test_deeper_layers_learn_faster(groups_by_name, name, scale):
    assert groups_by_name[name]["lr_scale"] == scale


@pytest.mark.parametrize(
    ("name", "decay"),
    [
        ("image_encoder.trunk.patch_embed.proj.weight", 0.05),
        ("sam_mask_decoder.output_upscaling.0.weight", 0.05),
        ("obj_ptr_proj.layers.0.weight", 0.05),
        ("obj_ptr_proj.layers.0.bias", 0.0),
        ("image_encoder.trunk.pos_embed", 0.0),
        ("image_encoder.neck.convs.0.norm_0.weight", 0.0),
        ("memory_attention.norm.weight", 0.0),
        ("sam_mask_decoder.mask_tokens.weight", 0.0),
        ("maskmem_tpos_enc", 0.0),
        ("no_obj_ptr", 0.0),
    ],
)
def test_only_matrices_decay(groups_by_name, name, decay):
    assert groups_by_name[name]["weight_decay"] == decay


def test_the_learning_rate_rises_and_falls():
    factors = [learning_rate_factor(s, steps=110, warmup=10, final=0.1) for s in range(111)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == 1.0
    assert factors[60] == pytest.approx(0.55)
    assert factors[110] == pytest.approx(0.1)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_a_learning_rate_is_shared_out_by_scale():
    layer = nn.Linear(2, 2)
    optimizer = make_optimizer(layer, lr=1.0, weight_decay=0.1)
    optimizer.param_groups[0]["lr_scale"] = 0.25
    set_learning_rate(optimizer, 0.8)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.2, 0.8])


def test_muon_moves_wide_linear_layers_and_adamw_the_rest():
    network = nn.Sequential(nn.Linear(48, 32), nn.LayerNorm(32), nn.Linear(32, 4))
    muon, adamw = make_optimizer(network, lr=1.0, weight_decay=0.1, kind="muon").parts
    assert [name for group in muon.param_groups for name in group["names"]] == ["0.weight"]
    assert {name for group in adamw.param_groups for name in group["names"]} == {
        "0.bias", "1.weight", "1.bias", "2.weight", "2.bias",
    }  # fmt: skip


def test_a_step_of_muon_is_orthogonal_and_as_long_as_one_of_adamw():
    torch.manual_seed(0)
    layer = nn.Linear(64, 32)
    before = layer.weight.detach().clone()
    layer.weight.grad, layer.bias.grad = torch.randn(32, 64), torch.zeros(32)
    optimizer = make_optimizer(layer, lr=0.01, weight_decay=0.0, kind="muon")
    optimizer.step()
    moved = layer.weight.detach() - before
    singular = torch.linalg.svdvals(moved) / (0.01 * 0.2 * 64**0.5)
    assert singular.min() > 0.6  # Newton-Schulz is not exact
    assert singular.max() < 1.3
    assert moved.square().mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.2)


def test_a_state_of_another_optimizer_is_refused():
    layer = nn.Linear(64, 32)
    muon = make_optimizer(layer, lr=1.0, weight_decay=0.1, kind="muon")
    adamw = make_optimizer(layer, lr=1.0, weight_decay=0.1)
    with pytest.raises(TrainingError, match=r"is of Muon and AdamW, this run uses AdamW"):
        adamw.load_state_dict(muon.state_dict())


def test_a_state_of_other_groups_is_refused_in_words():
    network = nn.Module()
    network.image_encoder = nn.Module()
    network.image_encoder.trunk = nn.ModuleDict(
        {"blocks": nn.ModuleList(nn.Linear(2, 2) for _ in range(2))}
    )
    alike = make_optimizer(network, lr=1.0, weight_decay=0.1)
    decaying = make_optimizer(network, lr=1.0, weight_decay=0.1, layer_decay=0.5)
    with pytest.raises(TrainingError, match=r"has 2 groups of weights for AdamW.*--layer-decay"):
        decaying.load_state_dict(alike.state_dict())


def test_rates_and_decays_of_now_count_after_loading():
    layer = nn.Linear(64, 32)
    old = make_optimizer(layer, lr=1.0, weight_decay=0.1, kind="muon")
    new = make_optimizer(layer, lr=0.5, weight_decay=0.2, kind="muon")
    new.load_state_dict(old.state_dict())
    assert {group["lr"] for group in new.param_groups} == {0.5}
    assert {group["weight_decay"] for group in new.param_groups} == {0.2, 0.0}


def test_clipping_keeps_the_direction():
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    assert clip_gradients([weight], 0.0) == pytest.approx(5.0)
    assert weight.grad.tolist() == [3.0, 4.0]
    clip_gradients([weight], 1.0)
    assert weight.grad.tolist() == pytest.approx([0.6, 0.8], abs=1e-5)


def test_the_average_follows_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    average = AverageWeights(layer, decay=0.5)
    expected = 0.0
    for update, value in enumerate((1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 3.0, 5.0)):
        nn.init.constant_(layer.weight, value)
        average.update(layer)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
    assert average.weights["weight"].item() == pytest.approx(expected)


def test_a_saved_average_goes_on():
    layer = nn.Linear(2, 1)
    first = AverageWeights(layer, decay=0.9)
    first.update(layer)
    second = AverageWeights(nn.Linear(2, 1), decay=0.9)
    second.load_state_dict(first.state_dict())
    assert second.updates == 1
    assert all(torch.equal(second.weights[name], first.weights[name]) for name in first.weights)

"""Training that begins from the image encoder of EfficientSAM, and from others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from etam_ros.errors import WeightsError
from etam_ros.model import EfficientSAM, EfficientTAM, ModelConfig, any_model_config, model_config
from etam_ros.model.checkpoint import (
    load_picture_network,
    official_state_dict,
    random_state_dict,
)
from etam_ros.model.config import TINY_HIERA, TINY_PICTURES, TINY_TEST
from etam_ros.training.config import TrainingConfig
from etam_ros.training.encoder_weights import (
    PART,
    encoder_in_efficientsam,
    fill_encoder,
    fitting_model,
)
from etam_ros.training.initial_weights import initial_network, new_network

OTHERS = "memory attention, memory encoder, prompt encoder and mask decoder begin untrained"


def efficientsam(config: ModelConfig = TINY_PICTURES, seed: int = 3) -> dict[str, Tensor]:
    """A checkpoint of EfficientSAM's kind, by its own names."""
    return random_state_dict(EfficientSAM(config), seed)


def zeros(name: str) -> dict[str, Tensor]:
    """A checkpoint of a model's names and shapes."""
    with torch.device("meta"):
        shapes = official_state_dict(EfficientSAM(any_model_config(name)))
    return {name: torch.zeros(value.shape) for name, value in shapes.items()}


def begun(path: Path, model: str = "tiny_test") -> tuple[EfficientTAM, list[str]]:
    notes: list[str] = []
    config = TrainingConfig(init=str(path), model=model, size=64, seed=9)
    return initial_network(config, notes.append), notes


@pytest.mark.parametrize("form", ["model in .pt", "plain .pt", ".safetensors"])
def test_the_encoder_of_efficientsam_begins_training(tmp_path, form):
    state = efficientsam()
    path = tmp_path / f"sam{form.split()[-1]}"
    if form == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"model": state} if form.startswith("model") else state, path)
    network, notes = begun(path)
    assert notes == [f"the image encoder of tiny_test begins from {path}; {OTHERS}"]
    fresh = new_network(TINY_TEST, size=64, seed=9).state_dict()
    for name, value in network.state_dict().items():
        expected = (
            state[EfficientSAM.official_name(name)] if name.startswith(PART) else fresh[name]
        )
        assert value.equal(expected), name


@torch.no_grad()
def test_without_windows_it_sees_what_efficientsam_sees(tmp_path):
    torch.save(efficientsam(), tmp_path / "sam.pt")
    teacher = load_picture_network(TINY_PICTURES, str(tmp_path / "sam.pt"))
    network = new_network(replace(TINY_TEST, global_blocks=(0, 1)), size=128, seed=0)
    fill_encoder(network, encoder_in_efficientsam(efficientsam()), "sam")
    picture = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert network.image_encoder(picture).equal(teacher.encode_image(picture))


@pytest.mark.parametrize(("size", "fits"), [("ti", "efficienttam_ti"), ("s", "efficienttam_s")])
def test_official_checkpoints_fit_the_model_of_their_size(shared, size, fits):
    path = shared / "golden" / "efficientsam" / "state_dict_shapes.json"
    shapes = json.loads(path.read_text())[f"efficientsam_{size}"]
    state = {name: torch.zeros(shape) for name, shape in shapes.items()}
    encoder = encoder_in_efficientsam(state)
    assert fitting_model(encoder) == fits
    network = new_network(model_config(fits), size=64, seed=0)
    carried = [name for name in network.state_dict() if name.startswith(PART)]
    assert len(encoder) == len(carried)
    assert fill_encoder(network, encoder, "file").endswith(OTHERS)
    assert not any(network.state_dict()[name].any() for name in carried)


def test_by_name_the_model_of_that_encoder_is_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="run `etam weights get efficientsam_ti`"):
        begun(Path("efficientsam_ti"), model="")
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    file = tmp_path / "hub/checkpoints/efficient_sam_vitt.pt"
    torch.save({"model": zeros("efficientsam_ti")}, file)
    network, notes = begun(Path("efficientsam_ti"), model="")
    assert network.config.name == "efficienttam_ti"
    assert notes == [f"the image encoder of efficienttam_ti begins from efficientsam_ti; {OTHERS}"]


def test_a_neck_of_other_sizes_is_left_out_and_positions_are_resized(tmp_path):
    other = replace(TINY_PICTURES, hidden_dim=32, position_grid=7)
    torch.save(efficientsam(other), tmp_path / "sam.pt")
    network, notes = begun(tmp_path / "sam.pt")
    assert notes == [
        f"the image encoder of tiny_test begins from {tmp_path / 'sam.pt'}; its neck, which has "
        "other sizes there, does not; its position embedding is resized from 7 x 7 to 14 x 14; "
        + OTHERS
    ]
    state, fresh = network.state_dict(), new_network(TINY_TEST, size=64, seed=9).state_dict()
    necks = [name for name in fresh if name.startswith(f"{PART}neck.")]
    assert len(necks) == 6
    assert all(state[name].equal(fresh[name]) for name in necks)
    stored = torch.load(tmp_path / "sam.pt")[f"{PART}pos_embed"]
    ours = state[f"{PART}trunk.pos_embed"]
    assert ours[:, 0].equal(stored[:, 0])
    grids = [each[:, 1:].reshape(side, side, 32) for each, side in ((stored, 7), (ours, 14))]
    # Where a coarse cell's centre lies between four fine ones, their mean is near it.
    means = grids[1].reshape(7, 2, 7, 2, 32).mean(dim=(1, 3))
    assert (means - grids[0]).abs().mean() < 0.35 * grids[0].abs().mean()


OF_ANOTHER_SIZE = (
    r"encoder of .*sam\.pt has 12 blocks of 192 channels on patches of 16 px, that of etam_nano "
    "5 blocks of 128 channels on patches of 8 px: begin from an encoder of the same sizes"
)
OF_ANOTHER_MODEL = (
    "has 12 blocks of 384 channels .* that of efficienttam_ti 12 blocks of 192 channels .*: take "
    "--model efficienttam_s$"
)
WITHOUT_HIERA = "holds a plain ViT, and the image encoder of tiny_hiera_test is Hiera: start from"
NARROWER = (
    "does not fit the image encoder of tiny_test: keys 6 of another shape .*mlp.layers.*64, 32"
)


@pytest.mark.parametrize(
    ("state", "model", "words"),
    [
        (zeros("efficientsam_ti"), "etam_nano", OF_ANOTHER_SIZE),
        (zeros("efficientsam_s"), "efficienttam_ti", OF_ANOTHER_MODEL),
        (efficientsam(), "tiny_hiera_test", WITHOUT_HIERA),
        (efficientsam(replace(TINY_PICTURES, mlp_ratio=2)), "tiny_test", NARROWER),
    ],
)
def test_an_encoder_of_another_kind_is_refused_in_a_line(tmp_path, state, model, words):
    torch.save(state, tmp_path / "sam.pt")
    with pytest.raises(WeightsError, match=words) as error:
        begun(tmp_path / "sam.pt", model)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop(f"{PART}blocks.1.norm1.bias"), r"keys 1 missing \(.*norm1\.bias"),
        (
            lambda state: state.update({f"{PART}more": torch.zeros(1)}),
            r"keys 1 unexpected \(.*more",
        ),
        (lambda state: state[f"{PART}pos_embed"].fill_(torch.nan), r"not finite \(.*pos_embed"),
        (lambda state: state.update({f"{PART}pos_embed": torch.zeros(1, 9, 32)}), r"\(1, 9, 32\)"),
    ],
)
def test_a_damaged_encoder_is_refused_in_a_line(tmp_path, change, words):
    state = efficientsam()
    change(state)
    torch.save(state, tmp_path / "sam.pt")
    with pytest.raises(WeightsError, match=words):
        begun(tmp_path / "sam.pt")


def test_a_pretrained_encoder_says_which_model_it_is_for(tmp_path):
    network = new_network(TINY_TEST, size=64, seed=5)
    weights = {name: v for name, v in network.state_dict().items() if name.startswith(PART)}
    metadata = {"part": "image_encoder", "model": "tiny_test"}
    save_file(weights, tmp_path / "encoder.safetensors", metadata=metadata)
    begins, notes = begun(tmp_path / "encoder.safetensors", model="")
    assert begins.config.name == "tiny_test"
    assert all(begins.state_dict()[name].equal(value) for name, value in weights.items())
    assert notes[0].endswith(OTHERS)


def test_whole_weights_have_nothing_to_note(tmp_path):
    state = random_state_dict(EfficientTAM(TINY_HIERA), 0)
    torch.save({"model": state}, tmp_path / "whole.pt")
    assert begun(tmp_path / "whole.pt", "tiny_hiera_test")[1] == []

"""What --init takes: runs, weights of a model, and pretrained encoders."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from etam_ros import open_stages
from etam_ros.errors import EtamError, WeightsError
from etam_ros.model import model_config
from etam_ros.training.config import TrainingConfig
from etam_ros.training.initial_weights import initial_network, new_network
from etam_ros.training.outputs.checkpoints import save_checkpoint
from etam_ros.training.outputs.weights_file import write_weights


@pytest.fixture
def network():
    return new_network(model_config("tiny_test"), size=64, seed=5)


def config(init, model="", seed=0):
    return TrainingConfig(init=str(init), model=model, size=64, seed=seed)


def same(first, second, prefix=""):
    names = [name for name in first if name.startswith(prefix)]
    return all(torch.allclose(first[name], second[name], rtol=1e-3, atol=1e-6) for name in names)


def test_first_weights_are_a_function_of_the_seed():
    states = [initial_network(config("", "tiny_test", seed)).state_dict() for seed in (1, 1, 2)]
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


def test_exported_weights_begin_another_run_and_follow_objects(network, tmp_path):
    path = write_weights(network.state_dict(), tmp_path, network.config)
    begun = initial_network(config(path))
    assert begun.config.name == "tiny_test"
    assert same(network.state_dict(), begun.state_dict())
    with open_stages("tiny_test", weights=str(path)) as stages:
        assert stages.sizes.image_size == 128  # trained at 64, run at the model's own size


def test_a_run_begins_another(network, tmp_path):
    state = {"average": {"weights": network.state_dict()}, "model_name": "tiny_test"}
    save_checkpoint(tmp_path, 3, state)
    assert same(network.state_dict(), initial_network(config(tmp_path)).state_dict())


def test_a_pretrained_encoder_fills_its_part_alone(network, tmp_path):
    weights = {
        name: value.contiguous()
        for name, value in network.state_dict().items()
        if name.startswith("image_encoder.")
    }
    path = tmp_path / "encoder.safetensors"
    save_file(weights, path, metadata={"part": "image_encoder"})
    begun = initial_network(config(path, "tiny_test", seed=9)).state_dict()
    fresh = initial_network(config("", "tiny_test", seed=9)).state_dict()
    assert same(network.state_dict(), begun, "image_encoder.")
    assert same(fresh, begun, "memory_attention.")
    assert not same(fresh, begun, "image_encoder.")


@pytest.mark.parametrize("init", ["missing.safetensors", "some/where", "no_model", "."])
def test_what_is_nothing_is_said_in_one_line(init, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EtamError) as error:
        initial_network(config(init))
    assert "\n" not in str(error.value)


def test_weights_of_another_model_are_refused(network, tmp_path):
    path = write_weights(network.state_dict(), tmp_path, network.config)
    with pytest.raises(WeightsError, match="does not fit etam_nano"):
        initial_network(config(path, "etam_nano"))

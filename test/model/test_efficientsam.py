"""EfficientSAM: the layout of its checkpoints, and what it does otherwise than SAM."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch

from etam_ros.errors import ConfigError, WeightsError
from etam_ros.model import PICTURE_MODELS, EfficientSAM, any_model_config, model_config
from etam_ros.model.checkpoint import (
    load_network,
    load_picture_network,
    official_state_dict,
    read_state_dict,
)
from etam_ros.model.config import TINY_PICTURES, TINY_TEST
from etam_ros.runtime.backends.torch.weights import PARAMETERS


@pytest.fixture(scope="module")
def network() -> EfficientSAM:
    return load_picture_network(TINY_PICTURES, "random:3")


@pytest.mark.parametrize("name", PICTURE_MODELS)
def test_the_state_dict_has_the_official_layout(shared: Path, name: str) -> None:
    path = shared / "golden" / "efficientsam" / "state_dict_shapes.json"
    with torch.device("meta"):
        network = EfficientSAM(any_model_config(name))
    own = official_state_dict(network)
    official = json.loads(path.read_text())[name]
    assert {key: list(value.shape) for key, value in own.items()} == official
    assert len(own) == 278
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS[name]


def test_a_checkpoint_comes_back_as_it_was(network: EfficientSAM, tmp_path: Path) -> None:
    """Plain, and in a zip file of its own as the authors have the larger one."""
    state = official_state_dict(network)
    torch.save({"model": state}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt.zip", "w") as archive:
        archive.write(tmp_path / "w.pt", "w.pt")
        archive.writestr("__MACOSX/._w.pt", b"")
    for name in ("w.pt", "w.pt.zip"):
        loaded = load_picture_network(TINY_PICTURES, str(tmp_path / name)).state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in network.state_dict().items())


def test_a_zip_file_with_anything_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    with pytest.raises(WeightsError, match=r"holds 0 \.pt files, expected one"):
        read_state_dict(tmp_path / "w.zip")


def test_the_family_and_size_of_weights_are_named(tmp_path: Path) -> None:
    def saved(name: str) -> str:
        with torch.device("meta"):
            own = official_state_dict(EfficientSAM(any_model_config(name)))
        state = {key: torch.zeros(value.shape) for key, value in own.items()}
        torch.save({"model": state}, tmp_path / f"{name}.pt")
        return str(tmp_path / f"{name}.pt")

    with pytest.raises(WeightsError, match=r"does not fit efficientsam_s: .* of efficientsam_ti$"):
        load_picture_network(any_model_config("efficientsam_s"), saved("efficientsam_ti"))
    with pytest.raises(WeightsError, match=r"does not fit tiny_test: .* of efficientsam_s$"):
        load_network(TINY_TEST, saved("efficientsam_s"))


def test_it_follows_nothing_and_says_so() -> None:
    with pytest.raises(ConfigError, match=r"'efficientsam_ti', which segments single pictures"):
        model_config("efficientsam_ti")
    with pytest.raises(ConfigError, match=r"did you mean efficientsam_ti\?"):
        any_model_config("efficientsam_t")


def answers(
    network: EfficientSAM, points: list[list[list[float]]], labels: list[list[int]]
) -> torch.Tensor:
    feature = torch.randn(1, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return network.answer(feature, torch.tensor(points), torch.tensor(labels))[0]


def test_a_query_is_six_points_whatever_is_given(network: EfficientSAM) -> None:
    clicks = [[10.0 + 9 * index, 40.0] for index in range(7)]
    six = answers(network, [clicks[:6]], [[1, 0, 1, 2, 3, 1]])
    assert torch.equal(answers(network, [clicks], [[1, 0, 1, 2, 3, 1, 1]]), six)
    alone = answers(network, [clicks[:1]], [[1]])
    padded = answers(network, [[*clicks[:1], *[[-7.0, -1.0]] * 5]], [[1, -1, -1, -1, -1, -1]])
    assert torch.equal(padded, alone)
    assert not torch.allclose(six, alone, atol=1e-3)


def test_queries_are_independent_and_their_points_have_no_order(network: EfficientSAM) -> None:
    first, second = [[20.0, 30.0], [90.0, 100.0]], [[64.0, 64.0], [5.0, 9.0]]
    both = answers(network, [first, second], [[2, 3], [1, 0]])
    turned = answers(network, [second[::-1]], [[0, 1]])
    assert torch.allclose(both[:1], answers(network, [first], [[2, 3]]), atol=1e-5)
    assert torch.allclose(both[1:], turned, atol=1e-5)

"""Weights files: what is accepted, and the one line that says why not."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from etam_ros.errors import WeightsError
from etam_ros.model import EfficientTAM
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_TEST, ModelConfig, model_config

State = dict[str, torch.Tensor]
WANTED = "sam2.1_hiera_tiny_512x512"
SOME_KEY = "memory_attention.layers.0.norm1.weight"


@pytest.fixture
def state() -> State:
    return load_network(TINY_TEST, "random:0").state_dict()


def refusal(path: Path, config: ModelConfig = TINY_TEST) -> str:
    with pytest.raises(WeightsError) as caught:
        load_network(config, str(path))
    message = str(caught.value)
    assert "\n" not in message
    return message


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.parametrize("layout", ["official", "plain", "safetensors"])
def test_every_layout_gives_the_same_network(state: State, tmp_path: Path, layout: str) -> None:
    path = tmp_path / ("w.safetensors" if layout == "safetensors" else "w.pt")
    if layout == "safetensors":
        save_file(state, path)
    else:
        saved({"model": state} if layout == "official" else state, path)
    loaded = load_network(TINY_TEST, str(path)).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_half_precision_files_become_float32(state: State, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({name: value.half() for name, value in state.items()}, path)
    network = load_network(TINY_TEST, str(path))
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    assert not any(value.requires_grad for value in network.parameters())


def test_missing_and_unexpected_keys_are_named(state: State, tmp_path: Path) -> None:
    del state[SOME_KEY]
    state["something.else"] = torch.zeros(3)
    message = refusal(saved({"model": state}, tmp_path / "w.pt"))
    assert f"1 missing ({SOME_KEY})" in message
    assert "1 unexpected (something.else)" in message


def test_shapes_are_named_with_what_was_expected(state: State, tmp_path: Path) -> None:
    state[SOME_KEY] = torch.zeros(5)
    message = refusal(saved({"model": state}, tmp_path / "w.pt"))
    assert f"{SOME_KEY} (5,) instead of (64,)" in message


def test_a_file_of_another_model_is_refused_in_one_line(state: State, tmp_path: Path) -> None:
    message = refusal(saved(state, tmp_path / "w.pt"), model_config("efficienttam_ti_512x512"))
    assert "does not fit efficienttam_ti_512x512" in message
    assert "more" in message
    assert len(message) < 1500


def test_the_model_that_a_file_is_of_is_named(tmp_path: Path) -> None:
    """Another size, another version, another family: one line says which."""
    with torch.device("meta"):
        layouts = {
            name: EfficientTAM(model_config(name)).state_dict()
            for name in ("sam2_hiera_tiny", "sam2.1_hiera_small", "efficienttam_ti")
        }
    for name, layout in layouts.items():
        state = {key: torch.zeros(value.shape) for key, value in layout.items()}
        message = refusal(saved({"model": state}, tmp_path / "w.pt"), model_config(WANTED))
        assert f"does not fit {WANTED}" in message
        assert message.endswith(f": they are of {name}")
    assert "3 missing (no_obj_embed_spatial, obj_ptr_tpos_proj.weight" in refusal(
        saved(
            {key: torch.zeros(v.shape) for key, v in layouts["sam2_hiera_tiny"].items()},
            tmp_path / "w.pt",
        ),
        model_config(WANTED),
    )


def test_weights_that_are_not_finite_are_refused(state: State, tmp_path: Path) -> None:
    state[SOME_KEY][0] = torch.nan
    assert f"1 not finite ({SOME_KEY})" in refusal(saved(state, tmp_path / "w.pt"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.zeros(64).to_sparse(), f"1 not of plain numbers ({SOME_KEY})"),
        (torch.zeros(64, dtype=torch.int64), f"1 not of plain numbers ({SOME_KEY})"),
        (torch.zeros(64, dtype=torch.complex64), f"1 not of plain numbers ({SOME_KEY})"),
        (torch.zeros(64, device="meta"), f"1 not of plain numbers ({SOME_KEY})"),
        (torch.zeros(64).to(torch.float8_e4m3fn), f"1 not of plain numbers ({SOME_KEY})"),
        (torch.zeros(64).to(torch.float8_e5m2), f"1 not of plain numbers ({SOME_KEY})"),
        (torch.zeros(1).expand(10**12), f"{SOME_KEY} (1000000000000,) instead of (64,)"),
        (torch.full((64,), 1e30), f"1 beyond 100000 ({SOME_KEY})"),
    ],
)
def test_values_that_no_training_gives_are_refused(
    state: State, tmp_path: Path, value: torch.Tensor, words: str
) -> None:
    state[SOME_KEY] = value
    assert words in refusal(saved({"model": state}, tmp_path / "w.pt"))


def test_keys_that_are_no_names_are_refused(state: State, tmp_path: Path) -> None:
    message = refusal(saved({"model": {**state, 7: torch.zeros(1)}}, tmp_path / "w.pt"))
    assert "holds no state dict, expected tensors by name" in message


@pytest.mark.parametrize("name", ["~nouser/w.pt", "a" * 300 + ".pt", "a\0b.pt"])
def test_a_path_that_cannot_be_is_one_line(name: str) -> None:
    message = refusal(Path(name))
    assert "check the path" in message
    assert len(message) < 400


def test_a_file_that_would_run_code_is_refused_unread(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "w.pt"
    path.write_bytes(pickle.dumps(Payload()))
    refusal(path)
    torch.save({"model": Payload()}, path)
    refusal(path)
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere.pt")


def test_tensors_without_a_shape_are_no_weights(state: State, tmp_path: Path) -> None:
    state[SOME_KEY] = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    assert "holds no state dict" in refusal(saved(state, tmp_path / "w.pt"))


@pytest.mark.parametrize("content", [[1, 2], {"model": 3}, {"model": {"a": "b"}}, 7])
def test_a_file_without_tensors_by_name_is_refused(content: object, tmp_path: Path) -> None:
    assert "holds no state dict" in refusal(saved(content, tmp_path / "w.pt"))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_truncated_or_damaged_file_is_refused(
    state: State, tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    path = tmp_path / f"w{suffix}"
    if suffix == ".pt":
        saved({"model": state}, path)
    else:
        save_file(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("weights", ["random:", "random:x", "random:-1"])
def test_a_seed_must_be_a_number(weights: str) -> None:
    with pytest.raises(WeightsError, match="random:SEED"):
        load_network(TINY_TEST, weights)


def test_a_seed_decides_the_weights(state: State) -> None:
    again = load_network(TINY_TEST, "random:0").state_dict()
    other = load_network(TINY_TEST, "random:1").state_dict()
    assert all(torch.equal(again[name], value) for name, value in state.items())
    assert not torch.equal(other[SOME_KEY], state[SOME_KEY])

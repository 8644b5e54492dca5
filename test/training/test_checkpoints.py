"""States on disk: whole or not at all, and small enough."""

from __future__ import annotations

import logging

import pytest
import torch

from etam_ros.errors import TrainingError
from etam_ros.training.outputs.checkpoints import load_checkpoint, save_checkpoint


def state(value=1.0):
    return {
        "model": {"a": torch.full((3, 2), value), "b": torch.arange(4)},
        "optimizer": {"state": {0: {"step": torch.tensor(5.0)}}, "groups": [{"lr": 0.1}]},
        "note": "text",
        "nothing": None,
    }


def test_a_state_comes_back_as_it_was(tmp_path):
    save_checkpoint(tmp_path, 7, state())
    step, loaded = load_checkpoint(tmp_path)
    assert step == 7
    assert torch.equal(loaded["model"]["a"], state()["model"]["a"])
    assert loaded["model"]["b"].dtype == torch.int64
    assert loaded["optimizer"]["state"][0]["step"].item() == 5.0
    assert loaded["optimizer"]["groups"] == [{"lr": 0.1}]
    assert (loaded["note"], loaded["nothing"]) == ("text", None)


def test_an_empty_folder_has_none(tmp_path):
    assert load_checkpoint(tmp_path) is None
    assert load_checkpoint(tmp_path / "missing") is None


def test_files_stay_under_the_limit(tmp_path):
    tensors = {str(n): torch.randn(1000) for n in range(20)}
    view = torch.zeros(10**6)[:10]
    path = save_checkpoint(tmp_path, 1, {"many": tensors, "view": view}, max_part_bytes=20000)
    sizes = [part.stat().st_size for part in path.iterdir()]
    assert len(sizes) > 3
    assert max(sizes) < 30000
    _, loaded = load_checkpoint(tmp_path)
    assert all(torch.equal(loaded["many"][name], tensor) for name, tensor in tensors.items())


def test_the_newest_two_stay(tmp_path):
    for step in (1, 2, 30):
        save_checkpoint(tmp_path, step, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state_00000002", "state_00000030"]
    assert load_checkpoint(tmp_path)[0] == 30


def test_what_a_killed_run_left_unfinished_is_not_read(tmp_path):
    save_checkpoint(tmp_path, 1, state())
    unfinished = tmp_path / "state_00000002.unfinished"
    unfinished.mkdir()
    (unfinished / "part_0.pt").write_bytes(b"half")
    assert load_checkpoint(tmp_path)[0] == 1
    save_checkpoint(tmp_path, 2, state(2.0))
    assert load_checkpoint(tmp_path)[1]["model"]["a"][0, 0] == 2.0
    assert not unfinished.exists()


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path, caplog):
    save_checkpoint(tmp_path, 1, state())
    newest = save_checkpoint(tmp_path, 2, state())
    (newest / "part_0.pt").write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert load_checkpoint(tmp_path)[0] == 1
    assert "state_00000002" in caplog.text


def test_only_damaged_states_are_an_error_of_one_line(tmp_path):
    path = save_checkpoint(tmp_path, 1, state())
    (path / "part_0.pt").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="state_00000001") as error:
        load_checkpoint(tmp_path)
    assert "\n" not in str(error.value)

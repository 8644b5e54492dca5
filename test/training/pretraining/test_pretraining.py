"""A student learns its teacher's features, stops, and goes on exactly."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from etam_ros.errors import ConfigError, SourceError, TrainingError
from etam_ros.model.config import TINY_TEST
from etam_ros.synthetic.samples import TrainingClip
from etam_ros.training.config import TrainingConfig
from etam_ros.training.initial_weights import initial_network
from etam_ros.training.pretraining.config import PretrainingConfig
from etam_ros.training.pretraining.loop import Pretraining, pretrain
from etam_ros.training.pretraining.pictures import ClipPictures, PhotographPictures


def patches(rng: np.random.Generator, size: int) -> np.ndarray:
    """Coloured boxes over a gradient."""
    ramp = np.linspace(0, 255, size)[:, None, None] * rng.random(3)
    picture = np.broadcast_to(ramp, (size, size, 3)).astype(np.uint8).copy()
    for _ in range(8):
        colour = rng.integers(0, 255, 3).tolist()
        corners = rng.integers(0, size, (2, 2)).tolist()
        cv2.rectangle(picture, corners[0], corners[1], colour, -1)
    return picture


class Boxes:
    """A picture source: training from even seeds, unseen from odd ones."""

    def picture(self, seed: int, *, size: int) -> np.ndarray:
        return patches(np.random.default_rng(2 * seed), size)

    def unseen(self, index: int, *, size: int) -> np.ndarray:
        return patches(np.random.default_rng(2 * index + 1), size)


def tiny(out: Path, **changes: Any) -> PretrainingConfig:
    config = PretrainingConfig(
        teacher="tiny_test",
        teacher_weights="random:1",
        student="tiny_test",
        out=str(out),
        steps=8,
        batch=4,
        unseen=8,
        warmup=2,
        lr=2e-3,
        log_every=2,
        measure_every=4,
        save_every=4,
        device="cpu",
        precision="fp32",
    )
    return replace(config, **changes)


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("teacher", ["tiny_hiera_test", "tiny_pictures_test"])
def test_encoders_of_sam2_and_efficientsam_teach(tmp_path: Path, teacher: str) -> None:
    config = tiny(
        tmp_path, teacher=teacher, steps=24, batch=8, lr=5e-3, unseen=8, warmup=4,
        measure_every=24,
    )  # fmt: skip
    pretrain(config, Boxes())
    first, last = rows(tmp_path)[0], rows(tmp_path)[-1]
    assert float(first["unseen_whole"]) > 1.0
    assert float(last["unseen_whole"]) < 0.9
    with safe_open(tmp_path / "encoder.safetensors", "pt") as file:
        assert file.metadata()["teacher"] == teacher


def test_the_error_on_unseen_pictures_falls(tmp_path: Path) -> None:
    config = tiny(tmp_path, steps=60, batch=8, lr=5e-3, unseen=16, warmup=10, measure_every=60)
    pretrain(config, Boxes())
    first, last = rows(tmp_path)[0], rows(tmp_path)[-1]
    assert (first["step"], last["step"]) == ("0", "60")
    for key, reached in {"unseen": 0.85, "unseen_hidden": 0.85, "unseen_whole": 0.75}.items():
        assert float(first[key]) > 1.0, key
        assert float(last[key]) < reached, key  # 1 is to say the mean


def same_weights(one: Pretraining, other: Pretraining) -> bool:
    pairs = zip(
        one.student.state_dict().values(), other.student.state_dict().values(), strict=True
    )
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("stop_after", [4, 5])
def test_a_run_that_was_stopped_goes_on_exactly(tmp_path: Path, stop_after: int) -> None:
    whole = pretrain(tiny(tmp_path / "whole"), Boxes())
    done: list[int] = []
    config = tiny(tmp_path / "pieces")
    pretrain(
        config,
        Boxes(),
        on_step=lambda step, _error: done.append(step),
        should_stop=lambda: len(done) == stop_after,
    )
    assert done == list(range(1, stop_after + 1))
    again = pretrain(config, Boxes(), on_step=lambda step, _error: done.append(step))
    assert done == list(range(1, 9))
    assert same_weights(whole, again)
    assert rows(tmp_path / "pieces") == rows(tmp_path / "whole")


class Killed(BaseException):
    """As a signal does."""


def test_a_run_that_was_killed_goes_on_from_its_last_state(tmp_path: Path) -> None:
    whole = pretrain(tiny(tmp_path / "whole"), Boxes())

    def die(step: int, _error: float) -> None:
        if step == 7:
            raise Killed

    with pytest.raises(Killed):
        pretrain(tiny(tmp_path / "killed"), Boxes(), on_step=die)
    done: list[int] = []
    again = pretrain(tiny(tmp_path / "killed"), Boxes(), on_step=lambda s, _e: done.append(s))
    assert done == [5, 6, 7, 8]
    assert same_weights(whole, again)
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_workers_change_nothing(tmp_path: Path) -> None:
    alone = pretrain(tiny(tmp_path / "0", steps=2), Boxes())
    helped = pretrain(tiny(tmp_path / "2", steps=2, workers=2), Boxes())
    assert same_weights(alone, helped)


def test_seeds_differ(tmp_path: Path) -> None:
    one = pretrain(tiny(tmp_path / "1", steps=1), Boxes())
    two = pretrain(tiny(tmp_path / "2", steps=1, seed=1), Boxes())
    assert not same_weights(one, two)


def test_training_begins_from_the_encoder_and_the_rest_of_its_own(tmp_path: Path) -> None:
    run = pretrain(tiny(tmp_path, steps=2), Boxes())
    path = tmp_path / "encoder.safetensors"
    with safe_open(path, "pt") as file:
        assert file.metadata() == {
            "part": "image_encoder",
            "model": "tiny_test",
            "teacher": "tiny_test",
            "step": "2",
        }
    config = TrainingConfig(model="tiny_test", size=64, seed=5)
    untrained = initial_network(config).state_dict()
    begun = initial_network(replace(config, init=str(path))).state_dict()
    learned = {f"image_encoder.{k}": v for k, v in run.student.image_encoder.state_dict().items()}
    assert begun.keys() > learned.keys()
    for name, value in begun.items():
        assert value.equal(learned.get(name, untrained[name])), name


def test_a_missing_encoder_is_written_again(tmp_path: Path) -> None:
    config = tiny(tmp_path, steps=2)
    pretrain(config, Boxes())
    path = tmp_path / "encoder.safetensors"
    before = load_file(path)
    path.unlink()
    pretrain(config, Boxes())
    after = load_file(path)
    assert after.keys() == before.keys()
    assert all(after[name].equal(before[name]) for name in before)


def test_without_safetensors_the_states_are_kept(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    pretrain(tiny(tmp_path, steps=2), Boxes())
    assert (tmp_path / "state_00000002").is_dir()
    assert not (tmp_path / "encoder.safetensors").exists()
    assert "install safetensors" in caplog.text


def test_teacher_and_student_may_differ_in_size(tmp_path: Path) -> None:
    config = tiny(tmp_path, teacher_size=160, size=64, steps=1, masks_per_picture=3)
    assert config.picture_size == 160
    run = pretrain(config, Boxes())
    assert run.tokens == 16
    assert {path.name for path in tmp_path.iterdir()} >= {
        "encoder.safetensors",
        "log.csv",
        "state_00000001",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 9}, "steps is 9, the run in .* was started with 8"),
        ({"teacher_weights": "random:2"}, "started with 'random:1'"),
        ({"hidden_share": 0.5}, "started with 0.75"),
    ],
)
def test_another_run_in_the_folder_is_left_alone(tmp_path: Path, change, words: str) -> None:
    pretrain(tiny(tmp_path), Boxes(), should_stop=lambda: True)
    before = (tmp_path / "encoder.safetensors").read_bytes()
    with pytest.raises(TrainingError, match=words):
        pretrain(tiny(tmp_path, **change), Boxes())
    assert (tmp_path / "encoder.safetensors").read_bytes() == before


def test_a_student_whose_sizes_have_changed_is_refused(tmp_path: Path, monkeypatch) -> None:
    pretrain(tiny(tmp_path), Boxes(), should_stop=lambda: True)
    smaller = replace(TINY_TEST, position_grid=7)
    monkeypatch.setattr(PretrainingConfig, "student_config", smaller)
    with pytest.raises(TrainingError, match="was started when tiny_test had other sizes"):
        pretrain(tiny(tmp_path), Boxes())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"teacher": "effiziient"}, ConfigError),
        ({"size": 100}, ConfigError),
        ({"hidden_share": 1.0}, ConfigError),
        ({"batch": 0}, ConfigError),
        ({"student": "tiny_hiera_test"}, ConfigError),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, change, error) -> None:
    with pytest.raises(error):
        pretrain(tiny(tmp_path, **change), Boxes())


def test_photographs_are_split_into_seen_and_unseen() -> None:
    flat = [np.full((40, 60, 3), value, np.uint8) for value in range(64)]
    source = PhotographPictures(flat, "album")
    seen = {int(source.picture(seed, size=32)[0, 0, 0]) for seed in range(2000)}
    unseen = {int(source.unseen(index, size=32)[0, 0, 0]) for index in range(64)}
    assert len(unseen) == 4
    assert seen == set(range(64)) - unseen


def test_crops_follow_from_the_seed() -> None:
    rng = np.random.default_rng(0)
    source = PhotographPictures([patches(rng, 90) for _ in range(4)], "album")
    assert source.picture(3, size=64).shape == (64, 64, 3)
    assert np.array_equal(source.picture(3, size=64), source.picture(3, size=64))
    assert not np.array_equal(source.picture(3, size=64), source.picture(4, size=64))


def test_one_photograph_is_too_few() -> None:
    with pytest.raises(SourceError, match=r"holds 1 photograph\(s\), expected at least 2"):
        PhotographPictures([np.zeros((8, 8, 3), np.uint8)], "album")


def test_unseen_clips_have_seeds_of_their_own() -> None:
    asked: list[int] = []

    class Source:
        def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
            asked.append(seed)
            pixels = np.zeros((frames, size, size), np.uint8)
            return TrainingClip(np.stack([pixels] * 3, axis=-1), pixels[None] > 0)

    pictures = ClipPictures(Source())
    largest = (PretrainingConfig(seed=2**29 - 1).seed << 32) + 2**32 - 1
    assert pictures.picture(largest, size=16).shape == (16, 16, 3)
    pictures.unseen(0, size=16)
    assert asked[0] < asked[1]

"""A student that sees part of a picture, and the features it is to guess."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from etam_ros.errors import WeightsError
from etam_ros.model import EfficientSAM, EfficientTAM, any_model_config, model_config
from etam_ros.model.checkpoint import official_state_dict, random_state_dict
from etam_ros.model.config import TINY_HIERA, TINY_PICTURES, TINY_TEST
from etam_ros.model.image_encoder import ImageEncoder
from etam_ros.training.data.batches import pictures_to_tensor
from etam_ros.training.pretraining.feature_teacher import load_teacher
from etam_ros.training.pretraining.masked_decoder import TokenSplit, draw_split
from etam_ros.training.pretraining.masked_student import MaskedStudent, encode_visible, window_bias
from etam_ros.transforms import ImageLoader

WHOLE_WINDOWS = replace(TINY_TEST, window_size=4)  # the grid is 8 x 8


def random_encoder(config=TINY_TEST) -> ImageEncoder:
    network = EfficientTAM(config)
    network.load_state_dict(random_state_dict(network, 3))
    return network.image_encoder.eval()


def pictures(count: int, height: int = 128, width: int = 128) -> torch.Tensor:
    rng = np.random.default_rng(count)
    return torch.from_numpy(rng.integers(0, 255, (count, height, width, 3), np.uint8))


@torch.no_grad()
def test_with_all_tokens_visible_it_is_the_trunk() -> None:
    trunk = random_encoder(WHOLE_WINDOWS).trunk
    image = pictures_to_tensor(pictures(2), 128)
    order = torch.stack([torch.randperm(64), torch.arange(64)])
    tokens = encode_visible(trunk, image, order)  # (2, 64, C)
    expected = trunk(image).flatten(2).transpose(1, 2)
    for row in range(2):
        torch.testing.assert_close(tokens[row], expected[row, order[row]], rtol=0, atol=1e-4)


@torch.no_grad()
def test_what_is_hidden_has_no_effect() -> None:
    trunk = random_encoder().trunk
    image = pictures_to_tensor(pictures(1), 128)
    split = draw_split(1, 64, 0.75, torch.Generator().manual_seed(0))
    changed = image.clone()
    for token in split.hidden[0].tolist():
        row, column = 16 * (token // 8), 16 * (token % 8)
        changed[:, :, row : row + 16, column : column + 16] = 5.0
    before = encode_visible(trunk, image, split.visible)
    assert before.shape == (1, 16, TINY_TEST.embed_dim)
    assert before.equal(encode_visible(trunk, changed, split.visible))


def test_windows_are_kept_apart() -> None:
    # On a grid of 4 x 4 with windows of 2 x 2: 0 and 5 share one, 2 and 7 another, 15 is alone.
    bias = window_bias(torch.tensor([[0, 2, 5, 7, 15]]), grid=4, window_size=2)
    together = bias[0, 0].eq(0)
    assert together.int().tolist() == [
        [1, 0, 1, 0, 0],
        [0, 1, 0, 1, 0],
        [1, 0, 1, 0, 0],
        [0, 1, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]


def test_every_part_of_the_student_learns() -> None:
    torch.manual_seed(0)
    student = MaskedStudent(
        ImageEncoder(TINY_TEST), TINY_TEST, decoder_depth=1, teacher_channels=24
    )
    image = pictures_to_tensor(pictures(2), 128)
    split = draw_split(2, 64, 0.75, torch.Generator().manual_seed(0))
    guess = student(image, split)
    assert guess.shape == (2, 64, 24)
    guess.square().mean().backward()
    without = [name for name, p in student.named_parameters() if p.grad is None]
    assert without == []


def test_with_nothing_hidden_the_guess_is_that_of_the_whole_picture() -> None:
    student = MaskedStudent(
        random_encoder(WHOLE_WINDOWS), WHOLE_WINDOWS, decoder_depth=1, teacher_channels=24
    ).eval()
    image = pictures_to_tensor(pictures(1), 128)
    everything = TokenSplit(torch.arange(64)[None], torch.zeros(1, 0, dtype=torch.int64))
    with torch.no_grad():
        torch.testing.assert_close(
            student(image, everything), student.whole(image), rtol=0, atol=1e-4
        )


def test_pictures_are_prepared_as_for_the_tracker() -> None:
    batch = pictures(2, 90, 140)
    loader = ImageLoader(128, torch.device("cpu"), in_float=False)
    expected = torch.cat([loader.load(picture.numpy()).clone() for picture in batch])
    # The tracker resizes in uint8, where values are rounded once: one level of 255.
    difference = (pictures_to_tensor(batch, 128) - expected).abs()
    assert difference.max() < 1.01 / 255 / 0.224


@pytest.mark.parametrize("model", ["tiny_test", "tiny_hiera_test", "tiny_pictures_test"])
def test_a_teacher_of_another_size_and_grid_fits_the_student(model: str) -> None:
    teacher = load_teacher(model, "random:0", image_size=192, grid=16)
    assert (teacher.image_size, teacher.channels) == (192, 64)
    assert teacher(pictures(3)).shape == (3, 256, 64)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_teachers_of_official_layouts_are_read_and_others_named(tmp_path: Path) -> None:
    for config, network in (
        (TINY_HIERA, EfficientTAM(TINY_HIERA)),
        (TINY_PICTURES, EfficientSAM(TINY_PICTURES)),
    ):
        file = tmp_path / f"{config.name}.pt"
        state = random_state_dict(network, 3)
        torch.save({"model": state}, file)
        teacher = load_teacher(config.name, str(file), image_size=None, grid=8)
        first = teacher.encoder.trunk.patch_embed.proj.weight
        assert first.equal(
            next(v for n, v in state.items() if n.endswith("patch_embed.proj.weight"))
        )
    with pytest.raises(WeightsError, match=r"does not fit sam2\.1_hiera_tiny: keys .* missing"):
        load_teacher("sam2.1_hiera_tiny", str(file), image_size=None, grid=8)
    with pytest.raises(WeightsError, match="run `etam weights get efficientsam_s`"):
        load_teacher("efficientsam_s", "", image_size=None, grid=8)


@pytest.mark.parametrize(
    ("family", "name"), [("sam2", "sam2.1_hiera_tiny"), ("efficientsam", "efficientsam_ti")]
)
def test_an_official_checkpoint_holds_the_teacher(shared: Path, family: str, name: str) -> None:
    shapes = json.loads((shared / "golden" / family / "state_dict_shapes.json").read_text())[name]
    config = any_model_config(name)
    with torch.device("meta"):
        network = EfficientTAM(config) if family == "sam2" else EfficientSAM(config)
    encoder = {k: v for k, v in official_state_dict(network).items() if k.startswith("image_enc")}
    listed = {k: tuple(v) for k, v in shapes.items() if k.startswith("image_encoder.")}
    assert {k: tuple(v.shape) for k, v in encoder.items()} == listed


def test_the_same_grid_gives_the_features_themselves() -> None:
    teacher = load_teacher("tiny_test", "random:0", image_size=None, grid=8)
    features = teacher.features(pictures(1))
    with torch.no_grad():
        feature = teacher.encoder(pictures_to_tensor(pictures(1), 128))
    assert features.equal(feature.flatten(2).transpose(1, 2))


def test_calibrated_targets_have_mean_0_and_deviation_1() -> None:
    teacher = load_teacher("tiny_test", "random:0", image_size=None, grid=8)
    batch = pictures(6)
    teacher.calibrate(batch)
    targets = teacher(batch)
    assert targets.mean(dim=(0, 1)).abs().max() < 1e-3
    assert targets.std(dim=(0, 1)).sub(1).abs().max() < 1e-3


@pytest.mark.parametrize("name", ["etam_nano", "efficienttam_ti_512x512"])
def test_students_and_teachers_of_real_sizes_are_built(name: str) -> None:
    config = model_config(name)
    with torch.device("meta"):
        student = MaskedStudent(
            ImageEncoder(config), config, decoder_depth=2, teacher_channels=256
        )
    assert student.projection.weight.shape == (256, config.hidden_dim)

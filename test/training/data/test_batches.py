"""Batches: which clips a step has, at which side, and what is cut out of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from etam_ros.errors import ConfigError
from etam_ros.model import model_config
from etam_ros.synthetic.samples import TrainingClip
from etam_ros.training.config import TrainingConfig
from etam_ros.training.data.batches import SIDE_STEP_PX, ClipDataset, StepShape, batches, shape_of
from etam_ros.training.initial_weights import new_network, resized

CONFIG = TrainingConfig(size=32, frames=3, batch=2, objects=1, workers=0, device="cpu")


class Counting:
    """Clips whose pixels are the number of their frame, and whose object is as large."""

    def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
        images = np.zeros((frames, size, size, 3), np.uint8)
        images += np.arange(frames, dtype=np.uint8)[:, None, None, None]
        masks = np.zeros((2, frames, size, size), np.bool_)
        masks[0, :, :2, :2] = True
        masks[1, :, :16, :16] = True
        return TrainingClip(images, masks)


def shown(config: TrainingConfig, index: int) -> list[int]:
    images, _ = ClipDataset(Counting(), config)[index, config.frames, config.size]
    return [int(image[0, 0, 0]) for image in images]


def test_frames_are_cut_from_anywhere_in_a_longer_clip() -> None:
    assert shown(CONFIG, 5) == [0, 1, 2]
    cuts = [shown(replace(CONFIG, stretch=3), index) for index in range(40)]
    assert all(cut == [cut[0], cut[0] + 1, cut[0] + 2] for cut in cuts)
    assert {cut[0] for cut in cuts} == set(range(7))


def test_small_objects_are_left_out() -> None:
    config = replace(CONFIG, smallest=0.1)
    for index in range(10):
        _, masks = ClipDataset(Counting(), config)[index, config.frames, config.size]
        assert masks[0, 0].sum() == 256


def test_sides_vary_between_steps_and_agree_between_processes() -> None:
    config = replace(CONFIG, largest=96)
    sides = [shape_of(config, first).side for first in range(0, 200, 4)]
    assert set(sides) == {32, 64, 96}
    for rank in range(2):
        found = [
            batch.images.shape[2]
            for batch in batches(
                Counting(), config, first_sample=0, steps=6, rank=rank, processes=2
            )
        ]
        assert found == [shape_of(config, 4 * step).side for step in range(6)]
    assert shape_of(CONFIG, 7) == StepShape(CONFIG.batch, CONFIG.frames, CONFIG.size)
    assert SIDE_STEP_PX % 32 == 0


def test_a_share_of_the_steps_is_made_of_as_many_stills() -> None:
    config = replace(CONFIG, stills=0.4)
    found = list(batches(Counting(), config, first_sample=0, steps=30))
    shapes = [tuple(batch.images.shape[:2]) for batch in found]
    clips, stills = (config.batch, config.frames), (config.batch * config.frames, 1)
    assert set(shapes) == {clips, stills}
    assert 6 <= shapes.count(stills) <= 18
    later = batches(Counting(), config, first_sample=sum(n for n, _ in shapes[:7]), steps=23)
    assert [tuple(batch.images.shape[:2]) for batch in later] == shapes[7:]


def test_on_stills_large_objects_are_prompted_sooner() -> None:
    config = replace(CONFIG, objects=1, stills=1.0, batch=60)
    (batch,) = batches(Counting(), config, first_sample=0, steps=1)
    large = int((batch.masks.flatten(1).sum(dim=1) == 256).sum())
    assert 0.75 * len(batch.masks) < large < len(batch.masks)  # sides 16 and 2: 8 to 1


def test_a_largest_side_below_the_smallest_is_refused() -> None:
    with pytest.raises(ConfigError, match="largest is 64 and size 96"):
        TrainingConfig(size=96, largest=64)


def test_a_network_at_another_side_has_the_same_parameters() -> None:
    network = new_network(model_config("tiny_test"), size=64, seed=0)
    other = resized(network, 96)
    assert other.config.image_size == 96
    assert {id(value) for value in other.parameters()} == {
        id(value) for value in network.parameters()
    }
    with torch.no_grad():
        network.no_mem_embed.fill_(3.0)
    for name, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    picture = torch.zeros(1, 3, 96, 96)
    assert other.encode_image(picture)[0].shape[-1] == 96 // network.config.patch_size

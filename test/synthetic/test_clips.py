"""Clips: the same in every run, and their truth fits their pictures."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from etam_ros.errors import ConfigError
from etam_ros.synthetic.scene.clips import generate_clip

SMALL = {"frames": 40, "height": 240, "width": 320}
DIGEST = """
import hashlib, sys
from etam_ros.synthetic.scene.clips import generate_clip
frame = generate_clip(5, frames=40, height=240, width=320).frame(20)
print(hashlib.sha256(frame.image.tobytes() + frame.label_image.tobytes()).hexdigest())
"""


def test_frames_have_the_promised_shapes_and_ids():
    clip = generate_clip(1, objects=4, **SMALL)
    assert len(clip) == 40
    assert clip.object_ids == (1, 2, 3, 4)
    frame = clip.frame(0)
    assert frame.image.shape == (240, 320, 3)
    assert frame.image.dtype == np.uint8
    assert frame.label_image.shape == (240, 320)
    assert frame.label_image.dtype == np.uint16
    assert set(np.unique(frame.label_image)) == {0, 1, 2, 3, 4}
    with pytest.raises(IndexError, match="0 to 39"):
        clip.frame(40)


def test_a_seed_gives_the_same_frames_in_any_order():
    first, second = generate_clip(5, **SMALL), generate_clip(5, **SMALL)
    in_order = list(first)
    for index in (33, 0, 20, 20, 7):
        again = second.frame(index)
        assert np.array_equal(again.image, in_order[index].image)
        assert np.array_equal(again.label_image, in_order[index].label_image)


def test_another_process_gives_the_same_frames():
    frame = generate_clip(5, **SMALL).frame(20)
    ours = hashlib.sha256(frame.image.tobytes() + frame.label_image.tobytes()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    theirs = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, env=environment, check=True
    )
    assert theirs.stdout.strip() == ours


def test_other_seeds_give_other_clips():
    pictures = [generate_clip(seed, **SMALL).frame(0).image.astype(int) for seed in range(3)]
    for index, picture in enumerate(pictures):
        other = pictures[(index + 1) % 3]
        assert np.abs(picture - other).mean() > 15


@pytest.mark.parametrize("object_id", [1, 2, 3])
def test_masks_are_where_the_objects_are(object_id):
    clip = generate_clip(9, frames=40, height=480, width=640)

    def painted(tone):
        """A frame in which that object is all of one tone."""
        actor = clip._objects[object_id - 1]
        skin = np.full_like(actor.skin, tone)
        clip._objects[object_id - 1] = replace(actor, skin=skin, gloss=0.0)
        return clip.frame(4)

    black, white = painted(0.01), painted(0.9)
    assert np.array_equal(black.label_image, white.label_image)
    changed = np.abs(black.image.astype(int) - white.image).max(axis=2) > 40
    mask = black.label_image == object_id
    assert mask.sum() > 1000
    assert (changed & mask).sum() / (changed | mask).sum() > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_an_object_is_seen_then_fully_hidden_then_seen_again(seed):
    hidden = [1 not in frame.label_image for frame in generate_clip(seed, **SMALL)]
    first, last = hidden.index(True), len(hidden) - 1 - hidden[::-1].index(True)
    assert 2 < first <= last < len(hidden) - 3
    assert all(hidden[first : last + 1])


@pytest.mark.parametrize("seed", range(3))
def test_every_object_can_be_clicked_on_in_the_first_frame(seed):
    first = generate_clip(seed, **SMALL).frame(0)
    assert (np.bincount(first.label_image.ravel(), minlength=4)[1:] > 100).all()


def test_an_object_leaves_over_the_border_and_returns():
    labels = [frame.label_image for frame in generate_clip(2, objects=4, **SMALL)]
    away = [4 not in label_image for label_image in labels]
    assert any(away)
    assert not away[0]
    assert not away[-1]
    last_seen = labels[away.index(True) - 1]
    assert 4 in last_seen[:, [0, -1]]


def test_things_and_camera_move():
    clip = generate_clip(4, **SMALL)
    first, last = clip.frame(0), clip.frame(39)

    def centre(frame, object_id):
        return np.argwhere(frame.label_image == object_id).mean(axis=0)

    assert abs(centre(last, 1)[1] - centre(first, 1)[1]) > 100
    background = (first.label_image == 0) & (last.label_image == 0)
    moved = np.abs(first.image.astype(int) - last.image).mean(axis=2)[background]
    assert moved.mean() > 3


@pytest.mark.parametrize(
    "wrong", [{"frames": 0}, {"height": 8}, {"width": 10**5}, {"objects": 0}, {"seed": -1}]
)
def test_sizes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"clip {next(iter(wrong))} is .*, expected"):
        generate_clip(**{"seed": 0, **wrong})


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 200), (200, 33)])
def test_small_and_narrow_clips_work(height, width):
    frame = generate_clip(0, frames=3, height=height, width=width).frame(1)
    assert frame.image.shape == (height, width, 3)

"""Collages: the same in every run, and their masks are what one sees."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from etam_ros.errors import ConfigError
from etam_ros.synthetic.collage import CollageSource
from etam_ros.synthetic.collage.backdrop import Backdrop
from etam_ros.synthetic.collage.layers import SOLID, Layer, composite, streak
from etam_ros.synthetic.collage.motion import Ripple, camera, frame_times, poses, squash
from etam_ros.synthetic.collage.scene import plan_scene
from etam_ros.synthetic.collage.sprites import Cutout, cut, draw_shape
from etam_ros.synthetic.collage.trajectories import (
    Trajectory,
    covering_trajectory,
    random_trajectory,
)
from etam_ros.synthetic.material.records import Partition, Photograph

MAGENTA = (255, 0, 255)
DIGEST = """
import hashlib, sys
from etam_ros.synthetic.collage import CollageSource
clip = CollageSource().clip(11, frames=3, size=64)
print(hashlib.sha256(clip.images.tobytes() + clip.masks.tobytes()).hexdigest())
print(sorted({"av", "safetensors", "matplotlib", "typer", "rich", "rosbags"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def source():
    return CollageSource()


def still(count, x=0.0, y=0.0, scale=1.0):
    """Poses that only shift; x and y may change over time."""
    one = np.ones(count)
    return poses(x * one, y * one, 0.0 * one, scale * one, scale * one)


def disc(side=40, colour=MAGENTA):
    alpha = np.zeros((side, side), np.uint8)
    cv2.circle(alpha, (side // 2, side // 2), side // 2 - 5, 255, -1, cv2.LINE_AA)
    return Cutout(np.full((side, side, 3), colour, np.uint8), alpha)


@pytest.mark.parametrize(("frames", "size"), [(1, 96), (2, 33), (4, 128), (8, 64)])
def test_clips_have_the_promised_shapes(source, frames, size):
    for seed in range(4):
        clip = source.clip(seed, frames=frames, size=size)
        assert clip.images.shape == (frames, size, size, 3)
        assert clip.images.dtype == np.uint8
        assert clip.masks.shape[1:] == (frames, size, size)
        assert clip.masks.dtype == np.bool_
        assert len(clip.masks) >= 1


def test_every_object_is_seen_first_and_some_are_hidden_and_come_back(source):
    returned, sizes = 0, []
    for seed in range(150):
        clip = source.clip(seed, frames=6, size=64)
        visible = clip.masks.any(axis=(2, 3))
        assert visible[:, 0].all()
        sizes += clip.masks[:, 0].mean(axis=(1, 2)).tolist()
        returned += int((~visible[:, 1:-1].all(axis=1) & visible[:, -1]).sum())
    assert returned > 3
    assert min(sizes) < 0.01
    assert max(sizes) > 0.3


def test_a_seed_gives_the_same_clip_whatever_came_before(source):
    first = source.clip(11, frames=3, size=64)
    again = CollageSource().clip(11, frames=3, size=64)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.masks, again.masks)
    other = source.clip(12, frames=3, size=64)
    assert not np.array_equal(first.images, other.images)


def test_another_process_gives_the_same_clip_and_needs_nothing_but_numpy_and_opencv(source):
    clip = source.clip(11, frames=3, size=64)
    ours = hashlib.sha256(clip.images.tobytes() + clip.masks.tobytes()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    output = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, env=environment, check=True
    )
    assert output.stdout.splitlines() == [ours, "[]"]


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"frames": 0}, {"size": 8}])
def test_clips_that_cannot_be_are_refused(source, wrong):
    wanted = {"seed": 0, "frames": 2, "size": 64, **wrong}
    with pytest.raises(ConfigError, match="expected"):
        source.clip(wanted.pop("seed"), **wanted)


def painted(layer, scene, tone, size):
    """The pictures of a scene in which one layer is of one tone, and its masks."""
    flat = layer.sprite.copy()
    flat[..., :3] = flat[..., 3:] if tone else 0
    layers = [replace(each, sprite=flat) if each is layer else each for each in scene.layers]
    pictures, masks = [], np.zeros((scene.slots, 3, size, size), bool)
    for frame in range(3):
        picture = scene.backdrop.draw(frame, size, masks[:, frame])
        for each in layers:
            composite(replace(each, shutter=0.0, shadow=0.0), frame, picture, masks[:, frame])
        pictures.append(picture)
    return np.stack(pictures).astype(int), masks


def test_masks_are_where_the_things_are(source):
    checked = 0
    for seed in range(12):
        scene = plan_scene(np.random.default_rng(seed), source._assets, 3, 96)
        for layer in scene.layers:
            if layer.slot < 0:
                continue
            black, masks = painted(layer, scene, tone=False, size=96)
            white, again = painted(layer, scene, tone=True, size=96)
            assert np.array_equal(masks, again)
            changed = (white - black).min(axis=3) > SOLID
            mask = masks[layer.slot]
            if mask.sum() > 200:
                assert (changed & mask).sum() / (changed | mask).sum() > 0.93
                checked += 1
            for slot, _ in layer.parts:
                assert not (masks[slot] & ~mask).any()
    assert checked > 10


def test_a_nearer_thing_hides_a_farther_one_until_it_has_passed():
    masks = np.zeros((2, 3, 96, 96), bool)
    far = Layer(disc().sprite(), still(3, 28.0, 28.0), slot=0)
    x = np.array([60.0, 23.0, -40.0])
    near = Layer(disc(50, (0, 255, 0)).sprite(), still(3, x, 23.0), slot=1)
    for frame in range(3):
        picture = np.full((96, 96, 3), 90, np.uint8)
        composite(far, frame, picture, masks[:, frame])
        composite(near, frame, picture, masks[:, frame])
        seen = np.abs(picture.astype(int) - MAGENTA).max(axis=2) < 83  # half of it and half grey
        assert (seen ^ masks[0, frame]).sum() <= 0.02 * masks[0, 0].sum()
        assert seen.any() == masks[0, frame].any()
    assert masks[0].any(axis=(1, 2)).tolist() == [True, False, True]
    assert np.array_equal(masks[0, 0], masks[0, 2])


def test_a_part_is_inside_its_whole_and_what_is_out_of_view_is_empty():
    half = disc().alpha.copy()
    half[:, 20:] = 0
    layer = Layer(disc().sprite(), still(2, np.array([70.0, 300.0]), 10.0), 0, ((1, half),))
    masks = np.zeros((2, 2, 96, 96), bool)
    for frame in range(2):
        composite(layer, frame, np.zeros((96, 96, 3), np.uint8), masks[:, frame])
    assert 0.4 < masks[1, 0].sum() / masks[0, 0].sum() <= 1.0
    assert not (masks[1] & ~masks[0]).any()
    assert not masks[:, 1].any()


def test_shadow_and_blur_change_the_picture_and_not_the_mask():
    results = []
    for shutter, shadow in ((0.0, 0.0), (0.6, 0.5)):
        picture, masks = np.full((96, 96, 3), 200, np.uint8), np.zeros((1, 96, 96), bool)
        layer = Layer(disc().sprite(), still(2, np.array([30.0, 42.0]), 30.0), 0,
                      shutter=shutter, shadow=shadow)  # fmt: skip
        composite(layer, 0, picture, masks)
        results.append((picture.astype(int), masks))
    (plain, mask), (dim, other) = results
    assert np.array_equal(mask, other)
    assert (dim[~mask[0]].mean() < plain[~mask[0]].mean() - 1.0).all()
    row = np.zeros((9, 31, 3), np.uint8)
    row[4, 15] = 240
    blurred = streak(row, np.array([8.0, 0.0]))
    assert blurred[4, 12:19].min() > 15
    assert blurred[:3].max() == 0


def test_a_thing_in_a_photograph_moves_with_the_camera():
    image = np.full((80, 120, 3), 60, np.uint8)
    labels = np.zeros((80, 120), np.uint8)
    cv2.ellipse(labels, (50, 40), (25, 15), 20, 0, 360, 3, -1)
    image[labels == 3] = MAGENTA
    members = np.zeros((1, 256), bool)
    members[0, 3] = True
    rng = np.random.default_rng(2)
    times = np.arange(4.0) * 3
    place = np.diag([0.011, 0.011, 1.0])
    place[:2, 2] = -0.6, -0.4
    moves = squash(1.5, 96) @ camera(rng, times, 1.0) @ place
    things = Partition(labels, members)
    for ripple in (None, Ripple.random(rng, times, 0.08)):
        backdrop = Backdrop((image,) * 4, moves, (labels,) * 4, things, ((0, 0),), ripple)
        seen = []
        for frame in range(4):
            masks = np.zeros((1, 96, 96), bool)
            picture = backdrop.draw(frame, 96, masks).astype(int)
            colour = (picture[..., 0] > 157) & (picture[..., 1] < 40)
            assert (colour & masks[0]).sum() / (colour | masks[0]).sum() > 0.93
            seen.append(masks[0])
        assert not np.array_equal(seen[0], seen[3])


def test_a_ripple_without_depth_is_the_plain_warp():
    times = np.arange(2.0)
    flat = Ripple.random(np.random.default_rng(0), times, 0.0)
    sprite = draw_shape(np.random.default_rng(1), np.full((8, 8, 3), 99, np.uint8), None).sprite()
    one = np.ones(2)
    there = poses(45.0 * one, 3.0 * one, 0.4 * one, 0.3 * one, 0.35 * one)
    drawn = []
    for ripple in (None, flat):
        picture, masks = np.zeros((96, 96, 3), np.uint8), np.zeros((1, 96, 96), bool)
        composite(Layer(sprite, there, 0, ripple=ripple), 0, picture, masks)
        drawn.append((picture.astype(int), masks))
    assert np.abs(drawn[0][0] - drawn[1][0]).max() < 12
    assert (drawn[0][1] ^ drawn[1][1]).sum() < 0.02 * drawn[0][1].sum()


def test_a_cut_out_is_the_thing_and_knows_where_it_was():
    image, ids = np.full((60, 80, 3), 50, np.uint8), np.zeros((60, 80), np.uint8)
    ids[20:44, 30:62], ids[20:30, 30:62] = 1, 2
    image[ids > 0] = MAGENTA
    members = np.zeros((2, 256), bool)
    members[0, 1:3] = members[1, 2] = True
    things = Partition(ids, members)
    cutout = cut(np.random.default_rng(0), Photograph(image, things, things).image, things, 0, 2)
    x, y = cutout.corner
    height, width = cutout.alpha.shape
    window = ids[y : y + height, x : x + width]
    solid = cutout.alpha > SOLID
    assert (solid & (window > 0)).sum() / (solid | (window > 0)).sum() > 0.85
    assert (cutout.colour[solid] == MAGENTA).all()
    (part,) = cutout.parts
    assert np.array_equal(part > 0, window == 2)


def test_ways_lead_behind_things_and_out_and_back():
    hidden = left = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        times = np.linspace(0.0, 12.0, 9)  # long enough for things to happen
        trajectory = random_trajectory(rng, times, 1.0, 0.2, plain=False)
        assert trajectory.x.shape == trajectory.y.shape == (9,)
        assert max(abs(trajectory.x[0]), abs(trajectory.y[0])) <= 0.5
        if trajectory.hidden_at is not None:
            nearest = np.hypot(
                trajectory.x - trajectory.hidden_at[0], trajectory.y - trajectory.hidden_at[1]
            )
            assert nearest.min() < nearest[0]
            hidden += 1
        away = np.maximum(np.abs(trajectory.x), np.abs(trajectory.y)) > 0.55
        left += int(away.any() and not away[-1])
    assert hidden > 8
    assert left > 4


def test_what_covers_a_thing_comes_to_it_stays_with_it_and_may_leave():
    times = np.linspace(0.0, 1.0, 60)
    trajectory = Trajectory(0.3 * times, np.full(60, -0.1))
    stayed, left = 0, 0
    for seed in range(40):
        occluder = covering_trajectory(
            np.random.default_rng(seed), trajectory, side=0.2, occluder=0.4
        )
        away = np.hypot(occluder.x - trajectory.x, occluder.y - trajectory.y)
        assert away[0] >= 0.4, "at first the thing can be seen"
        over = np.flatnonzero(away == 0.0)
        assert len(over) > 5
        assert (np.diff(over) == 1).all()
        stayed += over[-1] == 59
        left += away[-1] > 0.3
    assert stayed > 5
    assert left > 5


def test_times_go_forward_at_many_speeds():
    spans = [frame_times(np.random.default_rng(seed), 5) for seed in range(100)]
    assert all((np.diff(times) > 0).all() and times[0] == 0 for times in spans)
    lengths = [times[-1] for times in spans]
    assert min(lengths) < 3
    assert max(lengths) > 20
    assert frame_times(np.random.default_rng(0), 1).tolist() == [0.0]

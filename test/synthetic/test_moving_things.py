"""Things in footage: found without labels, followed, and shown in clips."""

import cv2
import numpy as np
import pytest

from etam_ros.synthetic.collage import CollageSource
from etam_ros.synthetic.collage.assets import Assets
from etam_ros.synthetic.collage.camera_effects import grain_pool
from etam_ros.synthetic.collage.motion import camera
from etam_ros.synthetic.collage.procedural import textures
from etam_ros.synthetic.collage.views import Shot, tracked
from etam_ros.synthetic.material.moving_things import with_tracks
from etam_ros.synthetic.material.records import Material

FRAMES, HEIGHT, WIDTH = 12, 108, 160
TONE = np.array([230, 40, 200])


@pytest.fixture(scope="module")
def walk():
    """Footage of a speckled disc that crosses a wall while the camera pans; its masks."""
    wall = cv2.resize(textures()[6], (WIDTH + 40, HEIGHT))
    wall = (wall * 0.6).astype(np.uint8)
    wall[..., 1] += 60
    speckles = np.random.default_rng(0).integers(-60, 26, (6, 6, 1))
    skin = np.clip(TONE + np.kron(speckles, np.ones((7, 7, 1))), 0, 255).astype(np.uint8)
    frames, masks = [], []
    for t in range(FRAMES):
        frame = wall[:, 2 * t : 2 * t + WIDTH].copy()
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.circle(mask, (40 + 3 * t, 55), 20, 255, -1)
        around = slice(34, 76), slice(19 + 3 * t, 61 + 3 * t)
        frame[around][mask[around] > 0] = skin[mask[around] > 0]
        frames.append(frame)
        masks.append(mask > 0)
    return np.stack(frames), np.stack(masks)


@pytest.fixture(scope="module")
def material(walk):
    return with_tracks(Material((), (walk[0],)))


def test_what_moves_is_outlined_on_all_its_frames(walk, material):
    best = 0.0
    for track in material.tracks:
        truth = walk[1][track.first : track.first + len(track.masks)]
        mask = track.masks > 0
        overlap = (truth & mask).sum(axis=(1, 2)) / (truth | mask).sum(axis=(1, 2))
        best = max(best, float(overlap.min()))
    assert best > 0.9


def test_a_still_wall_has_no_movers_and_tracks_repeat(walk, material):
    again = with_tracks(Material((), (walk[0],)))
    assert len(again.tracks) == len(material.tracks)
    for ours, theirs in zip(material.tracks, again.tracks, strict=True):
        assert np.array_equal(ours.masks, theirs.masks)
    blank = np.full((FRAMES, HEIGHT, WIDTH, 3), 128, np.uint8)
    assert with_tracks(Material((), (blank,))).tracks == ()


def test_a_track_is_shown_with_its_outline(walk, material):
    disc = next(track for track in material.tracks if (track.masks[0] > 0)[55, 40])
    assets = Assets(Material((), (walk[0],), (disc,)), textures(), grain_pool())
    for seed in range(6):
        rng = np.random.default_rng(seed)
        times = np.array([0.0, 2.0, 4.0])
        shot = Shot(times, 1.4, 96, camera(rng, times, 0.5))
        backdrop = tracked(rng, assets, shot)
        assert backdrop.slots == ((0, 0),)
        for t in range(3):
            masks = np.zeros((1, 96, 96), bool)
            colours = backdrop.draw(t, 96, masks).astype(int)
            pink = colours[..., [0, 2]].min(axis=2) > colours[..., 1] + 50
            assert (pink & masks[0]).sum() > 0.85 * (pink | masks[0]).sum()


def test_a_source_uses_tracks(walk, material):
    without = CollageSource(Material((), (walk[0],)))
    source = CollageSource(Material((), (walk[0],), material.tracks))
    clips = [(each.clip(seed, frames=2, size=48) for each in (without, source))
             for seed in range(20)]  # fmt: skip
    assert any(not np.array_equal(a.images, b.images) for a, b in clips)

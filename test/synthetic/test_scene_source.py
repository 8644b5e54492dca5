"""Training clips cut from the demo's scenes."""

import numpy as np
import pytest

from etam_ros.errors import ConfigError
from etam_ros.synthetic.collage.scene_source import FIRST_SEED, SceneSource, _draw_scene
from etam_ros.synthetic.scene.clips import generate_clip


@pytest.fixture(scope="module")
def source():
    return SceneSource(scenes=2)


@pytest.mark.parametrize("frames", [1, 4])
def test_every_object_is_seen_on_the_first_frame(source, frames):
    for seed in range(12):
        clip = source.clip(seed, frames=frames, size=64)
        assert clip.images.shape == (frames, 64, 64, 3)
        assert clip.masks.shape[1:] == (frames, 64, 64)
        assert clip.masks[:, 0].any(axis=(1, 2)).all()
        assert len(clip.masks) >= 1
        assert not (clip.masks.sum(axis=0) > 1).any()


def test_a_seed_gives_the_same_clip_whatever_came_before(source):
    first = source.clip(5, frames=3, size=64)
    _draw_scene.cache_clear()
    again = SceneSource(scenes=2).clip(5, frames=3, size=64)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.masks, again.masks)


def test_clips_are_cut_from_scenes_beyond_the_demos_seeds(source):
    scene = _draw_scene(0)
    height, width = scene.labels.shape[1:]
    clip = generate_clip(FIRST_SEED, frames=90, height=height, width=width,
                         objects=len(scene.object_ids))  # fmt: skip
    assert np.array_equal(scene.images[4], clip.frame(12).image)
    assert np.array_equal(scene.labels[4], clip.frame(12).label_image)


def test_what_cannot_be_is_refused(source):
    with pytest.raises(ConfigError, match="expected a seed"):
        source.clip(-1, frames=2, size=64)
    with pytest.raises(ConfigError, match="at least 1"):
        SceneSource(scenes=0)

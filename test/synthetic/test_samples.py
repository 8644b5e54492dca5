"""Mixed sources: drawn by seed, in proportion to their weights."""

import numpy as np
import pytest

from etam_ros.errors import ConfigError
from etam_ros.synthetic.samples import MixedSource, TrainingClip


class Flat:
    """Clips of one tone, which tells the source and the seed apart."""

    def __init__(self, tone):
        self.tone = tone

    def clip(self, seed, *, frames, size):
        images = np.full((frames, size, size, 3), self.tone, np.uint8)
        masks = np.zeros((1, frames, size, size), np.bool_)
        masks[0, 0] = True
        return TrainingClip(images, masks)


def tones(source, seeds):
    return [int(source.clip(seed, frames=1, size=4).images[0, 0, 0, 0]) for seed in seeds]


def test_a_mix_draws_by_weight_and_by_seed():
    mix = MixedSource([(Flat(1), 3.0), (Flat(2), 0.0), (Flat(3), 1.0)])
    drawn = tones(mix, range(800))
    assert drawn == tones(
        MixedSource([(Flat(1), 6.0), (Flat(2), 0.0), (Flat(3), 2.0)]), range(800)
    )
    assert set(drawn) == {1, 3}
    assert 0.68 < drawn.count(1) / 800 < 0.82


@pytest.mark.parametrize("sources", [[], [(Flat(1), -1.0)], [(Flat(1), 0.0)], [(Flat(1), np.nan)]])
def test_a_mix_of_nothing_is_refused(sources):
    with pytest.raises(ConfigError, match=r"weight.* expected"):
        MixedSource(sources)

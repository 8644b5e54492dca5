"""The simplest of all clip sources: plain discs and boxes that move over noise."""

from __future__ import annotations

import numpy as np

from etam_ros.synthetic.samples import TrainingClip


class FlatClips:
    """Two shapes of a colour of their own on a dull background, one before the other.

    Args:
        only: the one seed that is used, whatever is asked for.
    """

    def __init__(self, only: int | None = None) -> None:
        self.only = only

    def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
        rng = np.random.default_rng(seed if self.only is None else self.only)
        y, x = np.mgrid[:size, :size] / size
        images = np.empty((frames, size, size, 3), np.uint8)
        masks = np.zeros((2, frames, size, size), bool)
        images[:] = rng.integers(60, 120, (size, size, 3), dtype=np.uint8)
        starts, speeds = rng.uniform(0.25, 0.75, (2, 2)), rng.uniform(-0.06, 0.06, (2, 2))
        radii = rng.uniform(0.12, 0.22, 2)
        colours = np.array([[220, 40, 40], [40, 60, 230]], np.uint8)
        for frame in range(frames):
            for index in (0, 1):
                centre = starts[index] + frame * speeds[index]
                distance = np.abs(x - centre[0]), np.abs(y - centre[1])
                far = np.hypot(*distance) if index == 0 else np.maximum(*distance)
                mask = far < radii[index]
                masks[:index, frame] &= ~mask
                masks[index, frame] = mask
                images[frame][mask] = colours[index]
        return TrainingClip(images, masks)

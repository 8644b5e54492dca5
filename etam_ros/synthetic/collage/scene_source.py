"""The clips of `etam demo` as a source of training clips: lit like a real place, with shadows.

Drawing them is slow, so a fixed set of scenes is drawn, each on first use, and clips are cut from
them: begun anywhere, at several speeds, forwards or backwards, mirrored, near or far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ConfigError
from etam_ros.synthetic.collage.motion import Rng, chance, frame_times, log_uniform
from etam_ros.synthetic.samples import TrainingClip, check_request
from etam_ros.synthetic.scene.clips import generate_clip

FIRST_SEED: Final = 1 << 40
"""Scenes count from here: seeds below are the demo's and the tests', and never trained on."""

_STREAM: Final = 0x5CE9E
_KEPT_EVERY: Final = 3  # frames of a scene between those that are drawn
_KEPT: Final = 30
_AREA_PX: Final = 176 * 132
_SMALLEST: Final = 0.0008  # of a picture that an object covers to be seen on the first frame
_ATTEMPTS: Final = 8


@dataclass(frozen=True, eq=False)
class _Scene:
    """Images (T, H, W, 3) uint8, labels (T, H, W) uint8, ids of the objects."""

    images: NDArray[np.uint8] = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)
    object_ids: tuple[int, ...]


class SceneSource:
    """Clips cut from a fixed set of scenes of `generate_clip`.

    Every object can be seen on the first frame. The first clip of a scene costs about one
    second and 3 MB, every other some milliseconds.

    Raises:
        ConfigError: there is none.
    """

    def __init__(self, scenes: int = 24) -> None:
        if scenes < 1:
            raise ConfigError(f"scene source has {scenes} scenes, expected at least 1")
        self._scenes = scenes

    def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
        """The clip of a seed; see `check_request`."""
        check_request(seed, frames, size)
        rng = np.random.default_rng([_STREAM, seed])
        scene = _draw_scene(int(rng.integers(self._scenes)))
        for attempt in range(_ATTEMPTS):
            clip = _cut(rng, scene, frames, size, whole=attempt == _ATTEMPTS - 1)
            if clip is not None:
                return clip
        raise ConfigError(
            f"clip of seed {seed} shows no usable object at {size} px, expected a larger size"
        )


@cache
def _draw_scene(index: int) -> _Scene:
    rng = np.random.default_rng([_STREAM, index, 1])
    aspect = float(rng.choice([4 / 3, 16 / 9, 1.0, 3 / 4]))
    height = round(float(np.sqrt(_AREA_PX / aspect)))
    clip = generate_clip(
        FIRST_SEED + index, frames=_KEPT * _KEPT_EVERY, height=height,
        width=round(height * aspect), objects=int(rng.integers(2, 5)),
    )  # fmt: skip
    drawn = [clip.frame(at) for at in range(0, len(clip), _KEPT_EVERY)]
    images = np.stack([frame.image for frame in drawn])
    labels = np.stack([frame.label_image for frame in drawn]).astype(np.uint8)
    return _Scene(images, labels, clip.object_ids)


def _cut(rng: Rng, scene: _Scene, frames: int, size: int, *, whole: bool) -> TrainingClip | None:
    """A clip of a scene, or None where no object is seen on its first frame.

    Args:
        whole: all of the picture, from the start, where every object is seen.
    """
    count = len(scene.images)
    steps = np.rint(frame_times(rng, frames) * rng.choice([-1.0, 1.0])).astype(int)
    at = (0 if whole else rng.integers(count)) + steps
    at = np.minimum(at % (2 * count), (-at - 1) % (2 * count))  # there and back again
    height, width = scene.labels.shape[1:]
    zoom = 1.0 if whole else log_uniform(rng, 1.0, 1.8)
    part = np.array([width, height]) / zoom
    corner = (np.array([width, height]) - part) * rng.uniform(0.0, 1.0, 2)
    scale = size / part
    matrix = np.array([[scale[0], 0.0, -corner[0] * scale[0]],
                       [0.0, scale[1], -corner[1] * scale[1]]])  # fmt: skip
    matrix[:, 2] += 0.5 * scale - 0.5  # centres of pixels, not their corners
    if chance(rng, 0.5):
        matrix[0] = [-matrix[0, 0], 0.0, size - 1.0 - matrix[0, 2]]
    masks = np.zeros((len(scene.object_ids), frames, size, size), np.bool_)
    images = np.zeros((frames, size, size, 3), np.uint8)
    mirrored = cv2.BORDER_REFLECT_101
    for t, index in enumerate(at):
        image, labels = scene.images[index], scene.labels[index]
        images[t] = cv2.warpAffine(image, matrix, (size, size), borderMode=mirrored)
        seen = cv2.warpAffine(
            labels, matrix, (size, size), flags=cv2.INTER_NEAREST, borderMode=mirrored
        )
        for row, object_id in enumerate(scene.object_ids):
            masks[row, t] = seen == object_id
    kept = np.nonzero(masks[:, 0].mean(axis=(1, 2)) >= _SMALLEST)[0]
    return TrainingClip(images, masks[kept]) if len(kept) else None

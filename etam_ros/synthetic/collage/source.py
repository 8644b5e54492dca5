"""The source of collages: a scene is planned from a seed, then drawn frame by frame."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.assets import Assets
from etam_ros.synthetic.collage.camera_effects import grain_pool
from etam_ros.synthetic.collage.layers import composite
from etam_ros.synthetic.collage.procedural import procedural_material, textures
from etam_ros.synthetic.collage.scene import Scene, plan_scene
from etam_ros.synthetic.material.records import Material
from etam_ros.synthetic.samples import TrainingClip, check_request

_STREAM: Final = 0xC0A6E
_TURNS: Final = 0x7012
_ATTEMPTS: Final = 12
_SMALLEST_SHARE: Final = 0.0008  # of the first frame that an object covers there


class CollageSource:
    """Endless clips of cut-out and drawn things over moving backgrounds.

    Every object can be seen on the first frame; later it may be hidden, leave and return.

    Args:
        material: photographs and footage to draw from; None: everything is drawn.
        turning: share of clips in which the camera turns steadily, 0 to 1.
    """

    def __init__(self, material: Material | None = None, *, turning: float = 0.0) -> None:
        self._turning = turning
        self._assets = Assets(material or procedural_material(), textures(), grain_pool())

    def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
        """The clip of a seed; see `check_request`."""
        check_request(seed, frames, size)
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([_STREAM, seed, attempt])
            easy = attempt > _ATTEMPTS // 2
            turns = np.random.default_rng([_TURNS, seed]).random() < self._turning
            scene = plan_scene(rng, self._assets, frames, size, turns=turns, easy=easy)
            clip = _drawn(scene, frames, size)
            if clip is not None:
                return clip
        return _last_resort(seed, frames, size)


def _drawn(scene: Scene, frames: int, size: int) -> TrainingClip | None:
    """The scene as a clip, or None where no object can be seen on the first frame."""
    masks = np.zeros((scene.slots, frames, size, size), np.bool_)
    images = np.zeros((frames, size, size, 3), np.uint8)
    for frame in range(frames):
        there = masks[:, frame]
        picture = scene.backdrop.draw(frame, size, there)
        for layer in scene.layers:
            composite(layer, frame, picture, there)
        images[frame] = scene.effects.apply(picture, frame)
        for mask in there:
            scene.effects.black_out(mask)
        if frame == 0:
            areas = there.sum(axis=(1, 2))
            kept = scene.order[areas[scene.order] >= max(9.0, _SMALLEST_SHARE * size * size)]
            if not len(kept):
                return None
    return TrainingClip(images, masks[kept])


def _last_resort(seed: int, frames: int, size: int) -> TrainingClip:
    """A bright square that stands still on noise: no seed is without a clip."""
    rng = np.random.default_rng([_STREAM, seed])
    images = rng.integers(0, 128, (frames, size, size, 3), dtype=np.uint8)
    masks: NDArray[np.bool_] = np.zeros((1, frames, size, size), np.bool_)
    masks[:, :, size // 4 : size // 2, size // 4 : size // 2] = True
    images[masks[0]] += np.uint8(100)
    return TrainingClip(images, masks)

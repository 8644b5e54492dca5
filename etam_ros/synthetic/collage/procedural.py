"""Material that nobody photographed: textures, and pictures composed of drawn things."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.motion import Rng, chance, log_uniform
from etam_ros.synthetic.collage.sprites import draw_shape
from etam_ros.synthetic.material.records import Material, Partition, Photograph
from etam_ros.synthetic.scene.textures import SURFACES, Texture

Picture = NDArray[np.uint8]

_SEED: Final = 0xC0117
_TEXTURE_PX: Final = 128
_TEXTURES: Final = 30
_PICTURES: Final = 32
_PICTURE_HW: Final = (192, 256)


@lru_cache(maxsize=1)
def textures() -> tuple[Picture, ...]:
    """Surfaces, each (S, S, 3) uint8 RGB; the same ones in every process, made on first use."""
    rng = np.random.default_rng([_SEED, 1])
    return tuple(
        _seen(SURFACES[index % len(SURFACES)](rng, _TEXTURE_PX)) for index in range(_TEXTURES)
    )


def _seen(texture: Texture) -> Picture:
    """From linear light 0..1 to what one sees, uint8."""
    return np.asarray(np.rint(np.clip(texture, 0.0, 1.0) ** (1.0 / 2.2) * 255.0), np.uint8)


def gradient(rng: Rng, hw: tuple[int, int]) -> Picture:
    """(H, W, 3) uint8: a wall or a sky, of one colour that changes softly."""
    grid = rng.uniform(0, 255, (1, 1, 3)) + rng.normal(0.0, log_uniform(rng, 3, 60), (3, 3, 3))
    coarse = np.clip(grid, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, hw[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


@lru_cache(maxsize=1)
def procedural_material() -> Material:
    """Pictures of drawn things on drawn ground; the same ones in every process."""
    rng = np.random.default_rng([_SEED, 2])
    return Material(tuple(_picture(rng) for _ in range(_PICTURES)), ())


def _any_texture(rng: Rng) -> Picture:
    if chance(rng, 0.15):
        return gradient(rng, (_TEXTURE_PX, _TEXTURE_PX))
    texture = textures()[rng.integers(_TEXTURES)]
    side = int(rng.integers(40, _TEXTURE_PX + 1))
    top, left = rng.integers(0, _TEXTURE_PX - side + 1, 2)
    return texture[top : top + side, left : left + side]


def _picture(rng: Rng) -> Photograph:
    """A still life: a ground, a wall, and three to nine things before them."""
    height, width = _PICTURE_HW
    ground = cv2.resize(_any_texture(rng), (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.array(ground, np.uint8)
    horizon = int(rng.uniform(0.2, 0.8) * height)
    wall = cv2.resize(_any_texture(rng), (width, horizon), interpolation=cv2.INTER_CUBIC)
    image[:horizon] = wall
    labels = np.zeros((height, width), np.uint8)
    sets: list[NDArray[np.bool_]] = []
    label = 1
    for _ in range(int(rng.integers(3, 10))):
        inlay = _any_texture(rng) if chance(rng, 0.4) else None
        cutout = draw_shape(rng, _any_texture(rng), inlay)
        side = log_uniform(rng, 0.12, 0.8) * height
        turn, scale = rng.uniform(-180, 180), side / cutout.alpha.shape[0]
        middle = cutout.alpha.shape[0] / 2.0
        matrix = cv2.getRotationMatrix2D((middle, middle), turn, scale)
        shift = np.eye(3)
        shift[:2, 2] = rng.uniform(0, 1, 2) * (width, height) - middle
        matrix = shift[:2] @ np.vstack([matrix, [0.0, 0.0, 1.0]])
        flat = [cv2.warpAffine(each, matrix, (width, height)) for each in (
            cutout.alpha, cutout.colour, *cutout.parts)]  # fmt: skip
        share = (flat[0][..., None] / 255.0).astype(np.float32)
        image = np.rint(image * (1.0 - share) + flat[1] * share).astype(np.uint8)
        labels[flat[0] > 127] = label
        sets.append(np.isin(np.arange(256), (label, label + 1)))
        for part in flat[2:]:
            labels[(part > 127) & (flat[0] > 127)] = label + 1
            sets += [np.arange(256) == label + 1, np.arange(256) == label]
        label += 2
    partition = Partition(labels, np.stack(sets))
    return Photograph(image, partition, partition)

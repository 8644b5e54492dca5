"""What a scene may be made of, and how pieces of it are drawn by lot."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.motion import Rng, chance, log_uniform
from etam_ros.synthetic.collage.procedural import gradient
from etam_ros.synthetic.collage.sprites import Cutout, cut, draw_shape
from etam_ros.synthetic.material.records import Material, Partition, Photograph

Picture = NDArray[np.uint8]

_SMALLEST: Final = 0.003  # share of a photograph that a thing must cover to be cut out


@dataclass(frozen=True, eq=False)
class Assets:
    """Everything that a scene may be made of.

    Attributes:
        material: photographs and footage.
        textures: surfaces, (h, w, 3) uint8.
        grains: noise, see `camera_effects.grain_pool`.
    """

    material: Material
    textures: tuple[Picture, ...] = field(repr=False)
    grains: tuple[Picture, ...] = field(repr=False)

    @cached_property
    def outlined(self) -> tuple[Photograph, ...]:
        """The photographs in which somebody outlined things."""
        return tuple(each for each in self.material.photographs if each.truth is not None)

    def photograph(self, rng: Rng, *, outlined: bool = False) -> Photograph:
        """Any photograph, or any in which somebody outlined things."""
        photographs = self.outlined if outlined else self.material.photographs
        return photographs[rng.integers(len(photographs))]

    def texture(self, rng: Rng) -> Picture:
        """A drawn surface."""
        return self.textures[rng.integers(len(self.textures))]

    def filling(self, rng: Rng, behind: Picture) -> Picture:
        """A piece of a photograph, of footage, of a texture, or of what is behind."""
        draw, footage = rng.random(), self.material.footage
        if draw < 0.1:
            picture = behind
        elif draw < 0.25 and footage:
            piece = footage[rng.integers(len(footage))]
            picture = piece[rng.integers(len(piece))]
        elif draw < 0.6 and self.material.photographs:
            picture = self.photograph(rng).image
        elif draw < 0.68:
            return gradient(rng, (32, 32))
        else:
            picture = self.texture(rng)
        side = int(log_uniform(rng, 24, 160))
        wide, high = min(side, picture.shape[1]), min(side, picture.shape[0])
        left = int(rng.integers(picture.shape[1] - wide + 1))
        top = int(rng.integers(picture.shape[0] - high + 1))
        return picture[top : top + high, left : left + wide]

    def thing(self, rng: Rng, behind: Picture) -> tuple[Cutout, bool]:
        """Something to show before what is behind, and whether it has an upright."""
        parts = int(rng.choice(3, p=(0.6, 0.25, 0.15)))
        draw = rng.random()
        if draw < 0.65 and self.material.photographs:
            outlined = draw < 0.4 and bool(self.outlined)
            photograph = self.photograph(rng, outlined=outlined)
            things = photograph.truth if outlined else photograph.regions
            index = choose_thing(rng, things)
            if things is not None and index is not None:
                return cut(rng, photograph.image, things, index, parts), True
        inlay = self.filling(rng, behind) if parts else None
        return draw_shape(rng, self.filling(rng, behind), inlay), False


def choose_thing(rng: Rng, things: Partition | None) -> int | None:
    """Any thing of a photograph, wholes sooner than parts; None where there is none."""
    if things is None or not len(things):
        return None
    power = 1.0 if chance(rng, 0.6) else 0.5
    odds = np.where(things.shares > _SMALLEST, things.shares, 0.0) ** power
    if odds.sum() <= 0.0:
        return None
    return int(rng.choice(len(things), p=odds / odds.sum()))

"""What happens in a clip: which background, which things, where they go, who hides whom.

Letters: T frames, S side of the picture in pixels, K objects. Lengths are in the units of
`motion`: the picture has area 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.backdrop import Backdrop
from etam_ros.synthetic.collage.finish import Finish
from etam_ros.synthetic.collage.layers import Layer
from etam_ros.synthetic.collage.motion import (
    Floats,
    Ripple,
    Rng,
    camera,
    chance,
    drift,
    frame_times,
    log_uniform,
    poses,
)
from etam_ros.synthetic.collage.paths import Way, covering_way, find_way
from etam_ros.synthetic.collage.props import Props
from etam_ros.synthetic.collage.sprites import Cutout
from etam_ros.synthetic.collage.views import Lifted, Shot, background, natural, tracked

_SMALLEST, _LARGEST = 0.005, 0.6  # share of the picture that an object covers
_MOST_IDS: Final = 4
_TRACKED: Final = 0.15  # share of the other clips in which footage has an object of its own
_COVERED: Final = 0.4  # share of clips in which other things come over the objects
_FEWEST_TO_COVER: Final = 4  # frames
_NATURAL: Final = 0.4  # share of clips that are photographs with things of their own


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip that is ready to be drawn.

    Attributes:
        backdrop: what is behind.
        layers: things before it, from far to near.
        finish: what the camera makes of it.
        slots: number of things with an id.
        order: (slots,) the order in which they come out.
    """

    backdrop: Backdrop
    layers: tuple[Layer, ...]
    finish: Finish
    slots: int
    order: NDArray[np.int64]


def plan_scene(rng: Rng, props: Props, frames: int, size: int, *, easy: bool = False) -> Scene:
    """Plan a clip.

    Args:
        rng: from which everything follows.
        props: what it may be made of.
        frames: T.
        size: S.
        easy: nothing may hide the objects.
    """
    times = frame_times(rng, frames)
    aspect = log_uniform(rng, 1.2, 2.0) if chance(rng, 0.6) else log_uniform(rng, 0.6, 1.2)
    photograph = None
    if props.outlined and chance(rng, _NATURAL):
        photograph = props.photograph(rng, outlined=chance(rng, 0.8))
        height, width = photograph.image.shape[:2]
        if chance(rng, 0.7):  # all of it is in the picture
            aspect = width / height * float(np.exp(rng.normal(0.0, 0.2)))
    liveliness = rng.uniform(0.0, 1.2 if photograph else 1.0) ** 1.5
    shot = Shot(times, aspect, size, camera(rng, times, liveliness))
    lifted = None
    if photograph is not None:
        backdrop, lifted = natural(rng, props, shot, photograph)
        count = int(rng.choice(3, p=(0.55, 0.3, 0.15)))
    elif props.material.tracks and chance(rng, _TRACKED):
        backdrop = tracked(rng, props, shot)
        count = int(rng.choice(3, p=(0.55, 0.3, 0.15)))
    else:
        backdrop = background(rng, props, shot)
        count = int(rng.integers(1, 5))
    covered = not easy and frames >= _FEWEST_TO_COVER and chance(rng, _COVERED)
    stage = _Stage(rng, props, shot, backdrop, covered=covered)
    if lifted is not None:
        stage.put_back(lifted)
    stage.fill(1 if easy else count, plain=easy)
    return Scene(
        backdrop,
        tuple(stage.layers),
        Finish.random(rng, times, size, props.grains),
        stage.slots,
        rng.permutation(stage.slots),
    )


class _Stage:
    """Collects what stands before the background."""

    def __init__(
        self, rng: Rng, props: Props, shot: Shot, backdrop: Backdrop, *, covered: bool
    ) -> None:
        self.rng, self.props, self.shot, self.backdrop = rng, props, shot, backdrop
        self.covered = covered
        self.layers: list[Layer] = []
        self.slots = len(backdrop.slots)

    def _slot(self) -> int:
        """A new row of the masks."""
        self.slots += 1
        return self.slots - 1

    def fill(self, count: int, *, plain: bool) -> None:
        """Put `count` things and what may hide them before the background."""
        rng, behind = self.rng, self.backdrop.frames[0]
        ids = 0
        before: tuple[Cutout, bool] | None = None
        alike = 0.6 if chance(rng, 0.2) else 0.1
        for number in range(count):
            same = before is not None and chance(rng, alike)
            cutout, upright = before if before and same else self.props.thing(rng, behind)
            before = (cutout, upright)
            area = log_uniform(rng, _SMALLEST, _LARGEST / (1.0 + 0.5 * number))
            named = ids < _MOST_IDS and (number == 0 or chance(rng, 0.75))
            ids += named
            way = find_way(rng, self.shot.times, self.shot.aspect, np.sqrt(area), plain=plain)
            self.place(cutout, area, way, upright=upright, named=named)
            if way.hidden_at is not None:
                x, y = (np.full_like(way.x, value) for value in way.hidden_at)
                named = ids < _MOST_IDS and chance(rng, 0.3)
                ids += named
                self.hide(Way(x, y), way.hider_side, named=named)
            elif self.covered:
                self.cover(way, float(np.sqrt(area)))

    def cover(self, way: Way, side: float) -> None:
        """Let something come over a thing that goes that way."""
        hider = side * self.rng.uniform(1.8, 3.0)
        self.hide(covering_way(self.rng, way, side, hider), hider, named=False)

    def hide(self, way: Way, side: float, *, named: bool) -> None:
        """Put something on a way on which it hides another thing at times."""
        hider, upright = self.props.thing(self.rng, self.backdrop.frames[0])
        self.place(hider, side**2, way, upright=upright, named=named)

    def place(self, cutout: Cutout, area: float, way: Way, *, upright: bool, named: bool) -> None:
        """Put a thing of that area on its way."""
        rng, times = self.rng, self.shot.times
        growth, turn = self._changes()
        turn = turn + (rng.normal(0.0, 0.12) if upright else rng.uniform(-3.2, 3.2))
        scale = float(np.sqrt(area / cutout.area))
        shrink = scale * self.shot.size * float(growth.max())
        if shrink < 0.85:
            smaller = cutout.scaled(shrink * 1.1)
            scale *= cutout.alpha.shape[1] / smaller.alpha.shape[1]
            cutout = smaller
        stretch = np.exp(rng.normal(0.0, 0.1))
        flip = -1.0 if chance(rng, 0.5) else 1.0
        there = poses(
            way.x, way.y, turn, growth * scale * stretch * flip, growth * scale / stretch
        )
        height, width = cutout.alpha.shape
        centre = np.eye(3)
        centre[:2, 2] = -(width - 1) / 2.0, -(height - 1) / 2.0
        ripple = chance(rng, 0.5)
        bends = Ripple.random(rng, times, rng.uniform(0.02, 0.11)) if ripple else None
        self._lay(self._coloured(cutout), there @ centre, bends, named=named)

    def put_back(self, lifted: Lifted) -> None:
        """Put a thing that was lifted off its photograph where it was, and let it move."""
        rng, shot = self.rng, self.shot
        height, width = lifted.cutout.alpha.shape
        middle = lifted.place @ [(width - 1) / 2.0, (height - 1) / 2.0, 1.0]
        side = float(np.sqrt(lifted.cutout.area * abs(np.linalg.det(lifted.place[:2, :2]))))
        way = find_way(rng, shot.times, shot.aspect, side, plain=True)
        growth, turn = self._changes()
        zero = np.zeros_like(turn)
        growth, turn = growth / growth[0], turn - turn[0]
        around = poses(zero, zero, turn, growth, growth)
        way = Way(middle[0] + way.x - way.x[0], middle[1] + way.y - way.y[0])
        around[:, 0, 2], around[:, 1, 2] = way.x, way.y
        centre = np.eye(3)
        centre[:2, 2] = -middle[:2]
        bends = Ripple.random(rng, shot.times, rng.uniform(0.01, 0.08))
        ripple = bends if chance(rng, 0.6) else None
        cutout, place = lifted.cutout, around @ centre @ lifted.place
        factor = abs(float(lifted.place[0, 0])) * shot.size * float(growth.max())
        if factor < 0.85:
            smaller = cutout.scaled(factor * 1.1)
            ratio = np.array(cutout.alpha.shape) / np.array(smaller.alpha.shape)
            place, cutout = place @ np.diag([ratio[1], ratio[0], 1.0]), smaller
        self._lay(cutout, place, ripple, named=True)
        if self.covered:
            self.cover(way, side)

    def _changes(self) -> tuple[Floats, Floats]:
        """(T,) growth and turn over time."""
        rng, times = self.rng, self.shot.times
        span = min(1.0, times[-1] / 15.0)
        growth = np.exp(drift(rng, times, rng.uniform(0.0, 0.5) * span, 30.0)[0])
        return growth, drift(rng, times, log_uniform(rng, 0.02, 0.8) * span, 25.0)[0]

    def _lay(self, cutout: Cutout, place: Floats, ripple: Ripple | None, *, named: bool) -> None:
        """Add a layer; `place` is (T, 3, 3) from its pixels to the scene."""
        rng = self.rng
        view = self.shot.camera.copy()
        view[:, 2] = [0.0, 0.0, 1.0]  # cut-outs are flat: no perspective of their own
        slot = self._slot() if named else -1
        self.layers.append(
            Layer(
                sprite=cutout.sprite(),
                poses=self.shot.squash @ view @ place,
                slot=slot,
                parts=tuple((self._slot(), part) for part in cutout.parts) if named else (),
                ripple=ripple,
                shutter=rng.uniform(0.2, 0.7) if chance(rng, 0.15) else 0.0,
                shadow=rng.uniform(0.2, 0.7) if chance(rng, 0.25) else 0.0,
            )
        )

    def _coloured(self, cutout: Cutout) -> Cutout:
        """The thing in other colours, at times nearer to those of the background."""
        rng = self.rng
        gain = np.exp(rng.normal(0.0, 0.1, 3) + rng.normal(0.0, 0.2))
        if chance(rng, 0.35):
            behind = np.array(cv2.mean(self.backdrop.frames[0])[:3]) + 8.0
            own = np.array(cv2.mean(cutout.colour, cutout.alpha)[:3]) + 8.0
            gain *= np.clip(behind / own, 0.4, 2.5) ** rng.uniform(0.3, 0.9)
        table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
        return replace(cutout, colour=np.asarray(cv2.LUT(cutout.colour, table[None]), np.uint8))

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

from etam_ros.synthetic.collage.assets import Assets
from etam_ros.synthetic.collage.backdrop import Backdrop
from etam_ros.synthetic.collage.camera_effects import CameraEffects
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
    squash,
    turning,
)
from etam_ros.synthetic.collage.sprites import Cutout
from etam_ros.synthetic.collage.trajectories import (
    Trajectory,
    covering_trajectory,
    random_trajectory,
)
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
        effects: what the camera makes of it.
        slots: number of things with an id.
        order: (slots,) the order in which they come out.
    """

    backdrop: Backdrop
    layers: tuple[Layer, ...]
    effects: CameraEffects
    slots: int
    order: NDArray[np.int64]


def plan_scene(
    rng: Rng, assets: Assets, frames: int, size: int, *, turns: bool = False, easy: bool = False
) -> Scene:
    """Plan a clip.

    Args:
        frames: T.
        size: S.
        turns: the camera turns steadily.
        easy: nothing may hide the objects.
    """
    times = frame_times(rng, frames)
    aspect = log_uniform(rng, 1.2, 2.0) if chance(rng, 0.6) else log_uniform(rng, 0.6, 1.2)
    photograph = None
    if assets.outlined and chance(rng, _NATURAL):
        photograph = assets.photograph(rng, outlined=chance(rng, 0.8))
        height, width = photograph.image.shape[:2]
        if chance(rng, 0.7):  # all of it is in the picture
            aspect = width / height * float(np.exp(rng.normal(0.0, 0.2)))
    liveliness = rng.uniform(0.0, 1.2 if photograph else 1.0) ** 1.5
    moves = camera(rng, times, liveliness)
    if turns:
        moves = turning(rng, frames) @ moves
    shot = Shot(times, aspect, size, moves)
    lifted = None
    if photograph is not None:
        backdrop, lifted = natural(rng, assets, shot, photograph)
        count = int(rng.choice(3, p=(0.55, 0.3, 0.15)))
    elif assets.material.tracks and chance(rng, _TRACKED):
        backdrop = tracked(rng, assets, shot)
        count = int(rng.choice(3, p=(0.55, 0.3, 0.15)))
    else:
        backdrop = background(rng, assets, shot)
        count = int(rng.integers(1, 5))
    covered = not easy and frames >= _FEWEST_TO_COVER and chance(rng, _COVERED)
    stack = _LayerStack(rng, assets, shot, backdrop, covered=covered)
    if lifted is not None:
        stack.put_back(lifted)
    stack.fill(1 if easy else count, plain=easy)
    return Scene(
        backdrop,
        tuple(stack.layers),
        CameraEffects.random(rng, times, size, assets.grains),
        stack.slots,
        rng.permutation(stack.slots),
    )


class _LayerStack:
    """Collects what stands before the background."""

    def __init__(
        self, rng: Rng, assets: Assets, shot: Shot, backdrop: Backdrop, *, covered: bool
    ) -> None:
        self.rng, self.assets, self.shot, self.backdrop = rng, assets, shot, backdrop
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
            cutout, upright = before if before and same else self.assets.thing(rng, behind)
            before = (cutout, upright)
            area = log_uniform(rng, _SMALLEST, _LARGEST / (1.0 + 0.5 * number))
            named = ids < _MOST_IDS and (number == 0 or chance(rng, 0.75))
            ids += named
            trajectory = random_trajectory(
                rng, self.shot.times, self.shot.aspect, np.sqrt(area), plain=plain
            )
            self.place(cutout, area, trajectory, upright=upright, named=named)
            if trajectory.hidden_at is not None:
                x, y = (np.full_like(trajectory.x, value) for value in trajectory.hidden_at)
                named = ids < _MOST_IDS and chance(rng, 0.3)
                ids += named
                self.hide(Trajectory(x, y), trajectory.occluder_side, named=named)
            elif self.covered:
                self.cover(trajectory, float(np.sqrt(area)))

    def cover(self, trajectory: Trajectory, side: float) -> None:
        """Let something come over a thing that goes that trajectory."""
        occluder = side * self.rng.uniform(1.8, 3.0)
        self.hide(covering_trajectory(self.rng, trajectory, side, occluder), occluder, named=False)

    def hide(self, trajectory: Trajectory, side: float, *, named: bool) -> None:
        """Put something on a trajectory on which it hides another thing at times."""
        occluder, upright = self.assets.thing(self.rng, self.backdrop.frames[0])
        self.place(occluder, side**2, trajectory, upright=upright, named=named)

    def place(
        self, cutout: Cutout, area: float, trajectory: Trajectory, *, upright: bool, named: bool
    ) -> None:
        """Put a thing of that area on its trajectory."""
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
            trajectory.x,
            trajectory.y,
            turn,
            growth * scale * stretch * flip,
            growth * scale / stretch,
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
        trajectory = random_trajectory(rng, shot.times, shot.aspect, side, plain=True)
        growth, turn = self._changes()
        zero = np.zeros_like(turn)
        growth, turn = growth / growth[0], turn - turn[0]
        around = poses(zero, zero, turn, growth, growth)
        trajectory = Trajectory(
            middle[0] + trajectory.x - trajectory.x[0], middle[1] + trajectory.y - trajectory.y[0]
        )
        around[:, 0, 2], around[:, 1, 2] = trajectory.x, trajectory.y
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
            self.cover(trajectory, side)

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
                poses=squash(self.shot.aspect, self.shot.size) @ view @ place,
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

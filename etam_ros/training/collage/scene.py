"""What happens in a clip: which background, which things, where they go, who hides whom.

Letters: T frames, S side of the picture in pixels, K objects. Lengths are in the units of
`motion`: the picture has area 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.training.collage.backdrop import Backdrop, reduced, view_scale
from etam_ros.training.collage.finish import Finish
from etam_ros.training.collage.layers import Layer
from etam_ros.training.collage.motion import (
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
)
from etam_ros.training.collage.paths import Way, find_way
from etam_ros.training.collage.procedural import gradient
from etam_ros.training.collage.sprites import Cutout, cut, draw_shape
from etam_ros.training.material import Material, Partition, Photograph

Picture = NDArray[np.uint8]

_SMALLEST, _LARGEST = 0.005, 0.6  # share of the picture that an object covers
_MOST_IDS: Final = 4
_ENLARGED: Final = 3.0  # pixels of the picture per pixel of a photograph, at most


@dataclass(frozen=True, eq=False)
class Props:
    """Everything that a scene may be made of.

    Attributes:
        material: photographs and footage.
        outlined: indices of the photographs in which somebody outlined things.
        textures: surfaces, (h, w, 3) uint8.
        grains: noise, see `finish.grain_pool`.
    """

    material: Material
    outlined: tuple[int, ...]
    textures: tuple[Picture, ...] = field(repr=False)
    grains: tuple[Picture, ...] = field(repr=False)

    @staticmethod
    def of(
        material: Material, textures: tuple[Picture, ...], grains: tuple[Picture, ...]
    ) -> Props:
        """Props from material."""
        outlined = tuple(
            index for index, each in enumerate(material.photographs) if each.truth is not None
        )
        return Props(material, outlined, textures, grains)


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
    planner = _Planner(rng, props, frames, size)
    photograph = bool(props.outlined) and chance(rng, 0.35)
    backdrop = planner.natural() if photograph else planner.background()
    busy = int(rng.choice(3, p=(0.45, 0.35, 0.2))) if photograph else int(rng.integers(1, 5))
    if easy:
        busy = 1
    planner.fill_stage(backdrop, busy, plain=easy)
    return Scene(
        backdrop,
        tuple(planner.layers),
        Finish.random(rng, planner.times, size, props.grains),
        planner.slots,
        rng.permutation(planner.slots),
    )


class _Planner:
    """Collects what a scene consists of."""

    def __init__(self, rng: Rng, props: Props, frames: int, size: int) -> None:
        self.rng, self.props, self.size = rng, props, size
        self.times = frame_times(rng, frames)
        self.aspect = (
            log_uniform(rng, 1.2, 2.0) if chance(rng, 0.6) else log_uniform(rng, 0.6, 1.2)
        )
        self.squash = squash(self.aspect, size)
        self.camera = camera(rng, self.times, rng.uniform(0.0, 1.0) ** 1.5)
        self.layers: list[Layer] = []
        self.slots = 0

    def slot(self) -> int:
        """A new row of the masks."""
        self.slots += 1
        return self.slots - 1

    # -- backgrounds

    def natural(self) -> Backdrop:
        """A photograph whose own things are the objects, where they were photographed."""
        rng = self.rng
        photograph = self.photograph(outlined=True)
        things = photograph.truth if chance(rng, 0.65) else photograph.regions
        if things is None or not len(things):
            return self.background()
        usable = np.nonzero(things.shares > 0.004)[0]
        if not len(usable):
            return self.background()
        chosen = rng.permutation(usable)[: int(rng.integers(1, 4))]
        height, width = things.labels.shape
        area = log_uniform(rng, 0.01, _LARGEST)
        scale = np.sqrt(area / (things.shares[chosen[0]] * height * width))
        widest = view_scale((height, width), self.aspect, rng.uniform(0.95, 1.15))
        scale = float(np.clip(scale, widest, max(widest, _ENLARGED / self.size)))
        x, y, wide, high = cv2.boundingRect(things.mask(int(chosen[0])))
        middle = np.array([x + wide * rng.uniform(0.2, 0.8), y + high * rng.uniform(0.2, 0.8)])
        slots = tuple((self.slot(), int(index)) for index in chosen)
        ripple = Ripple.random(rng, self.times, 0.05) if chance(rng, 0.3) else None
        return self.view(photograph.image, scale, middle, things, slots, ripple)

    def background(self) -> Backdrop:
        """Footage, a photograph or a texture."""
        rng, material = self.rng, self.props.material
        draw = rng.random()
        if material.footage and draw < 0.4:
            return self.footage()
        if material.photographs and draw < 0.85:
            photograph = self.photograph()
            things, slots = None, ()
            if chance(rng, 0.25) and len(photograph.regions):
                things = photograph.regions
                slots = ((self.slot(), int(rng.integers(len(things)))),)
            share = log_uniform(rng, 0.35, 1.0)
            return self.view(photograph.image, share=share, things=things, slots=slots)
        if chance(rng, 0.2):
            return self.view(gradient(rng, (64, 64)), share=0.9)
        return self.view(self.texture(), share=log_uniform(rng, 0.3, 1.0))

    def footage(self) -> Backdrop:
        """Frames of real motion, through a window that moves a little itself."""
        rng = self.rng
        piece = self.props.material.footage[rng.integers(len(self.props.material.footage))]
        count = len(piece)
        at = rng.integers(count) + np.rint(self.times * rng.choice([-1.0, 1.0])).astype(int)
        at = np.abs((at + count) % (2 * count) - count) % count  # there and back again
        still = self.view(piece[0], share=log_uniform(rng, 0.5, 1.0), calm=0.4)
        factor = still.frames[0].shape[1] / piece.shape[2]
        frames = tuple(
            piece[index] if factor == 1.0 else reduced(piece[index], None, factor)[0]
            for index in at
        )
        return replace(still, frames=frames)

    def view(
        self,
        image: Picture,
        scale: float = 0.0,
        middle: Floats | None = None,
        things: Partition | None = None,
        slots: tuple[tuple[int, int], ...] = (),
        ripple: Ripple | None = None,
        *,
        share: float = 0.0,
        calm: float = 1.0,
    ) -> Backdrop:
        """A moving view of a picture.

        Args:
            image: (H, W, 3) uint8.
            scale: units per pixel; 0: by `share`, of the largest view that fits.
            middle: (x, y) pixel in the middle of the view; None: anywhere that fits.
            things, slots, ripple: see `Backdrop`.
            share: see `scale`.
            calm: how much of the camera's motion it has.
        """
        rng = self.rng
        height, width = image.shape[:2]
        scale = scale or view_scale((height, width), self.aspect, share)
        if middle is None:
            extent = np.array([np.sqrt(self.aspect), 1.0 / np.sqrt(self.aspect)]) / scale
            spare = np.maximum(np.array([width, height]) - extent, 0.0)
            middle = np.array([width, height]) / 2.0 + spare * rng.uniform(-0.5, 0.5, 2)
        flip = -1.0 if chance(rng, 0.5) else 1.0
        stretch = np.exp(rng.normal(0.0, 0.08))
        place = np.diag([flip * scale * stretch, scale / stretch, 1.0])
        place[:2, 2] = -place[:2, :2] @ middle
        moving = self.camera if calm == 1.0 else np.eye(3) + calm * (self.camera - np.eye(3))
        factor = scale * self.size
        if factor < 0.7:
            labels = None if things is None else things.labels
            wide = image.shape[1]
            image, labels = reduced(image, labels, factor * 1.15)
            place = place @ np.diag([wide / image.shape[1], height / image.shape[0], 1.0])
            if things is not None and labels is not None:
                things = Partition(labels, things.members)
        frames = (image,) * len(self.times)
        return Backdrop(frames, self.squash @ moving @ place, things, slots, ripple)

    # -- what things are made of

    def photograph(self, *, outlined: bool = False) -> Photograph:
        """Any photograph, or any in which somebody outlined things."""
        photographs = self.props.material.photographs
        if outlined:
            return photographs[self.props.outlined[self.rng.integers(len(self.props.outlined))]]
        return photographs[self.rng.integers(len(photographs))]

    def texture(self) -> Picture:
        """A drawn surface."""
        return self.props.textures[self.rng.integers(len(self.props.textures))]

    def filling(self, backdrop: Backdrop) -> Picture:
        """A piece of a photograph, of footage, of a texture, or of the background itself."""
        rng, material = self.rng, self.props.material
        draw = rng.random()
        if draw < 0.1:
            picture = backdrop.frames[0]
        elif draw < 0.25 and material.footage:
            piece = material.footage[rng.integers(len(material.footage))]
            picture = piece[rng.integers(len(piece))]
        elif draw < 0.6 and material.photographs:
            picture = self.photograph().image
        elif draw < 0.68:
            return gradient(rng, (32, 32))
        else:
            picture = self.texture()
        side = int(log_uniform(rng, 24, 160))
        wide, high = min(side, picture.shape[1]), min(side, picture.shape[0])
        left = int(rng.integers(picture.shape[1] - wide + 1))
        top = int(rng.integers(picture.shape[0] - high + 1))
        return picture[top : top + high, left : left + wide]

    def thing(self, backdrop: Backdrop) -> tuple[Cutout, bool]:
        """Something to show, and whether it has an upright."""
        rng = self.rng
        parts = int(rng.choice(3, p=(0.6, 0.25, 0.15)))
        draw = rng.random()
        if draw < 0.65 and self.props.material.photographs:
            outlined = draw < 0.4 and bool(self.props.outlined)
            photograph = self.photograph(outlined=outlined)
            things = photograph.truth if outlined else photograph.regions
            if things is not None and len(things):
                odds = np.sqrt(things.shares) * (things.shares > 0.003)
                if odds.sum() > 0:
                    index = int(rng.choice(len(things), p=odds / odds.sum()))
                    return cut(rng, photograph, things, index, parts), True
        inlay = self.filling(backdrop) if parts else None
        return draw_shape(rng, self.filling(backdrop), inlay), False

    # -- the stage

    def fill_stage(self, backdrop: Backdrop, count: int, *, plain: bool) -> None:
        """Put `count` things and what may hide them before the background."""
        rng = self.rng
        ids = 0
        before: tuple[Cutout, bool] | None = None
        alike = 0.6 if chance(rng, 0.2) else 0.1
        for number in range(count):
            same = before is not None and chance(rng, alike)
            cutout, upright = before if same and before else self.thing(backdrop)
            before = (cutout, upright)
            area = log_uniform(rng, _SMALLEST, _LARGEST / (1.0 + 0.5 * number))
            named = ids < _MOST_IDS and (number == 0 or chance(rng, 0.75))
            ids += named
            way = find_way(rng, self.times, self.aspect, np.sqrt(area), plain=plain)
            self.place(backdrop, cutout, area, way, upright=upright, named=named)
            if way.hidden_at is not None:
                hider, stands = self.thing(backdrop)
                big = way.hider_side**2
                still = Way(*(np.full_like(way.x, value) for value in way.hidden_at))
                self.place(backdrop, hider, big, still, upright=stands,
                           named=ids < _MOST_IDS and chance(rng, 0.3))  # fmt: skip

    def place(
        self, backdrop: Backdrop, cutout: Cutout, area: float, way: Way, *,
        upright: bool, named: bool,
    ) -> None:  # fmt: skip
        """Put a thing of that area on its way."""
        rng, times = self.rng, self.times
        span = min(1.0, times[-1] / 15.0)
        growth = np.exp(drift(rng, times, rng.uniform(0.0, 0.5) * span, 30.0)[0])
        lean = rng.normal(0.0, 0.12) if upright else rng.uniform(-3.2, 3.2)
        turn = lean + drift(rng, times, log_uniform(rng, 0.02, 0.8) * span, 25.0)[0]
        scale = np.sqrt(area / cutout.area)
        shrink = scale * self.size * float(growth.max())
        if shrink < 0.85:
            smaller = cutout.scaled(shrink * 1.1)
            scale *= cutout.alpha.shape[1] / smaller.alpha.shape[1]
            cutout = smaller
        stretch = np.exp(rng.normal(0.0, 0.1))
        flip = -1.0 if chance(rng, 0.5) else 1.0
        height, width = cutout.alpha.shape
        there = poses(
            way.x, way.y, turn, growth * scale * stretch * flip, growth * scale / stretch
        )
        centre = np.eye(3)
        centre[:2, 2] = -(width - 1) / 2.0, -(height - 1) / 2.0
        view = self.camera.copy()
        view[:, 2] = [0.0, 0.0, 1.0]  # cut-outs are flat: no perspective of their own
        slot = self.slot() if named else -1
        parts = tuple((self.slot(), part) for part in cutout.parts) if named else ()
        self.layers.append(
            Layer(
                sprite=self.coloured(backdrop, cutout).sprite(),
                poses=self.squash @ view @ there @ centre,
                slot=slot,
                parts=parts,
                ripple=Ripple.random(rng, times, rng.uniform(0.02, 0.11))
                if chance(rng, 0.5) else None,
                shutter=rng.uniform(0.2, 0.7) if chance(rng, 0.15) else 0.0,
                shadow=rng.uniform(0.2, 0.7) if chance(rng, 0.25) else 0.0,
            )
        )  # fmt: skip

    def coloured(self, backdrop: Backdrop, cutout: Cutout) -> Cutout:
        """The thing in other colours, at times nearer to those of the background."""
        rng = self.rng
        gain = np.exp(rng.normal(0.0, 0.1, 3) + rng.normal(0.0, 0.2))
        if chance(rng, 0.35):
            behind = np.array(cv2.mean(backdrop.frames[0])[:3]) + 8.0
            own = np.array(cv2.mean(cutout.colour, cutout.alpha)[:3]) + 8.0
            gain *= np.clip(behind / own, 0.4, 2.5) ** rng.uniform(0.3, 0.9)
        table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
        return replace(cutout, colour=np.asarray(cv2.LUT(cutout.colour, table[None]), np.uint8))

"""Clips with ground truth, made up from a seed: textured things on the move before a camera.

    clip = generate_clip(seed=7)
    for frame in clip:
        frame.image, frame.label_image  # (H, W, 3) uint8 RGB, (H, W) uint16

Things move, turn, bend, cross each other and pass behind others; at least one of two or more
objects is fully hidden for a while and comes back. Everything follows from the seed: frame i of a
clip is the same in every run, in whatever order frames are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ConfigError
from etam_ros.records import MAX_OBJECT_ID
from etam_ros.synthetic.scene.actors import Actor, ProjectedActor, composite, render
from etam_ros.synthetic.scene.blur import streak_kernel
from etam_ros.synthetic.scene.camera import CameraPath, Lens, Pose
from etam_ros.synthetic.scene.light import Linear, Sensor, from_canvas, random_light
from etam_ros.synthetic.scene.objects import (
    CameraSetup,
    make_distractors,
    make_objects,
    make_occluder,
)
from etam_ros.synthetic.scene.scenery import Scenery
from etam_ros.synthetic.scene.shadows import cast_shadow, shadow_sheet

CLIP_FPS: Final = 30.0
_SMALLEST_PX: Final = 32
_HALF: Final = 0.5  # frames before and after, between which speeds are taken


@dataclass(frozen=True, eq=False)
class ClipFrame:
    """One frame of a clip.

    Attributes:
        index: from 0.
        image: (H, W, 3) uint8 RGB.
        label_image: (H, W) uint16, id of the object that one sees, 0 for anything else.
    """

    index: int
    image: NDArray[np.uint8] = field(repr=False)
    label_image: NDArray[np.uint16] = field(repr=False)


class Clip:
    """A clip whose frames are drawn when they are asked for; see `generate_clip`."""

    def __init__(self, seed: int, *, frames: int, height: int, width: int, objects: int) -> None:
        self.seed = seed
        self.fps = CLIP_FPS
        self._frames = frames
        self._hw = (height, width)
        rng = np.random.default_rng(seed)
        # 0.95 of the longer side: about as narrow as a phone's main camera.
        self._lens = Lens(0.95 * max(self._hw), self._hw)
        self._path = CameraPath(
            rng, rng.uniform(1.2, 1.7), rng.uniform(0.2, 0.3), rng.uniform(0.2, 1)
        )
        self._light = random_light(rng)
        distance = rng.uniform(6.2, 8.5)
        setup = CameraSetup(self._lens, self._path, frames)
        self._objects, self._labels = make_objects(rng, setup, objects)
        self._extras = [make_occluder(rng, setup, self._objects[0])]
        self._extras += make_distractors(rng, setup, distance)
        self._sheets = {
            id(actor.shape): shadow_sheet(actor.shape, self._light.softness)
            for actor in (*self._objects, *self._extras)
        }
        self._scenery = Scenery(rng, self._lens, self._path, self._light, distance)
        self._sensor = Sensor(rng, self._hw)

    def __len__(self) -> int:
        return self._frames

    def __iter__(self) -> Iterator[ClipFrame]:
        return (self.frame(index) for index in range(self._frames))

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of all objects of the clip."""
        return tuple(actor.object_id for actor in self._objects)

    @property
    def labels(self) -> dict[int, str]:
        """What each object is, by its id."""
        return dict(zip(self.object_ids, self._labels, strict=True))

    def frame(self, index: int) -> ClipFrame:
        """Draw one frame.

        Raises:
            IndexError: there is no such frame.
        """
        if not 0 <= index < self._frames:
            raise IndexError(f"frame {index} of a clip with frames 0 to {self._frames - 1}")
        pose = self._path.pose(index)
        picture = self._background(index, pose)
        label_image = np.zeros(self._hw, np.uint16)
        actors = (*self._objects, *self._extras)
        in_view = [ProjectedActor(actor, index, self._lens, pose) for actor in actors]
        in_view.sort(key=lambda projected: -projected.depth)  # the farthest first
        for projected in in_view:
            cast_shadow(picture, projected, self._sheets[id(projected.actor.shape)], self._light)
        for projected in in_view:
            patch = render(projected, self._hw, self._light, self._speed(projected.actor, index))
            if patch is None:
                continue
            composite(picture, patch)
            np.copyto(label_image[patch.window], projected.actor.object_id, where=patch.solid)
        rng = np.random.default_rng((self.seed, index))
        return ClipFrame(index, self._sensor.develop(picture, index, rng), label_image)

    def _background(self, t: float, pose: Pose) -> Linear:
        """(H, W, 3) linear light of the place, with the blur of the camera's own motion."""
        canvas = self._scenery.draw(pose)
        far = (0.0, 0.5, 6.0)
        kernel = streak_kernel(self._moved(far, far, t))
        if kernel is not None:
            canvas = np.asarray(cv2.filter2D(canvas, -1, kernel), np.uint8)
        return from_canvas(canvas)

    def _speed(self, actor: Actor, t: float) -> tuple[float, float]:
        """Pixels per frame at which an actor moves through the picture."""
        before, after = actor.posture(t - _HALF).place, actor.posture(t + _HALF).place
        return self._moved(before, after, t)

    def _moved(
        self, before: tuple[float, float, float], after: tuple[float, float, float], t: float
    ) -> tuple[float, float]:
        """How far a point moves in the picture from half a frame before t to half one after."""
        u0, v0, _ = self._lens.project(self._path.pose(t - _HALF), before)
        u1, v1, _ = self._lens.project(self._path.pose(t + _HALF), after)
        return u1 - u0, v1 - v0


def generate_clip(
    seed: int, *, frames: int = 90, height: int = 480, width: int = 640, objects: int = 3
) -> Clip:
    """Make up a clip.

    Args:
        seed: the same seed and sizes give the same clip, to the bit.
        frames: how many, at 30 a second.
        height, width: of the pictures in pixels.
        objects: how many have an id; the rest is scenery.

    Returns:
        the clip; its frames are drawn when they are asked for.

    Raises:
        ConfigError: a size or count that is invalid.
    """
    for name, value, low, high in (
        ("seed", seed, 0, 2**63 - 1),
        ("frames", frames, 1, 1_000_000),
        ("height", height, _SMALLEST_PX, 8192),
        ("width", width, _SMALLEST_PX, 8192),
        ("objects", objects, 1, min(MAX_OBJECT_ID, 64)),
    ):
        if not low <= value <= high:
            raise ConfigError(f"clip {name} is {value}, expected {low}..{high}")
    return Clip(seed, frames=frames, height=height, width=width, objects=objects)

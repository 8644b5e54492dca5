"""Who plays in a clip: what things look like, and where they go.

Lengths in metres, times in frames, as in `camera`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from etam_ros.synthetic.scene import shapes
from etam_ros.synthetic.scene.actors import Actor, Posture, Wobble
from etam_ros.synthetic.scene.camera import CameraPath, Lens, Wander
from etam_ros.synthetic.scene.light import Linear
from etam_ros.synthetic.scene.noise import Field
from etam_ros.synthetic.scene.surroundings import brick_wall, planks
from etam_ros.synthetic.scene.textures import SURFACES, foliage, marble, stone

Rng = np.random.Generator

_SKIN_DRAWN, _SKIN_PX = 512, 256
_NEAREST, _FARTHEST = 2.7, 4.9  # metres between which objects move
_OCCLUDER_FILL: Final = 0.84  # of its half size that a hiding block surely covers


@dataclass(frozen=True)
class GroundTrajectory:
    """A path on the ground: across the picture while swaying, there and back, or about a place.

    Attributes:
        x: metres to the right at a time.
        z: metres away at a time.
        y: metres above the ground at a time.
    """

    x: Callable[[float], float]
    z: Callable[[float], float]
    y: Callable[[float], float]


@dataclass(frozen=True)
class CameraSetup:
    """What the cast must know: the lens, the camera's path, and how long the clip is."""

    lens: Lens
    path: CameraPath
    frames: int

    def metres(self, u: float, z: float) -> float:
        """X of a point seen at the fraction u of the picture's width by the camera at rest."""
        return (u - 0.5) * self.lens.hw[1] * z / self.lens.focal_px


def skin(rng: Rng, surface: Callable[[Rng, int], Linear] | None = None) -> Linear:
    """(256, 256, 3) reflectance of a surface, any if none is given."""
    chosen = surface or SURFACES[int(rng.integers(0, len(SURFACES)))]
    drawn = chosen(rng, _SKIN_DRAWN)
    small = cv2.resize(drawn, (_SKIN_PX, _SKIN_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small, 0.01, 0.95), np.float32)


def make_objects(rng: Rng, setup: CameraSetup, count: int) -> tuple[list[Actor], list[str]]:
    """The objects to follow, ids from 1, and what each is called.

    The first crosses the picture at the back, where `make_occluder` can hide it; the second comes
    the other way; the third stays in front; others sway, or leave the picture and return.
    """
    direction = rng.choice([-1.0, 1.0])
    depths = np.linspace(_FARTHEST, _NEAREST, max(count, 2))[:count]
    actors, names = [], []
    for index in range(count):
        z = float(depths[index])
        if index == 0:
            trajectory = _across(rng, setup, z, direction)
        elif index == 1:
            trajectory = _across(rng, setup, z, -direction)
        elif index % 2 == 0:
            trajectory = _about(rng, setup, z)
        else:
            trajectory = _there_and_back(rng, setup, z)
        name, kind = shapes.MOVING[0 if index == 0 else int(rng.integers(len(shapes.MOVING)))]
        share = (0.068, 0.082) if index == 0 else (0.085, 0.135)  # of the depth: angles
        actors.append(_mover(rng, index + 1, kind, trajectory, rng.uniform(*share) * z))
        names.append(name)
    return actors, names


def make_occluder(rng: Rng, setup: CameraSetup, hidden: Actor) -> Actor:
    """A crate, hedge or plinth that fully hides an object about the middle of the clip."""
    t = setup.frames * rng.uniform(0.42, 0.58)
    posture = hidden.posture(t)
    pose = setup.path.pose(t)
    x, _, z = posture.place
    _foot_u, foot_v, px_per_m = setup.lens.project(pose, (x, 0.0, z))
    radius = posture.size * px_per_m
    near = z - rng.uniform(0.45, 0.65)
    # Step along the line of sight to the nearer plane, and stand on the ground there.
    ray = (np.array([x, 0.0, z]) - pose.position) / (z - pose.position[2])
    place = pose.position + ray * (near - pose.position[2])
    _, near_v, near_px = setup.lens.project(pose, (float(place[0]), 0.0, near))
    half_width = 1.5 * radius + 6.0
    half_height = ((near_v - foot_v) + 2.4 * radius + 6.0) / 2.0
    stretch = float(np.sqrt(half_height / half_width))
    size = float(np.sqrt(half_height * half_width)) / _OCCLUDER_FILL / near_px
    surface, fuzz, bulge = _OCCLUDERS[int(rng.integers(0, len(_OCCLUDERS)))]
    shape = shapes.make_shape(shapes.block(rng), rng, fuzz=fuzz, bulge=bulge)
    still = Posture((float(place[0]), 0.0, near), size, stretch=stretch)
    return Actor(0, shape, skin(rng, surface), 0.1, _standing(still))


def _piece_of(plane: Callable[[Rng], Linear]) -> Callable[[Rng, int], Linear]:
    return lambda rng, size: np.asarray(
        cv2.resize(plane(rng)[:400, :400], (size, size)), np.float32
    )


_OCCLUDERS: Final[tuple[tuple[Callable[[Rng, int], Linear], float, float], ...]] = (
    (_piece_of(planks), 0.0, 0.3),
    (_piece_of(brick_wall), 0.06, 0.15),
    (marble, 0.0, 0.5),
    (stone, 0.3, 0.7),
    (foliage, 1.6, 0.8),
    (foliage, 0.9, 0.9),
)
"""Surface, fuzz and bulge of what hides others."""


def make_distractors(rng: Rng, setup: CameraSetup, distance: float) -> list[Actor]:
    """Things that stand about at the back; nobody asks for them."""
    distractors = []
    for _ in range(int(rng.integers(2, 5))):
        z = rng.uniform(_FARTHEST + 0.4, distance - 0.4)
        x = setup.metres(rng.uniform(0.0, 1.0), z)
        kind = (shapes.body, shapes.vessel, shapes.ball)[int(rng.integers(0, 3))]
        leafy = rng.random() < 0.35
        shape = shapes.make_shape(kind(rng), rng, fuzz=0.9 if leafy else 0.0)
        material = skin(rng, foliage if leafy else None)
        still = Posture((x, 0.0, z), z * rng.uniform(0.04, 0.11), roll=(rng.uniform(-1, 1), 0.0))
        gloss = 0.0 if leafy else rng.uniform(0.0, 0.5)
        distractors.append(Actor(0, shape, material, gloss, _standing(still)))
    return distractors


def _standing(posture: Posture) -> Callable[[float], Posture]:
    return lambda _: posture


def _mover(
    rng: Rng,
    object_id: int,
    kind: Callable[[Rng], Field],
    trajectory: GroundTrajectory,
    size: float,
) -> Actor:
    """An object on its trajectory: balls roll, bodies bend and ripple, the rest stays stiff."""
    rolls, soft = kind is shapes.ball, kind is shapes.body
    wobble = Wobble(rng, 1.0 if soft else 0.3)
    turning = rng.uniform(0.25, 0.8) * rng.choice([-1.0, 1.0])
    grow = Wander(rng, 0.08, 70.0)
    start = rng.uniform(-1.0, 1.0)

    def posture(t: float) -> Posture:
        turn, stretch, bend, ripple = wobble(t)
        x = trajectory.x(t)
        return Posture(
            place=(x, trajectory.y(t), trajectory.z(t)),
            size=size * (1.0 + grow(t)),
            turn=x / size if rolls else turn,
            stretch=1.0 if rolls else stretch,
            bend=bend if soft else 0.0,
            ripple=ripple,
            roll=(start, 0.0) if rolls else (start + turning * x / size * 0.35, 0.0),
        )

    fuzz = rng.choice([0.0, 0.0, 0.25]) if soft else 0.0
    return Actor(
        object_id,
        shapes.make_shape(kind(rng), rng, fuzz=float(fuzz)),
        skin(rng),
        float(rng.choice([0.0, 0.15, 0.45, 0.8])) if fuzz == 0.0 else 0.0,
        posture,
        ripple_depth=0.05 if soft else 0.0,
    )


def _across(rng: Rng, setup: CameraSetup, z: float, direction: float) -> GroundTrajectory:
    """From one side of the picture to the other."""
    start, end = setup.metres(rng.uniform(0.1, 0.2), z), setup.metres(rng.uniform(0.8, 0.9), z)
    if direction < 0:
        start, end = end, start
    sway, last = Wander(rng, 0.06, 50.0), max(1, setup.frames - 1)
    return GroundTrajectory(
        lambda t: start + (end - start) * t / last + sway(t), _depth(rng, z, 0.1), _on_ground
    )


def _about(rng: Rng, setup: CameraSetup, z: float) -> GroundTrajectory:
    """About a place in the middle, hopping now and then."""
    middle = setup.metres(rng.uniform(0.3, 0.7), z)
    sway, hop = Wander(rng, 0.2 * z, 70.0), Wander(rng, rng.choice([0.0, 0.2]), 40.0)
    return GroundTrajectory(
        lambda t: middle + sway(t), _depth(rng, z, 0.15), lambda t: abs(hop(t))
    )


def _there_and_back(rng: Rng, setup: CameraSetup, z: float) -> GroundTrajectory:
    """Out of the picture and in again."""
    side = rng.choice([-1.0, 1.0])
    inner, outer = setup.metres(0.5 + 0.2 * side, z), setup.metres(0.5 + 0.75 * side, z)

    def x(t: float) -> float:
        return inner + (outer - inner) * float(np.sin(np.pi * t / setup.frames)) ** 2

    return GroundTrajectory(x, _depth(rng, z, 0.1), _on_ground)


def _depth(rng: Rng, z: float, reach: float) -> Callable[[float], float]:
    sway = Wander(rng, reach, 80.0)
    return lambda t: z + sway(t)


def _on_ground(_: float) -> float:
    return 0.0

"""How cameras and things move: smooth paths, sampled at the times of a clip's frames.

The picture is a rectangle of area 1 about (0, 0), x right, y down; its width over height is the
aspect. Time is in ticks of about a tenth of a second. Letters: T frames, S side of the square
that the picture is squashed to, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Floats = NDArray[np.float64]

_NODES: Final = 9
_WAVES: Final = 3
_STEP: Final = (0.1, 2.5)  # ticks between frames: from far above a video's rate to far below
_GAP: Final = 0.1  # share of clips in which frames are missing
_TURN: Final = (0.003, 0.05)  # that a picture moves between frames where the camera turns
_FARTHEST_TURN: Final = 0.55  # in all


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A value of which every magnitude in the range is equally likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def chance(rng: Rng, probability: float) -> bool:
    """True with that probability."""
    return bool(rng.random() < probability)


def frame_times(rng: Rng, frames: int) -> Floats:
    """(T,) ticks from 0 up: slow or fast, even or uneven, at times with a long gap."""
    steps = np.full(max(frames - 1, 0), log_uniform(rng, *_STEP))
    if chance(rng, 0.3):
        steps *= np.exp(rng.uniform(-0.7, 0.7, len(steps)))
    if len(steps) and chance(rng, _GAP):
        steps[rng.integers(len(steps))] += rng.uniform(5.0, 30.0)
    return np.concatenate([[0.0], np.cumsum(steps)])


def drift(rng: Rng, times: Floats, amplitude: float, period: float, count: int = 1) -> Floats:
    """(count, T) values that wander smoothly about zero, by about `amplitude`."""
    frequency = 2.0 * np.pi / period * rng.uniform(0.6, 1.5, (count, 2, 1)) * [[[1.0], [2.3]]]
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, 2, 1))
    waves = np.sin(frequency * times + phase) * [[[0.7], [0.3]]]
    return np.asarray(amplitude * waves.sum(axis=1))


def squash(aspect: float, size: int) -> Floats:
    """(3, 3) from the picture's rectangle to pixels of the square."""
    width, height = np.sqrt(aspect), 1.0 / np.sqrt(aspect)
    middle = (size - 1) / 2.0
    return np.array([[size / width, 0.0, middle], [0.0, size / height, middle], [0.0, 0.0, 1.0]])


def poses(x: Floats, y: Floats, turn: Floats, scale_x: Floats, scale_y: Floats) -> Floats:
    """(T, 3, 3): scale, then turn clockwise by radians, then shift."""
    cos, sin = np.cos(turn), np.sin(turn)
    out = np.zeros((len(x), 3, 3))
    out[:, 0, 0], out[:, 0, 1], out[:, 0, 2] = cos * scale_x, -sin * scale_y, x
    out[:, 1, 0], out[:, 1, 1], out[:, 1, 2] = sin * scale_x, cos * scale_y, y
    out[:, 2, 2] = 1.0
    return out


def camera(rng: Rng, times: Floats, liveliness: float) -> Floats:
    """(T, 3, 3) of a hand-held camera: pan, zoom, roll, tremble, now and then perspective.

    Args:
        liveliness: 0 a tripod, 1 a lively hand.
    """
    slow = rng.uniform(20.0, 60.0)
    pan = drift(rng, times, 0.22 * liveliness, slow, 2)
    pan += drift(rng, times, 0.008 * liveliness, 2.5, 2)
    heading = rng.uniform(-0.02, 0.02, (2, 1)) * liveliness
    pan += np.clip(heading * times, -0.35, 0.35)
    pan -= pan[:, :1]
    zoom = np.exp(drift(rng, times, 0.18 * liveliness, slow)[0])
    roll = drift(rng, times, 0.12 * liveliness, slow)[0]
    out = poses(pan[0], pan[1], roll, zoom, zoom)
    if chance(rng, 0.35 * liveliness):
        tilt = drift(rng, times, 0.25 * liveliness, slow, 2)
        out[:, 2, 0], out[:, 2, 1] = tilt
    return out


def turning(rng: Rng, frames: int) -> Floats:
    """(T, 3, 3) of a camera that turns steadily, as a robot's does: mostly to one side.

    Pictures move by a few thousandths to a twentieth of their side from frame to frame.
    """
    share = np.linspace(0.0, 1.0, frames)
    far = min(log_uniform(rng, *_TURN) * (frames - 1), _FARTHEST_TURN)
    angle = rng.normal(0.0, 0.35) + (np.pi if chance(rng, 0.5) else 0.0)
    eased = share ** rng.uniform(0.7, 1.5)
    still = np.zeros(frames)
    zoom = np.full(frames, rng.uniform(1.0, 1.4))
    return poses(far * eased * np.cos(angle), far * eased * np.sin(angle), still, zoom, zoom)


@dataclass(frozen=True, eq=False)
class Ripple:
    """Waves that run through a thing and bend it.

    Attributes:
        vectors: (W, 2) wave vectors, in half sides of the thing.
        depths: (W, 2) how far a wave moves the thing in x and y, in half sides.
        phases: (W, T).
    """

    vectors: Floats
    depths: Floats
    phases: Floats

    @staticmethod
    def random(rng: Rng, times: Floats, depth: float) -> Ripple:
        """Waves of about that depth, in half sides of the thing."""
        vectors = rng.normal(0.0, 1.0, (_WAVES, 2)) * rng.uniform(0.8, 2.6, (_WAVES, 1))
        steepness = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1.0)
        depths = rng.normal(0.0, depth, (_WAVES, 2)) / steepness
        speeds = rng.uniform(0.05, 0.5, (_WAVES, 1)) * rng.choice([-1.0, 1.0], (_WAVES, 1))
        phases = rng.uniform(0.0, 2.0 * np.pi, (_WAVES, 1)) + speeds * times
        return Ripple(vectors, depths, phases)

    def maps(
        self, back: Floats, wh: tuple[int, int], source_wh: tuple[int, int], frame: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where each pixel of a window comes from in the thing's picture, x and y, both (h, w).

        Args:
            back: (3, 3) from pixels of the window to pixels of the thing's picture.
            wh: width and height of the window.
            source_wh: width and height of the thing's picture.
            frame: index of the frame.
        """
        rows, columns = _hats(wh[1]), _hats(wh[0])
        x = np.linspace(0.0, wh[0] - 1.0, _NODES)[None, :]
        y = np.linspace(0.0, wh[1] - 1.0, _NODES)[:, None]
        depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
        u = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth
        v = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth
        half_w, half_h = source_wh[0] / 2.0, source_wh[1] / 2.0
        local_u, local_v = u / half_w - 1.0, v / half_h - 1.0
        for (kx, ky), (dx, dy), phase in zip(
            self.vectors, self.depths, self.phases[:, frame], strict=True
        ):
            wave = np.sin(kx * local_u + ky * local_v + phase)
            u = u + dx * half_w * wave
            v = v + dy * half_h * wave
        across = columns.T
        return (
            np.asarray(rows @ u.astype(np.float32) @ across, np.float32),
            np.asarray(rows @ v.astype(np.float32) @ across, np.float32),
        )


@lru_cache(maxsize=512)
def _hats(length: int) -> NDArray[np.float32]:
    """(length, NODES) weights that join values at the nodes by straight lines."""
    at = np.linspace(0.0, _NODES - 1.0, length, dtype=np.float32)[:, None]
    weights = 1.0 - np.abs(at - np.arange(_NODES, dtype=np.float32))
    return np.asarray(np.maximum(weights, 0.0), np.float32)

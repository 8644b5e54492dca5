"""Light: where it comes from, how a surface takes it, and how a sensor turns it into a picture.

Letters: H, W height and width in pixels. Linear light is float32, 1 a white sheet in the sun.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.scene.camera import Wander
from etam_ros.synthetic.scene.noise import Field

Linear = NDArray[np.float32]
Picture = NDArray[np.uint8]

_CANVAS_WHITE: Final = 2.0  # linear light that a canvas stores as 255
_STORED: Final = np.arange(256, dtype=np.float32) / 255.0
_CANVAS_TABLE: Final = (_STORED**2.2 * _CANVAS_WHITE).astype(np.float32)
_TONE_STEPS: Final = 4096
_TONE_WHITE: Final = 3.0  # linear light beyond which everything is white


@dataclass(frozen=True, eq=False)
class Light:
    """The light of a scene.

    Attributes:
        towards: (3,) unit vector to the lamp: x right, y down, z to the camera.
        lamp, sky, ground: (3,) colours of the direct light and of what comes from above and below.
        shadow: (x, y) pixels that a shadow on the ground runs per pixel of height.
        softness: blur of shadows, 0 hard to 1 overcast.
    """

    towards: NDArray[np.float32] = field(repr=False)
    lamp: NDArray[np.float32] = field(repr=False)
    sky: NDArray[np.float32] = field(repr=False)
    ground: NDArray[np.float32] = field(repr=False)
    shadow: tuple[float, float]
    softness: float

    @property
    def shade(self) -> float:
        """What is left of the light in a full shadow."""
        return 0.3 + 0.3 * self.softness


def random_light(rng: np.random.Generator) -> Light:
    """Sun, lamp or window from above one of the shoulders; warmer direct light, cooler sky."""
    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 0.9)
    towards = np.array([side, -rng.uniform(0.5, 0.9), rng.uniform(0.25, 0.7)])
    towards /= np.linalg.norm(towards)
    warmth = rng.uniform(0.0, 1.0)
    softness = rng.uniform(0.0, 1.0)
    lamp = np.array([1.12, 1.0, 0.86 - 0.1 * warmth]) * (1.25 - 0.6 * softness)
    sky = np.array([0.82, 0.95, 1.1]) * (0.35 + 0.35 * softness)
    ground = np.array([1.05, 0.95, 0.8]) * (0.12 + 0.1 * softness)
    run = np.clip(np.array([-towards[0], 0.35 * towards[2]]) / abs(towards[1]), -0.9, 0.9)
    return Light(
        towards.astype(np.float32),
        lamp.astype(np.float32),
        sky.astype(np.float32),
        ground.astype(np.float32),
        (float(run[0]), float(-0.5 * run[1])),
        float(softness),
    )


def lit(colour: Linear, nx: Field, ny: Field, light: Light, gloss: float) -> Linear:
    """Light a surface.

    Args:
        colour: (H, W, 3) reflectance.
        nx, ny: (H, W) normal; what is missing to length 1 looks at the camera.
        gloss: 0 matt to 1 wet.

    Returns:
        (H, W, 3) linear light.
    """
    nz = np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))
    lx, ly, lz = (float(value) for value in light.towards)
    facing = nx * lx + ny * ly + nz * lz
    direct = np.maximum(0.85 * facing + 0.15, 0.0)  # light creeps a little round the edge
    upward = 0.5 - 0.5 * ny
    total = np.empty_like(colour)
    for channel in range(3):
        above = light.sky[channel] * upward + light.ground[channel] * (1.0 - upward)
        total[..., channel] = colour[..., channel] * (light.lamp[channel] * direct + above)
    if gloss > 0.02:
        hx, hy, hz = _half(lx, ly, lz)
        highlight = np.maximum(nx * hx + ny * hy + nz * hz, 0.0)
        sharpness = 8.0 + 80.0 * gloss * gloss
        shine = (0.75 * gloss) * np.exp(sharpness * (highlight - 1.0))
        total += shine[..., None] * light.lamp
    return total


def _half(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Unit vector half-way between the lamp and the camera."""
    length = float(np.sqrt(x * x + y * y + (z + 1.0) ** 2))
    return x / length, y / length, (z + 1.0) / length


def to_canvas(linear: Linear) -> Picture:
    """Store linear light in 8 bits, as finely as eyes see, for fast warping."""
    return np.asarray(
        np.clip(linear / _CANVAS_WHITE, 0.0, 1.0) ** (1.0 / 2.2) * 255.0 + 0.5, np.uint8
    )


def from_canvas(canvas: Picture) -> Linear:
    """Linear light of what `to_canvas` stored."""
    return np.asarray(cv2.LUT(canvas, _CANVAS_TABLE), np.float32)


class Sensor:
    """A small sensor: vignette, exposure that drifts, white balance, noise, a film curve."""

    def __init__(self, rng: np.random.Generator, hw: tuple[int, int]) -> None:
        height, width = hw
        y = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
        x = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :]
        falloff = 1.0 - np.float32(rng.uniform(0.06, 0.16)) * (x * x + y * y)
        balance = np.array([rng.uniform(0.93, 1.07), 1.0, rng.uniform(0.93, 1.07)], np.float32)
        self._gain = np.ascontiguousarray(falloff[..., None] * balance * rng.uniform(1.0, 1.25))
        self._exposure = Wander(rng, 0.1, 80.0)
        self._grain = rng.uniform(0.01, 0.028)
        self._spare = 64  # so much larger than a picture is the sheet of noise
        noise = rng.standard_normal((height + self._spare, width + self._spare, 3), np.float32)
        self._noise = cv2.GaussianBlur(noise, (3, 3), 0.55) * np.float32(self._grain * 1.6)
        self._blur = rng.uniform(0.4, 0.7)
        self._table = _film_curve(rng.uniform(1.3, 1.7))

    def develop(self, linear: Linear, t: float, rng: np.random.Generator) -> Picture:
        """Turn the linear light (H, W, 3) of the frame at time t, in frames, into a picture."""
        height, width = linear.shape[:2]
        blurred = cv2.GaussianBlur(linear, (3, 3), self._blur)
        exposed = np.multiply(blurred, self._gain, dtype=np.float32)
        exposed *= np.float32(1.0 + self._exposure(t))
        top, left = rng.integers(0, self._spare, 2)
        noise = self._noise[top : top + height, left : left + width]
        exposed += np.sqrt(exposed + np.float32(0.02)) * noise  # photons come at random
        np.clip(exposed, 0.0, _TONE_WHITE, out=exposed)
        exposed *= np.float32((_TONE_STEPS - 1) / _TONE_WHITE)
        return np.asarray(self._table[exposed.astype(np.uint16)], np.uint8)


def _film_curve(strength: float) -> Picture:
    """(4096,) picture values of linear light 0.._TONE_WHITE: soft shoulder, slight toe."""
    light = np.linspace(0.0, _TONE_WHITE, _TONE_STEPS)
    tone = (1.0 - np.exp(-strength * light)) ** (1.0 / 2.2)
    tone = tone / tone[-1]
    tone = 0.6 * tone + 0.4 * tone * tone * (3.0 - 2.0 * tone)
    return np.asarray(tone * 255.0 + 0.5, np.uint8)

"""What a camera does to a picture: exposure, colour, blur, noise, compression, black bars.

Letters: T frames, S side of the picture in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.motion import Floats, Rng, chance, drift, log_uniform

Picture = NDArray[np.uint8]

_GRAIN_SIDE: Final = 512


def grain_pool() -> tuple[Picture, ...]:
    """Noise about 128 to draw from: fine, coarse, and the same in all colours."""
    rng = np.random.default_rng(0x6A1)
    side = _GRAIN_SIDE
    fine = rng.normal(0.0, 40.0, (side, side, 3))
    coarse = cv2.resize(rng.normal(0.0, 50.0, (side // 2, side // 2, 3)), (side, side))
    grey = np.repeat(rng.normal(0.0, 40.0, (side, side, 1)), 3, axis=2)
    return tuple(
        np.clip(np.rint(noise + 128.0), 0, 255).astype(np.uint8) for noise in (fine, coarse, grey)
    )


@dataclass(frozen=True, eq=False)
class CameraEffects:
    """What happens to every frame of a clip, after it is drawn.

    Attributes:
        tables: (T, 256, 3) uint8, tone and colour per frame; empty: none.
        softness: sigma of the blur in pixels; 0 none.
        shrink: size at which the picture was taken, of the one it is shown at; 1 the same.
        grain: noise about 128 (G, G, 3), or None; noise: its strength, 0..1.
        corners: (T, 2) where in `grain` a frame's noise begins.
        quality: of JPEG, 0 none.
        bars: rows above and below, columns left and right that are black, in pixels.
    """

    tables: Picture = field(repr=False)
    softness: float
    shrink: float
    grain: Picture | None = field(repr=False)
    noise: float
    corners: NDArray[np.int64] = field(repr=False)
    quality: int
    bars: tuple[int, int]

    @staticmethod
    def random(rng: Rng, times: Floats, size: int, grains: tuple[Picture, ...]) -> CameraEffects:
        """A camera of any kind."""
        frames = len(times)
        noisy = chance(rng, 0.45)
        bars = (0, 0)
        if chance(rng, 0.07):
            bar = max(1, int(size * rng.uniform(0.03, 0.14)))
            bars = (bar, 0) if chance(rng, 0.7) else (0, bar)
        return CameraEffects(
            tables=_tone_tables(rng, times),
            softness=log_uniform(rng, 0.4, 1.3) * size / 128 if chance(rng, 0.2) else 0.0,
            shrink=rng.uniform(0.45, 0.85) if chance(rng, 0.15) else 1.0,
            grain=grains[rng.integers(len(grains))] if noisy else None,
            noise=log_uniform(rng, 0.03, 0.35),
            corners=rng.integers(0, max(1, _GRAIN_SIDE - size), (frames, 2)),
            quality=int(rng.integers(25, 90)) if chance(rng, 0.3) else 0,
            bars=bars,
        )

    def apply(self, picture: Picture, frame: int) -> Picture:
        """Apply them to frame t, (S, S, 3)."""
        size = picture.shape[0]
        if len(self.tables):
            picture = np.asarray(cv2.LUT(picture, self.tables[frame][None]), np.uint8)
        if self.shrink < 1.0:
            side = max(8, round(size * self.shrink))
            small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
            picture = np.asarray(cv2.resize(small, (size, size)), np.uint8)
        if self.softness > 0.0:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.softness), np.uint8)
        if self.grain is not None:
            row, column = self.corners[frame]
            piece = _tiled(self.grain, int(row), int(column), size)
            shift = -128.0 * self.noise
            picture = np.asarray(cv2.addWeighted(picture, 1.0, piece, self.noise, shift), np.uint8)
        if self.quality:
            code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
            picture = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
        self.black_out(picture)
        return picture

    def black_out(self, picture: NDArray[np.uint8] | NDArray[np.bool_]) -> None:
        """Set what lies under the black bars to zero, in place; (S, S, ...)."""
        rows, columns = self.bars
        if rows:
            picture[:rows] = 0
            picture[-rows:] = 0
        if columns:
            picture[:, :columns] = 0
            picture[:, -columns:] = 0


def _tiled(grain: Picture, row: int, column: int, size: int) -> Picture:
    piece = grain[row : row + size, column : column + size]
    if piece.shape[:2] == (size, size):
        return piece
    return np.asarray(np.resize(grain, (size, size, 3)), np.uint8)


def _tone_tables(rng: Rng, times: Floats) -> Picture:
    """(T, 256, 3): exposure, gamma, contrast and colour that change over time."""
    if chance(rng, 0.15):
        return np.zeros((0, 256, 3), np.uint8)
    frames = len(times)
    change = 0.25 if chance(rng, 0.35) else 0.06
    period = rng.uniform(6.0, 60.0)
    exposure = rng.normal(-0.08, 0.13) + drift(rng, times, change, period)[0]
    gamma = rng.normal(0.0, 0.15) + drift(rng, times, 0.3 * change, period)[0]
    contrast = rng.normal(0.0, 0.12)
    cast = rng.normal(0.0, 0.07, (3, 1)) + drift(rng, times, 0.25 * change, period, 3)
    if chance(rng, 0.04):  # a lamp that flickers or a sudden cloud
        exposure[rng.integers(frames) :] += rng.uniform(-0.5, 0.5)
    grey = np.linspace(0.0, 1.0, 256)[None, :, None]
    tone = np.power(grey, np.exp(gamma)[:, None, None])
    tone = (tone - 0.5) * np.exp(contrast) + 0.5
    tone = tone * np.exp(exposure[:, None, None] + cast.T[:, None, :])
    return np.asarray(np.clip(np.rint(tone * 255.0), 0, 255), np.uint8)

"""Procedural materials: pictures of surfaces, each a function of a random generator.

Letters: S side of a texture in pixels. A texture is (S, S, 3) float32, linear light, 0..1.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.scene.noise import (
    Field,
    cells_noise,
    fractal_noise,
    pull,
    smooth_noise,
    stretch,
)

Texture = NDArray[np.float32]
Rng = np.random.Generator
Colour = tuple[float, float, float]


def hsv(rng: Rng, hue: tuple[float, float], saturation: tuple[float, float],
        value: tuple[float, float]) -> Colour:  # fmt: skip
    """A random colour as one sees it (sRGB, 0..1) with hue, saturation and value in ranges.

    Greens and violets of full saturation, which nothing in a room or a field has, are muted.
    """
    tone = rng.uniform(*hue) % 1.0
    muted = 0.85 - 0.3 * max(_bump(tone, 0.36, 0.12), _bump(tone, 0.8, 0.12))
    return colorsys.hsv_to_rgb(tone, rng.uniform(*saturation) * muted, rng.uniform(*value))


def _bump(value: float, centre: float, width: float) -> float:
    return float(np.exp(-(((value - centre) / width) ** 2)))


def shade(field: Field, colours: Sequence[Colour]) -> Texture:
    """Map a field 0..1 through a ramp of sRGB colours; linear light comes out."""
    ramp = np.asarray(colours, np.float32)
    stops = np.linspace(0.0, 1.0, len(ramp))
    steps = np.linspace(0.0, 1.0, 1024)
    table = np.stack([np.interp(steps, stops, ramp[:, c]) for c in range(3)], axis=1)
    linear = to_linear(table.astype(np.float32))
    return np.asarray(linear[(np.clip(field, 0.0, 1.0) * 1023.0).astype(np.int32)], np.float32)


def to_linear(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """From what one sees (sRGB, 0..1) to linear light; a power is close enough here."""
    return np.asarray(np.power(srgb, 2.2), np.float32)


def wood(rng: Rng, size: int) -> Texture:
    """Long grain with rings, knots and fine pores."""
    hw = (size, size)
    across = np.broadcast_to(np.linspace(0.0, 1.0, size, dtype=np.float32)[:, None], hw)
    bend = fractal_noise(rng, hw, (3, 1), 4) * rng.uniform(0.3, 0.7)
    rings = np.abs(((across + bend) * rng.uniform(6, 12)) % 1.0 - 0.35)
    pores = fractal_noise(rng, hw, (size / 3, size / 60), 2)
    streaks = fractal_noise(rng, hw, (40, 2), 3)
    field = 0.45 * stretch(rings.astype(np.float32)) + 0.2 * pores + 0.35 * streaks
    hue = rng.uniform(0.05, 0.11)
    dark = hsv(rng, (hue - 0.02, hue), (0.5, 0.7), (0.2, 0.4))
    light = hsv(rng, (hue, hue + 0.02), (0.35, 0.6), (0.6, 0.85))
    return shade(field, [dark, light])


def marble(rng: Rng, size: int) -> Texture:
    """Veins bent by turbulence."""
    hw = (size, size)
    x = np.linspace(0.0, rng.uniform(2, 5), size, dtype=np.float32)[None, :]
    bend = fractal_noise(rng, hw, 4, 6, 0.6) * 5.0
    veins = np.abs(np.sin(x + bend)) ** np.float32(0.4)
    clouds = fractal_noise(rng, hw, 5, 6, 0.6)
    hue = rng.uniform(0, 1)
    base = hsv(rng, (hue, hue), (0.02, 0.25), (0.7, 0.95))
    cloud = hsv(rng, (hue, hue + 0.1), (0.05, 0.35), (0.45, 0.7))
    vein = hsv(rng, (0, 1), (0.1, 0.5), (0.1, 0.35))
    return shade((0.55 * veins + 0.45 * clouds).astype(np.float32), [vein, cloud, base, base])


def fabric(rng: Rng, size: int) -> Texture:
    """Woven threads under a checked or striped print."""
    hw = (size, size)
    threads = np.sin(np.linspace(0.0, np.pi * size / rng.uniform(3, 5), size, dtype=np.float32))
    weave = 0.5 + 0.5 * threads[None, :] * threads[:, None]
    warp, weft = (_stripes(rng, size), _stripes(rng, size))
    check = warp[None, :] if rng.random() < 0.4 else 0.5 * (warp[None, :] + weft[:, None])
    worn = fractal_noise(rng, hw, 6, 5)
    folds = fractal_noise(rng, hw, (2, 3), 2)
    hue = rng.uniform(0, 1)
    colours = [hsv(rng, (hue, hue + 0.2), (0.2, 0.8), (0.2, 0.85)) for _ in range(3)]
    cloth = shade(np.broadcast_to(check, hw).astype(np.float32), colours)
    light = (0.75 + 0.25 * weave) * (0.7 + 0.3 * worn) * (0.75 + 0.4 * folds)
    return np.asarray(cloth * light[..., None], np.float32)


def _stripes(rng: Rng, size: int) -> NDArray[np.float32]:
    """(S,) bands of random width and tone that repeat."""
    tones = rng.random(int(rng.integers(3, 7)), dtype=np.float32)
    widths = rng.integers(2, 12, len(tones)) * max(1, size // 160)
    period = np.repeat(tones, widths)
    return np.asarray(np.resize(period, size), np.float32)


def foliage(rng: Rng, size: int) -> Texture:
    """Leaves over leaves, the upper ones lighter."""
    picture = np.zeros((size, size, 3), np.float32)
    hue = rng.uniform(0.18, 0.38)
    leaves = 2600
    places = rng.integers(-10, size + 10, (leaves, 2))
    lengths = rng.uniform(0.010, 0.034, leaves) * size
    angles = rng.uniform(0, 360, leaves)
    for index in range(leaves):
        height = index / leaves
        colour = hsv(rng, (hue - 0.04, hue + 0.04), (0.4, 0.9), (0.08 + 0.3 * height,
                                                                0.2 + 0.6 * height))  # fmt: skip
        axes = (int(lengths[index]) + 1, int(lengths[index] * 0.45) + 1)
        centre = (int(places[index, 0]), int(places[index, 1]))
        cv2.ellipse(picture, centre, axes, angles[index], 0, 360, colour, cv2.FILLED, cv2.LINE_8)
    light = 0.6 + 0.4 * fractal_noise(rng, (size, size), 5, 4)
    return to_linear(np.asarray(picture * light[..., None], np.float32))


def stone(rng: Rng, size: int) -> Texture:
    """Rough grey or sandy rock with speckles and cracks."""
    hw = (size, size)
    rough = fractal_noise(rng, hw, 5, 7, 0.65)
    distance, value = cells_noise(rng, hw, 90)
    cracks = np.clip(distance / 30.0, 0.0, 1.0)
    speckles = (fractal_noise(rng, hw, size / 4, 2) > 0.72).astype(np.float32)
    hue = rng.uniform(0.02, 0.14)
    dark = hsv(rng, (hue, hue), (0.05, 0.4), (0.15, 0.3))
    light = hsv(rng, (hue, hue + 0.03), (0.03, 0.35), (0.55, 0.85))
    field = 0.7 * rough + 0.1 * value + 0.15 * cracks - 0.2 * speckles
    return shade(stretch(field.astype(np.float32)), [dark, light])


def scales(rng: Rng, size: int) -> Texture:
    """Cells with dark seams: leather, scales, pebbles."""
    hw = (size, size)
    distance, value = cells_noise(rng, hw, int(rng.integers(150, 900)))
    edge = stretch(np.asarray(cv2.GaussianBlur(distance, (0, 0), 1.0), np.float32))
    hue = rng.uniform(0, 1)
    colours = [hsv(rng, (hue, hue + 0.12), (0.2, 0.8), (0.3, 0.9)) for _ in range(3)]
    skin = shade(value * 0.6 + 0.4 * fractal_noise(rng, hw, 5, 4), colours)
    return np.asarray(skin * (1.15 - 0.9 * edge)[..., None], np.float32)


def hide(rng: Rng, size: int) -> Texture:
    """Patches or stripes of an animal's coat with short hair."""
    hw = (size, size)
    stripes = rng.random() < 0.5
    cells = (rng.uniform(2, 4), rng.uniform(8, 14)) if stripes else (rng.uniform(3, 7),) * 2
    patches = fractal_noise(rng, hw, cells, 3, 0.35)
    edge = np.clip((patches - 0.5) * 18.0 + 0.5, 0.0, 1.0)
    hair = fractal_noise(rng, hw, (size / 10, size / 3), 2)
    hue = rng.uniform(0.03, 0.11)
    dark = hsv(rng, (hue - 0.02, hue), (0.3, 0.8), (0.06, 0.35))
    light = hsv(rng, (hue, hue + 0.03), (0.05, 0.6), (0.65, 0.95))
    coat = shade(edge.astype(np.float32), [dark, light])
    return np.asarray(coat * (0.65 + 0.5 * hair)[..., None], np.float32)


def plush(rng: Rng, size: int) -> Texture:
    """Long soft hair of nearly one colour, combed in swirls."""
    hw = (size, size)
    grain = smooth_noise(rng, hw, (size / 12, size / 2))
    swirl = (fractal_noise(rng, hw, 3, 3) - 0.5) * 90.0
    hair = pull(grain, swirl, np.roll(swirl, size // 3, axis=1))
    tone = fractal_noise(rng, hw, 4, 5)
    hue = rng.uniform(0, 1)
    dark = hsv(rng, (hue - 0.03, hue), (0.4, 0.9), (0.15, 0.4))
    light = hsv(rng, (hue, hue + 0.04), (0.25, 0.75), (0.6, 0.95))
    return shade((0.55 * hair + 0.45 * tone).astype(np.float32), [dark, light])


def peel(rng: Rng, size: int) -> Texture:
    """The skin of a fruit: soft change of colour, pores, a few blemishes."""
    hw = (size, size)
    tone = fractal_noise(rng, hw, 2, 4)
    pores = fractal_noise(rng, hw, size / 9, 2)
    spots = np.clip(fractal_noise(rng, hw, 14, 3) * 6.0 - 4.2, 0.0, 1.0)
    hue = rng.choice([rng.uniform(-0.02, 0.13), rng.uniform(0.2, 0.35)])
    ends = [hsv(rng, (hue - 0.05, hue + 0.05), (0.65, 0.95), (0.45, 0.95)) for _ in range(2)]
    skin = shade(tone, [ends[0], ends[1]])
    return np.asarray(skin * ((0.8 + 0.25 * pores) * (1.0 - 0.5 * spots))[..., None], np.float32)


def painted(rng: Rng, size: int) -> Texture:
    """Bright glaze with rings, dots or waves of a second colour, a little worn."""
    hw = (size, size)
    y = np.linspace(0.0, 1.0, size, dtype=np.float32)[:, None]
    x = np.linspace(0.0, 1.0, size, dtype=np.float32)[None, :]
    count = rng.uniform(3, 7)
    waves = y * count + 0.25 * np.sin(x * rng.uniform(6, 20) + rng.uniform(0, 6))
    bands = np.abs((waves + 0.08 * fractal_noise(rng, hw, 4, 3)) % 1.0 - 0.5) * 2.0
    edge = np.clip((bands - rng.uniform(0.35, 0.7)) * 30.0, 0.0, 1.0)
    hue = rng.uniform(0, 1)
    glaze = [hsv(rng, (hue, hue), (0.5, 0.9), (0.3, 0.9)),
             hsv(rng, (hue + 0.3, hue + 0.7), (0.1, 0.8), (0.5, 0.95))]  # fmt: skip
    dirt = 0.75 + 0.25 * fractal_noise(rng, hw, 5, 6)
    return np.asarray(shade(edge.astype(np.float32), glaze) * dirt[..., None], np.float32)


SURFACES: Final[tuple[Callable[[Rng, int], Texture], ...]] = (
    wood, marble, fabric, foliage, stone, scales, hide, plush, peel, painted,
)  # fmt: skip
"""Materials an object may be made of."""

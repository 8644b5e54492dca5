"""Which background a clip has, and how the camera sees it.

Letters: T frames, S side of the picture in pixels; H, W of what is viewed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.assets import Assets, choose_thing
from etam_ros.synthetic.collage.backdrop import Backdrop, reduced, view_scale
from etam_ros.synthetic.collage.motion import Floats, Ripple, Rng, chance, log_uniform, squash
from etam_ros.synthetic.collage.procedural import gradient
from etam_ros.synthetic.collage.sprites import Cutout, cut
from etam_ros.synthetic.material.records import Partition, Photograph

Picture = NDArray[np.uint8]

_LARGEST: Final = 0.6  # share of the picture that a thing in a photograph covers
_ENLARGED: Final = 3.0  # pixels of the picture per pixel of a photograph, at most
_LIFTED: Final = 0.3  # share of a photograph that a thing covers that is lifted off, at most
_OUTLINED: Final = 255  # label of the thing in a track's masks
_FILLED_PX: Final = 72  # longest side at which the hole behind it is filled


@dataclass(frozen=True, eq=False)
class Shot:
    """How a clip is taken.

    Attributes:
        times: (T,) ticks.
        aspect: width over height of the picture before it is squashed.
        size: S.
        camera: (T, 3, 3) motion of the camera.
    """

    times: Floats = field(repr=False)
    aspect: float
    size: int
    camera: Floats = field(repr=False)


@dataclass(frozen=True, eq=False)
class Lifted:
    """A thing of the background photograph, cut out where it stands.

    Attributes:
        cutout: the thing.
        place: (3, 3) from its pixels to the picture.
    """

    cutout: Cutout
    place: Floats = field(repr=False)


def natural(
    rng: Rng, assets: Assets, shot: Shot, photograph: Photograph
) -> tuple[Backdrop, Lifted | None]:
    """A photograph whose own things are the objects, where they were photographed.

    At times one of them is lifted off, to move before the place where it stood.
    """
    things = photograph.truth if chance(rng, 0.65) else photograph.regions
    first = choose_thing(rng, things)
    if things is None or first is None:
        return background(rng, assets, shot), None
    others = rng.permutation(np.nonzero(things.shares > 0.004)[0])[: rng.integers(3)]
    chosen = [first, *(int(other) for other in others if other != first)]
    place = _framed(rng, shot, things, first)
    if things.shares[first] < _LIFTED and chance(rng, 0.4):
        cutout = cut(rng, photograph.image, things, first, int(rng.integers(3)))
        image = _without(photograph.image, things.mask(first))
        corner = np.eye(3)
        corner[:2, 2] = cutout.corner
        return _seen(shot, image, place), Lifted(cutout, place @ corner)
    ripple = Ripple.random(rng, shot.times, 0.05) if chance(rng, 0.3) else None
    return _seen(shot, photograph.image, place, things, tuple(enumerate(chosen)), ripple), None


def _framed(rng: Rng, shot: Shot, things: Partition, index: int) -> Floats:
    """(3, 3) from a photograph to a picture that has a thing of it in view, near or far."""
    height, width = things.labels.shape
    widest = view_scale((height, width), shot.aspect, rng.uniform(0.95, 1.1))
    scale = widest * log_uniform(rng, 1.0, 1.5)
    if chance(rng, 0.4):
        area = log_uniform(rng, 0.01, _LARGEST)
        scale = float(np.sqrt(area / (things.shares[index] * height * width)))
    scale = float(np.clip(scale, widest, max(widest, _ENLARGED / shot.size)))
    x, y, wide, high = cv2.boundingRect(things.mask(index))
    middle = np.array([x + wide * rng.uniform(0.2, 0.8), y + high * rng.uniform(0.2, 0.8)])
    whole = np.array([width, height])
    half = np.array([np.sqrt(shot.aspect), 1.0 / np.sqrt(shot.aspect)]) / scale / 2.0
    half = np.minimum(half, whole / 2.0)
    return _placed(rng, scale, np.clip(middle, half, whole - half))


def background(rng: Rng, assets: Assets, shot: Shot) -> Backdrop:
    """Footage, a photograph or a texture."""
    material = assets.material
    draw = rng.random()
    if material.footage and draw < 0.4:
        return _footage(rng, assets, shot)
    if material.photographs and draw < 0.85:
        photograph = assets.photograph(rng)
        share = log_uniform(rng, 0.35, 1.0)
        place = _anywhere(rng, photograph.image, shot, share)
        index = choose_thing(rng, photograph.regions) if chance(rng, 0.25) else None
        slots = () if index is None else ((0, index),)
        return _seen(shot, photograph.image, place, photograph.regions, slots)
    plain = chance(rng, 0.2)
    image = gradient(rng, (64, 64)) if plain else assets.texture(rng)
    share = 0.9 if plain else log_uniform(rng, 0.3, 1.0)
    return _seen(shot, image, _anywhere(rng, image, shot, share))


def tracked(rng: Rng, assets: Assets, shot: Shot) -> Backdrop:
    """Footage in which a thing moves as it did, with its outline."""
    tracks = assets.material.tracks
    track = tracks[rng.integers(len(tracks))]
    piece = assets.material.footage[track.piece]
    calm = replace(shot, camera=np.eye(3) + 0.5 * (shot.camera - np.eye(3)))
    at = _there_and_back(rng, shot.times, len(track.masks))
    things = Partition(track.masks[at[0]], (np.arange(256) == _OUTLINED)[None])
    if things.shares[0] <= 0.0:
        return background(rng, assets, shot)
    seen = _seen(calm, piece[0], _framed(rng, shot, things, 0), things, ((0, 0),))
    factor = seen.frames[0].shape[1] / piece.shape[2]
    frames, labels = [piece[track.first + index] for index in at], [track.masks[i] for i in at]
    if factor != 1.0:
        frames = [reduced(frame, factor) for frame in frames]
        labels = [reduced(mask, factor, cv2.INTER_NEAREST) for mask in labels]
    return replace(seen, frames=tuple(frames), labels=tuple(labels))


def _there_and_back(rng: Rng, times: Floats, count: int) -> NDArray[np.int64]:
    """(T,) indices of frames of footage at those times, begun anywhere, forwards or backwards."""
    at = rng.integers(count) + np.rint(times * rng.choice([-1.0, 1.0])).astype(np.int64)
    return np.asarray(np.minimum(at % (2 * count), (-at - 1) % (2 * count)))


def _footage(rng: Rng, assets: Assets, shot: Shot) -> Backdrop:
    """Frames of real motion, through a window that moves a little itself."""
    piece = assets.material.footage[rng.integers(len(assets.material.footage))]
    at = _there_and_back(rng, shot.times, len(piece))
    calm = replace(shot, camera=np.eye(3) + 0.4 * (shot.camera - np.eye(3)))
    place = _anywhere(rng, piece[0], shot, log_uniform(rng, 0.5, 1.0))
    seen = _seen(calm, piece[0], place)
    factor = seen.frames[0].shape[1] / piece.shape[2]
    frames = [piece[index] for index in at]
    if factor != 1.0:
        frames = [reduced(frame, factor) for frame in frames]
    return replace(seen, frames=tuple(frames))


def _anywhere(rng: Rng, image: Picture, shot: Shot, share: float) -> Floats:
    """(3, 3) from an image to the picture: a view of `share` of the largest that fits."""
    hw = image.shape[:2]
    scale = view_scale((hw[0], hw[1]), shot.aspect, share)
    extent = np.array([np.sqrt(shot.aspect), 1.0 / np.sqrt(shot.aspect)]) / scale
    whole = np.array([hw[1], hw[0]])
    spare = np.maximum(whole - extent, 0.0)
    return _placed(rng, scale, whole / 2.0 + spare * rng.uniform(-0.5, 0.5, 2))


def _placed(rng: Rng, scale: float, middle: Floats) -> Floats:
    """(3, 3) from an image to the picture, as it is or mirrored, a little stretched.

    Args:
        scale: units of the picture per pixel of the image.
        middle: (x, y) pixel of the image in the middle of the picture.
    """
    flip = -1.0 if chance(rng, 0.5) else 1.0
    stretch = np.exp(rng.normal(0.0, 0.08))
    place = np.diag([flip * scale * stretch, scale / stretch, 1.0])
    place[:2, 2] = -place[:2, :2] @ middle
    return np.asarray(place)


def _seen(
    shot: Shot, image: Picture, place: Floats, things: Partition | None = None,
    slots: tuple[tuple[int, int], ...] = (), ripple: Ripple | None = None,
) -> Backdrop:  # fmt: skip
    """An image at a place, as the camera sees it."""
    labels = things.labels if things is not None and slots else None
    factor = abs(float(place[0, 0])) * shot.size
    if factor < 0.7:  # smaller beforehand, or it would flicker
        height, width = image.shape[:2]
        image = reduced(image, factor * 1.15)
        labels = None if labels is None else reduced(labels, factor * 1.15, cv2.INTER_NEAREST)
        place = place @ np.diag([width / image.shape[1], height / image.shape[0], 1.0])
    count = len(shot.times)
    seen = () if labels is None else (labels,) * count
    poses = squash(shot.aspect, shot.size) @ shot.camera @ place
    return Backdrop((image,) * count, poses, seen, things, slots, ripple)


def _without(image: Picture, mask: Picture) -> Picture:
    """The photograph with what is under a mask painted over with its surroundings."""
    factor = min(1.0, _FILLED_PX / max(image.shape[:2]))
    wider = np.asarray(cv2.dilate(mask, np.ones((9, 9), np.uint8)), np.uint8)
    small, gap = reduced(image, factor), reduced(wider, factor, cv2.INTER_NEAREST)
    filled = cv2.inpaint(small, gap, 3.0, cv2.INPAINT_TELEA)
    large = cv2.resize(filled, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    hole = cv2.dilate(mask, np.ones((5, 5), np.uint8)) > 0
    out = image.copy()
    out[hole] = large[hole]
    return out

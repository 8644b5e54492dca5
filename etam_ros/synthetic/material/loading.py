"""Material from disk: packed files, videos, photographs, and photographs with masks.

material = load_material([Path("train_images/balloon"), Path("walks")])
pack_material(material, Path("material.npz"), max_bytes=40 * 2**20)
material = load_material([Path("material.npz")])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from etam_ros.errors import SourceError
from etam_ros.synthetic.material.archive import read_pack
from etam_ros.synthetic.material.photographs import make_photograph
from etam_ros.synthetic.material.records import (
    LONGEST_PX,
    Material,
    Photograph,
    Picture,
    Track,
)

_MOST_FRAMES: Final = 96
_FOOTAGE_HZ: Final = 10.0
_STILL_EVERY: Final = 12  # frames of footage between those that also serve as photographs
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_VIDEOS: Final = (".mp4", ".mov", ".mkv", ".avi", ".webm")


def load_material(paths: Sequence[Path], *, longest_px: int = LONGEST_PX) -> Material:
    """Read photographs and footage.

    Args:
        paths: each a packed file, a video, a folder with `images/` and `masks/` (PNG of ids or
            classes, 0 background), a folder with videos, a folder of photographs, or a folder of
            such folders.
        longest_px: larger pictures are reduced to this.

    Raises:
        SourceError: a path is missing or holds nothing of the kind, or a file in it is damaged.
    """
    every: list[Material] = []
    for path in paths:
        found = _load_one(path, longest_px)
        if not found.photographs and not found.footage:
            raise SourceError(
                f"{path} holds no training material, expected a packed .npz, videos, "
                "photographs, or images/ with masks/"
            )
        every.append(found)
    return _joined(every)


def _joined(every: Sequence[Material]) -> Material:
    """All of them as one."""
    photographs: list[Photograph] = []
    footage: list[Picture] = []
    tracks: list[Track] = []
    for each in every:
        photographs.extend(each.photographs)
        tracks += [replace(track, piece=track.piece + len(footage)) for track in each.tracks]
        footage.extend(each.footage)
    return Material(tuple(photographs), tuple(footage), tuple(tracks))


def _load_one(path: Path, longest_px: int) -> Material:
    if path.suffix == ".npz":
        return read_pack(path)
    if path.is_file() and path.suffix.lower() in _VIDEOS:
        return _from_videos([path], longest_px)
    if not path.is_dir():
        raise SourceError(f"{path} does not exist, expected a folder, a video or a packed .npz")
    if (path / "images").is_dir():
        return Material(_from_folder(path / "images", path / "masks", longest_px), ())
    files = sorted(path.iterdir())
    videos = [file for file in files if file.suffix.lower() in _VIDEOS]
    found = [_from_videos(videos, longest_px), Material(_from_folder(path, None, longest_px), ())]
    if not videos and not found[1].photographs:
        found += [_load_one(folder, longest_px) for folder in files if folder.is_dir()]
    return _joined(found)


def _from_folder(images: Path, masks: Path | None, longest_px: int) -> tuple[Photograph, ...]:
    photographs = []
    for file in sorted(images.iterdir()):
        if file.suffix.lower() not in _PICTURES:
            continue
        data = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if data is None:
            raise SourceError(f"{file} cannot be read as a picture, expected JPEG or PNG")
        mask = None if masks is None else masks / f"{file.stem}.png"
        image = np.asarray(cv2.cvtColor(data, cv2.COLOR_BGR2RGB), np.uint8)
        photographs.append(make_photograph(image, mask, longest_px=longest_px))
    return tuple(photographs)


def _from_videos(paths: Sequence[Path], longest_px: int) -> Material:
    footage = [_read_footage(path, longest_px) for path in paths]
    stills = [
        make_photograph(np.asarray(frame), longest_px=longest_px)
        for piece in footage
        for frame in piece[_STILL_EVERY // 2 :: _STILL_EVERY]
    ]
    return Material(tuple(stills), tuple(footage))


def _read_footage(path: Path, longest_px: int) -> Picture:
    """The first seconds of a video: (T, H, W, 3) uint8 RGB, about ten frames a second."""
    try:
        from etam_ros.media.sources import open_source
    except ModuleNotFoundError:
        raise SourceError(
            f"video {path} needs PyAV to be read: install av, or pack the material elsewhere"
        ) from None
    with open_source(path) as source:
        stride = max(1, round(source.fps / _FOOTAGE_HZ))
        frames = islice(source, 0, _MOST_FRAMES * stride, stride)
        return np.stack([_reduced(frame.image, longest_px) for frame in frames])


def _reduced(image: Picture, longest_px: int) -> Picture:
    factor = min(1.0, longest_px / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)

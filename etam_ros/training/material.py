"""What training clips are made of: photographs with the things in them, and footage.

    material = load_material([Path("train_images/balloon"), Path("walks")])
    pack_material(material, Path("material.npz"))
    material = load_material([Path("material.npz")])

Letters: H, W of a picture in pixels; T frames of a piece of footage; N things in a photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.training.footage import read_footage
from etam_ros.training.regions import find_regions

Picture = NDArray[np.uint8]

LONGEST_PX: Final = 288
"""Longest side of photographs and footage in memory: training pictures are small."""

_STILL_EVERY: Final = 12  # frames of footage between those that also serve as photographs
_APART_PX: Final = 5  # pieces of a thing no further apart than this belong together
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_VIDEOS: Final = (".mp4", ".mov", ".mkv", ".avi", ".webm")


@dataclass(frozen=True, eq=False)
class Partition:
    """The things in one photograph, as sets of labels: parts and wholes share pixels.

    Attributes:
        labels: (H, W) uint8; 0 belongs to nothing unless a thing says so.
        members: (N, 256) bool: which labels each of N things consists of.
        shares: (N,) float, the part of the picture that each thing covers.
    """

    labels: Picture = field(repr=False)
    members: NDArray[np.bool_] = field(repr=False)
    shares: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        areas = np.bincount(self.labels.ravel(), minlength=256) / self.labels.size
        object.__setattr__(self, "shares", self.members @ areas)

    def __len__(self) -> int:
        return len(self.members)

    def mask(self, index: int) -> Picture:
        """(H, W) uint8, 255 where thing `index` is."""
        return self.paint(index, self.labels)

    def paint(self, index: int, labels: Picture) -> Picture:
        """255 where `labels`, this partition's own in any other frame, show thing `index`."""
        table = self.members[index].astype(np.uint8) * np.uint8(255)
        return np.asarray(cv2.LUT(labels, table), np.uint8)

    def parts(self, index: int) -> NDArray[np.int64]:
        """The things that lie inside thing `index`."""
        inside = ~(self.members & ~self.members[index]).any(axis=1)
        inside &= (self.members != self.members[index]).any(axis=1) & (self.shares > 0)
        return np.nonzero(inside)[0]


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph and what is known about it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        truth: things that somebody outlined, or None.
        regions: what may be things, by its colours.
    """

    image: Picture = field(repr=False)
    truth: Partition | None
    regions: Partition


@dataclass(frozen=True, eq=False)
class Track:
    """A thing in footage, outlined on consecutive frames.

    Attributes:
        piece: index of the piece of footage.
        first: index of the first frame.
        masks: (L, H, W) uint8, 255 where the thing is.
    """

    piece: int
    first: int
    masks: Picture = field(repr=False)


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that clips are made of.

    Attributes:
        photographs: in a fixed order, on which clips depend.
        footage: pieces of (T, H, W, 3) uint8 RGB, about ten frames a second.
        tracks: things that move in the footage, see `moving_things`.
    """

    photographs: tuple[Photograph, ...]
    footage: tuple[Picture, ...]
    tracks: tuple[Track, ...] = ()

    @staticmethod
    def load(path: Path) -> Material:
        """Read what `pack_material` wrote.

        Raises:
            SourceError: the file is missing, damaged or something else.
        """
        from etam_ros.training.packing import read_pack

        return read_pack(path)


def pack_material(material: Material, path: Path, *, max_bytes: int = 40 * 2**20) -> int:
    """Write material to one file of JPEG and PNG pictures, coarser where it must be to fit.

    Returns:
        the size of the file in bytes.

    Raises:
        SourceError: it cannot be made to fit, or the file cannot be written.
    """
    from etam_ros.training.packing import write_pack

    return write_pack(material, path, max_bytes=max_bytes)


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
                f"{path} holds no training material, expected a packed .npz, videos, photographs, "
                "or images/ beside masks/"
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
        return Material.load(path)
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


def make_photograph(
    image: Picture, mask: Path | None = None, *, longest_px: int = LONGEST_PX
) -> Photograph:
    """Reduce a picture and find what may be things in it.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: PNG of ids or classes of the same size; None or a file that does not exist: unknown.
        longest_px: larger pictures are reduced to this.

    Raises:
        SourceError: picture and mask differ in size.
    """
    height, width = image.shape[:2]
    factor = min(1.0, longest_px / max(height, width))
    wh = (max(16, round(width * factor)), max(16, round(height * factor)))
    small = np.asarray(cv2.resize(image, wh, interpolation=cv2.INTER_AREA), np.uint8)
    truth = None
    if mask is not None and mask.is_file():
        ids = _read_ids(mask)
        if ids.shape != (height, width):
            raise SourceError(
                f"mask {mask} is {ids.shape[1]}x{ids.shape[0]}, expected {width}x{height} like "
                "its photograph"
            )
        truth = outlined(np.asarray(cv2.resize(ids, wh, interpolation=cv2.INTER_NEAREST)))
    return Photograph(small, truth, Partition(*find_regions(small)))


def _read_ids(mask: Path) -> Picture:
    """(H, W) uint8: ids counted through from 1, at most 255 of them."""
    from etam_ros.evaluation.label_png import read_mask_values

    values = read_mask_values(mask)
    known, ids = np.unique(values, return_inverse=True)
    ids = ids.reshape(values.shape) + (0 if known[0] == 0 else 1)
    return np.asarray(np.where(ids > 255, 0, ids), np.uint8)


def outlined(ids: Picture) -> Partition | None:
    """The things in a picture of ids: every id, its pieces, and ids that touch as one whole.

    Args:
        ids: (H, W) uint8, 0 background.

    Returns:
        None where nothing is labelled.
    """
    kernel = np.ones((_APART_PX, _APART_PX), np.uint8)
    labels = np.zeros_like(ids)
    pieces: list[int] = []  # the id of each label
    for value in np.unique(ids[ids > 0]):
        alone = (ids == value).astype(np.uint8)
        count, parts = cv2.connectedComponents(cv2.dilate(alone, kernel))
        for part in range(1, count):
            if len(pieces) < 255:
                pieces.append(int(value))
                labels[(parts == part) & (alone > 0)] = len(pieces)
    if not pieces:
        return None
    whole = cv2.dilate((ids > 0).astype(np.uint8), kernel)
    _, bodies = cv2.connectedComponents(whole)
    every = np.arange(256)
    sets = [every == label for label in range(1, len(pieces) + 1)]
    owner = np.array([0, *pieces])
    sets += [np.isin(every, np.nonzero(owner == value)[0]) for value in np.unique(owner[1:])]
    for body in range(1, int(bodies.max()) + 1):
        held = np.unique(labels[(bodies == body) & (labels > 0)])
        sets.append(np.isin(every, held))
    return Partition(labels, np.unique(np.stack(sets), axis=0))


def _from_videos(paths: Sequence[Path], longest_px: int) -> Material:
    footage = [read_footage(path, longest_px=longest_px) for path in paths]
    stills = [
        make_photograph(np.asarray(frame), longest_px=longest_px)
        for piece in footage
        for frame in piece[_STILL_EVERY // 2 :: _STILL_EVERY]
    ]
    return Material(tuple(stills), tuple(footage))

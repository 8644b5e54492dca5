"""Pictures for pretraining: crops of photographs, or generated ones; some are held out.

Letters: H, W of a photograph in pixels; S side of the square that is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from etam_ros.errors import SourceError
from etam_ros.synthetic.samples import ClipSource

UNSEEN_SHARE: Final = 1 / 16
"""Share of the photographs that is held out for measuring."""
SMALLEST_AREA: Final = 0.3
WIDEST_ASPECT: Final = 4 / 3
_SPLIT_SEED: Final = 0x0DD
_UNSEEN_CLIPS: Final = 1 << 62  # seeds from here on are held out for measuring


class PictureSource(Protocol):
    """A source of square pictures, each a pure function of the arguments."""

    def picture(self, seed: int, *, size: int) -> NDArray[np.uint8]:
        """A picture for training: (S, S, 3) uint8, RGB; seeds from 0 to 2**62 - 1."""
        ...

    def unseen(self, index: int, *, size: int) -> NDArray[np.uint8]:
        """A picture of which `picture` never returns any part; any index from 0 up."""
        ...


class PhotographPictures:
    """Random crops of photographs, half of them mirrored; held-out photographs are whole.

    Args:
        photographs: each (H, W, 3) uint8, RGB, in a fixed order.
        source: where they were read from, for messages.

    Raises:
        SourceError: there are fewer than two: one is needed for training and one for measuring.
    """

    def __init__(self, photographs: Sequence[NDArray[np.uint8]], source: str) -> None:
        count = len(photographs)
        if count < 2:
            raise SourceError(
                f"{source} holds {count} photograph(s), expected at least 2, of which one is "
                "held out for measurement: add more with --data"
            )
        order = np.random.default_rng(_SPLIT_SEED).permutation(count)
        kept = max(1, round(count * UNSEEN_SHARE))
        self._unseen = [photographs[index] for index in order[:kept]]
        self._training = [photographs[index] for index in order[kept:]]

    def picture(self, seed: int, *, size: int) -> NDArray[np.uint8]:
        """A crop of a photograph, resized to a square."""
        rng = np.random.default_rng(seed)
        photograph = self._training[rng.integers(len(self._training))]
        height, width = photograph.shape[:2]
        area = rng.uniform(SMALLEST_AREA, 1.0)
        aspect = WIDEST_ASPECT ** rng.uniform(-1.0, 1.0)
        crop_h = max(1, round(min(1.0, np.sqrt(area * aspect)) * height))
        crop_w = max(1, round(min(1.0, np.sqrt(area / aspect)) * width))
        top = rng.integers(height - crop_h + 1)
        left = rng.integers(width - crop_w + 1)
        crop = photograph[top : top + crop_h, left : left + crop_w]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        return _squash(crop, size)

    def unseen(self, index: int, *, size: int) -> NDArray[np.uint8]:
        """A whole held-out photograph; after the last, the first follows."""
        return _squash(self._unseen[index % len(self._unseen)], size)


class ClipPictures:
    """Single frames of a clip source; some seeds are held out."""

    def __init__(self, source: ClipSource) -> None:
        self._source = source

    def picture(self, seed: int, *, size: int) -> NDArray[np.uint8]:
        """The only frame of the clip with that seed."""
        return np.asarray(self._source.clip(seed, frames=1, size=size).images[0], np.uint8)

    def unseen(self, index: int, *, size: int) -> NDArray[np.uint8]:
        """The only frame of a clip whose seed is beyond those of `picture`."""
        return self.picture(_UNSEEN_CLIPS + index, size=size)


class NumberedPictures(Dataset[Tensor]):
    """Picture i of a run, as (S, S, 3) uint8.

    Args:
        source: source of pictures; copied into each worker.
        first_seed: seed of picture 0; the others follow.
        size: S.
    """

    def __init__(self, source: PictureSource, first_seed: int, size: int) -> None:
        self._source = source
        self._first_seed = first_seed
        self._size = size

    def __getitem__(self, index: int) -> Tensor:
        picture = self._source.picture(self._first_seed + index, size=self._size)
        return torch.from_numpy(np.ascontiguousarray(picture))


def open_pictures(paths: Sequence[Path], size: int) -> PictureSource:
    """Open the pictures for pretraining.

    Args:
        paths: as in `load_material`; empty for generated pictures.
        size: S of later calls; photographs are not stored much larger.

    Raises:
        SourceError: a path is missing or contains no photographs.
    """
    if not paths:
        from etam_ros.synthetic.collage import CollageSource

        return ClipPictures(CollageSource(None))
    from etam_ros.synthetic.material.loading import load_material
    from etam_ros.synthetic.material.records import LONGEST_PX

    material = load_material(paths, longest_px=max(LONGEST_PX, size))
    images = [photograph.image for photograph in material.photographs]
    return PhotographPictures(images, ", ".join(map(str, paths)))


def _squash(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    shrinks = min(picture.shape[:2]) >= size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    squashed = cv2.resize(np.ascontiguousarray(picture), (size, size), interpolation=how)
    return np.asarray(squashed, np.uint8)

"""Videos with ground truth on disk, in the layouts of DAVIS and similar datasets.

    DIR/<sequence>/frames/*.jpg   and   DIR/<sequence>/masks/*.png
    DIR/JPEGImages/480p/<sequence>/*.jpg   and   DIR/Annotations/480p/<sequence>/*.png

A mask contains object ids, 0 for the background and 255 for pixels to be ignored; it belongs to
the frame of the same name. Frames may lack a mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.media.label_png import read_mask_values
from etam_ros.media.sources import images_in, open_source
from etam_ros.records import Frame

VOID_ID: Final = 255
"""Value of pixels to be ignored."""


@dataclass(frozen=True)
class VideoSequence:
    """One video with ground truth.

    Attributes:
        name: of the sequence.
        frames: folder of its images.
        truths: mask files by frame index, ascending.
    """

    name: str
    frames: Path
    truths: dict[int, Path]

    def truth(self, index: int) -> NDArray[np.integer] | None:
        """Object ids (H, W) of a frame, 0 where there is none or nothing is judged."""
        if index not in self.truths:
            return None
        return read_truth(self.truths[index])

    def __iter__(self) -> Iterator[Frame]:
        with open_source(str(self.frames)) as source:
            yield from source

    def __len__(self) -> int:
        return len(images_in(self.frames))


def read_truth(path: Path) -> NDArray[np.integer]:
    """Object ids (H, W) of a mask file, 0 where there is none or nothing is judged.

    Raises:
        ImageError: it cannot be read.
    """
    values = read_mask_values(path)
    return np.where(values == VOID_ID, 0, values)


def find_sequences(folder: Path) -> list[VideoSequence]:
    """All sequences below a folder, or the folder itself if it is one; by name.

    Raises:
        SourceError: there is none.
    """
    pictures = folder / "JPEGImages"
    nested = [path for path in sorted(pictures.glob("*/*")) if path.is_dir()]
    found = [
        (images.name, images, folder / "Annotations" / images.relative_to(pictures))
        for images in nested or sorted(pictures.glob("*"))
    ]
    found += [
        (images.parent.resolve().name, images, images.parent / "masks")
        for images in [*sorted(folder.glob("*/frames")), folder / "frames"]
    ]
    sequences = [
        VideoSequence(name, images, truths)
        for name, images, masks in found
        if images.is_dir() and (truths := _truths(images, masks))
    ]
    if not sequences:
        raise SourceError(
            f"{folder} holds no sequence, expected <sequence>/frames with <sequence>/masks, or "
            "JPEGImages with Annotations as DAVIS has them"
        )
    return sequences


def _truths(images: Path, masks: Path) -> dict[int, Path]:
    """Mask files by the index of the frame that has the same name."""
    by_stem = {path.stem: path for path in sorted(masks.glob("*.png"))}
    return {
        index: by_stem[image.stem]
        for index, image in enumerate(images_in(images))
        if image.stem in by_stem
    }

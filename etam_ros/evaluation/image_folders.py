"""Photographs with ground truth on disk.

    DIR/images/*.jpg   and   DIR/masks/*.png

A mask contains object ids, 0 for the background and 255 for pixels to be ignored; it belongs to
the photograph of the same name. Photographs without a mask are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.evaluation.sequences import read_truth
from etam_ros.media.sources import images_in, read_image


class LabelledPhotograph(Protocol):
    """A photograph with ground truth from any source."""

    @property
    def name(self) -> str:
        """Name of the photograph."""
        ...

    def image(self) -> NDArray[np.uint8]:
        """The photograph: (H, W, 3) uint8 RGB."""
        ...

    def truth(self) -> NDArray[np.integer[Any]]:
        """Object ids (H, W), 0 where there is none or nothing is judged."""
        ...


@dataclass(frozen=True)
class LabelledImage:
    """One photograph with ground truth.

    Attributes:
        name: of the file, without its suffix.
        image_path, mask_path: the two files.
    """

    name: str
    image_path: Path
    mask_path: Path

    def image(self) -> NDArray[np.uint8]:
        """The photograph: (H, W, 3) uint8 RGB."""
        return read_image(self.image_path)

    def truth(self) -> NDArray[np.integer]:
        """Object ids (H, W), 0 where there is none or nothing is judged."""
        return read_truth(self.mask_path)


def is_image_folder(folder: Path) -> bool:
    """Whether a folder has the layout of photographs with masks."""
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def find_labelled_images(folder: Path) -> list[LabelledImage]:
    """All photographs of a folder that have a mask, in natural order.

    Raises:
        SourceError: there is none.
    """
    masks = {path.stem: path for path in sorted((folder / "masks").glob("*.png"))}
    found = [
        LabelledImage(path.stem, path, masks[path.stem])
        for path in images_in(folder / "images")
        if path.stem in masks
    ]
    if not found:
        raise SourceError(
            f"{folder} has no masks for its images, expected masks/NAME.png for images/NAME.jpg"
        )
    return found

"""Labelled bags: images, and 16UC1 images of object ids with the same stamps.

`launch/record.launch.py` records such bags from a camera and the tracker's `~/label_image`. Images
without a label image of the same stamp are left out.

Letters: H, W height and width of a picture in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.media.bags.labels import frames_with_labels
from etam_ros.media.bags.reader import Bag

_QUALITY: Final = 95


class BagFrames:
    """The labelled frames of a bag as LabelledFrames, kept compressed in memory.

    Args:
        pairs: pairs of a JPEG picture and a PNG of 16-bit object ids, in the order of the bag.
    """

    def __init__(self, name: str, pairs: list[tuple[bytes, bytes]]) -> None:
        self.name = name
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
        """A picture (H, W, 3) uint8 RGB and its ids (H, W) uint16."""
        picture, ids = (np.frombuffer(data, np.uint8) for data in self._pairs[index])
        bgr = np.asarray(cv2.imdecode(picture, cv2.IMREAD_COLOR), np.uint8)
        labels = np.asarray(cv2.imdecode(ids, cv2.IMREAD_UNCHANGED), np.uint16)
        return np.ascontiguousarray(bgr[..., ::-1]), labels


def read_labelled_bag(
    path: Path, *, recover: bool = False, on_note: Callable[[str], None] = lambda _: None
) -> BagFrames:
    """Read every image that has a label image with the same stamp.

    Args:
        path: the bag.
        recover: read a damaged bag as far as possible.
        on_note: called with a message about anything unusual in it, once it is read.

    Raises:
        SourceError: the bag cannot be read, or has no such topics or no equal stamps.
    """
    bag = Bag(path, recover=recover)
    pairs = [
        (
            _coded(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]),
            _coded(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 1]),
        )
        for frame, labels in frames_with_labels(bag)
        if labels is not None
    ]
    for note in bag.notes:
        on_note(f"{path}: {note}")
    return BagFrames(str(path), pairs)


def _coded(suffix: str, picture: NDArray[Any], options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, picture, options)
    if not done:
        raise SourceError(f"a picture of shape {picture.shape} cannot be stored as {suffix}")
    return data.tobytes()

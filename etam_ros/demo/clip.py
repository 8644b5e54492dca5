"""What the demo plays: a clip made up from a seed, with its ground truth, or the user's own."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.drawing.contact_sheet import write_jpeg
from etam_ros.media.files import writing
from etam_ros.media.label_png import encode_label_png
from etam_ros.media.sources import open_source
from etam_ros.records import FOREGROUND, Prompt
from etam_ros.synthetic.scene.clips import generate_clip

Image = NDArray[np.uint8]
LabelImage = NDArray[np.uint16]

_FOLLOWED: Final = 2
"""Objects of a generated clip that are clicked on: the first hides, the second crosses it."""


class ClipTruth:
    """Ground truth of a clip, found again by the pixels of its images.

    Images get new stamps when they are published, and some may get lost: their content is what
    tells them apart for sure.

    Args:
        labels: ids of the objects to follow, and what each is.
    """

    def __init__(self, labels: Mapping[int, str]) -> None:
        self.labels = dict(labels)
        self._truth: dict[int, tuple[int, LabelImage]] = {}

    def add(self, index: int, image: Image, label_image: LabelImage) -> None:
        """Learn one frame: its (H, W, 3) image as it will be published, its (H, W) truth."""
        self._truth[_fingerprint(image)] = (index, label_image)

    def find(self, image: Image) -> tuple[int, LabelImage] | None:
        """Index and truth of an image, or None if it is not of this clip."""
        return self._truth.get(_fingerprint(image))

    def click(self, label_image: LabelImage, object_id: int) -> Prompt | None:
        """A click on the inmost point of an object, or None where it cannot be seen."""
        mask = (label_image == object_id).astype(np.uint8)
        if not mask.any():
            return None
        depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
        return Prompt(
            object_id,
            self.labels[object_id],
            points=[(float(x), float(y))],
            point_labels=[FOREGROUND],
        )


def _fingerprint(image: Image) -> int:
    return zlib.crc32(image.tobytes())


@dataclass(frozen=True)
class DemoClip:
    """What is played.

    Attributes:
        path: for the player.
        name: in words.
        fps: its own frames per second.
        truth: of a generated clip, or None.
    """

    path: str
    name: str
    fps: float
    truth: ClipTruth | None = None


def open_clip(source: str) -> DemoClip:
    """A clip of the user's, opened once so that mistakes show at once.

    Raises:
        SourceError: it cannot be opened.
    """
    with open_source(source) as frames:
        return DemoClip(source, source, frames.fps)


def make_clip(seed: int, frames: int, folder: Path, on_frame: Callable[[], None]) -> DemoClip:
    """Make up a clip, write it as JPEGs and label PNGs, and learn its truth as it will be read.

    Args:
        seed: everything in the clip follows from it.
        folder: for frames/ and masks/; an earlier clip in it is removed.

    Raises:
        SourceError: the clip cannot be written.
    """
    clip = generate_clip(seed, frames=frames)
    pictures, masks = folder / "frames", folder / "masks"
    truth = ClipTruth({item: clip.labels[item] for item in clip.object_ids[:_FOLLOWED]})
    label_images = []
    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        pictures.mkdir(parents=True)
        masks.mkdir()
        for frame in clip:
            write_jpeg(pictures / f"{frame.index:05d}.jpg", frame.image, quality=95)
            (masks / f"{frame.index:05d}.png").write_bytes(encode_label_png(frame.label_image))
            label_images.append(frame.label_image)
            on_frame()
    with open_source(pictures, fps=clip.fps) as played:
        for index, picture in enumerate(played):
            truth.add(index, picture.image, label_images[index])
    return DemoClip(
        str(pictures), f"generated clip, seed {seed}, {frames} frames", clip.fps, truth
    )

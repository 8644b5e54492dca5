"""Videos made from photographs with ground truth by a known camera motion.

Nothing in them moves by itself and nothing is hidden, so that all losses are due to the camera's
motion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from etam_ros.errors import ConfigError, SourceError
from etam_ros.evaluation.image_folders import LabelledImage
from etam_ros.evaluation.truth.annotations import MaskTruth
from etam_ros.evaluation.truth.moving_view import MovingView
from etam_ros.evaluation.truth.opening import open_photographs
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.records import Frame

SMALLEST: Final = 0.02
"""Share of the first frame; smaller objects are not evaluated."""


@dataclass(frozen=True)
class MovedTruth:
    """The `Truths` of a photograph's objects while the camera moves.

    Args:
        photograph: a photograph with masks.
        view: the camera's motion.
        frames: number of frames of the video.
    """

    photograph: LabelledImage
    view: MovingView
    count: int

    has_masks = True

    def files(self) -> Sequence[Path]:
        """The photograph's mask."""
        return [self.photograph.mask_path]

    def at(self, index: int, frame: Frame) -> MaskTruth:
        """Object ids of a frame, without objects that are too small on the first one."""
        labels = self.photograph.truth()
        moves = self.view.frames(self.count, frame.hw)
        first, now = (self.view.draw(labels, moves[each], is_labels=True) for each in (0, index))
        counts = np.bincount(first.ravel())
        kept = np.flatnonzero(counts >= SMALLEST * first.size)
        return MaskTruth(np.where(np.isin(now, kept), now, 0))


@dataclass(frozen=True)
class MovedPhotograph(LabelledVideo):
    """A photograph under a moving camera."""

    def _frames(self) -> Iterator[Frame]:
        assert isinstance(self.truths, MovedTruth)
        image, view = self.truths.photograph.image(), self.truths.view
        for move in view.frames(self.truths.count, (image.shape[0], image.shape[1])):
            yield Frame(np.ascontiguousarray(view.draw(image, move)))

    def frame_count(self) -> int:
        """Number of frames."""
        assert isinstance(self.truths, MovedTruth)
        return self.truths.count

    def fingerprint(self) -> str:
        """A fingerprint of photograph, mask and motion; the name contains the motion."""
        assert isinstance(self.truths, MovedTruth)
        return f"{super().fingerprint()}-{self.truths.view}-{self.truths.count}"


def moved_photographs(source: str, moved: str, frames: int) -> list[MovedPhotograph]:
    """A video of every photograph and every motion.

    Args:
        source: a folder of photographs with masks.
        moved: comma-separated motions, such as `pan:8,zoom:2`; repeated ones are ignored.
        frames: number of frames of each video.

    Raises:
        ConfigError: a motion is invalid.
        SourceError: the source is not a folder of photographs with masks, or no object is large
            enough for one of the motions.
    """
    views = dict.fromkeys(MovingView.read(each) for each in moved.split(",") if each.strip())
    if not views:
        raise ConfigError(f"--moved is {moved!r}, expected motions, comma-separated, as pan:8")
    photographs = open_photographs(source, "") or []
    on_disk = [each for each in photographs if isinstance(each, LabelledImage)]
    if not on_disk:
        raise SourceError(
            f"{source} cannot be used with --moved, expected photographs: a folder with images/ "
            "and masks/"
        )
    videos: list[MovedPhotograph] = []
    for view in views:
        of_view = [video for each in on_disk if (video := _moved(each, view, frames)) is not None]
        if not of_view:
            raise SourceError(
                f"{source} has no object that covers {SMALLEST:.0%} of the first frame of "
                f"{view}: expected larger objects, or fewer pixels a frame"
            )
        videos += of_view
    return videos


def _moved(photograph: LabelledImage, view: MovingView, frames: int) -> MovedPhotograph | None:
    """The video of a photograph; None if no object is large enough on the first frame."""
    truth = MovedTruth(photograph, view, frames)
    if not truth.at(0, Frame(np.zeros((*photograph.truth().shape, 3), np.uint8))).object_ids:
        return None
    name = f"{photograph.name}-{view.kind}-{view.px:g}"
    return MovedPhotograph(name, (str(photograph.image_path),), truth, group=str(view))

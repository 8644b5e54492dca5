"""Videos that a known motion of the camera makes of photographs with ground truth.

Nothing in them moves by itself and nothing is hidden, so that what a tracker loses it loses to
the motion alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from etam_ros.errors import SourceError
from etam_ros.evaluation.image_folders import LabelledImage
from etam_ros.evaluation.truth.annotations import MaskTruth
from etam_ros.evaluation.truth.moving_view import MovingView
from etam_ros.evaluation.truth.opening import open_photographs
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.records import Frame

SMALLEST: Final = 0.02
"""Share of the first frame that an object covers, else it is not judged."""


@dataclass(frozen=True)
class MovedTruth:
    """Where a photograph's objects are while the camera moves; as `Truths`.

    Args:
        photograph: with masks.
        view: how the camera moves.
        frames: of the video.
    """

    photograph: LabelledImage
    view: MovingView
    count: int

    has_masks = True

    def files(self) -> Sequence[Path]:
        """The photograph's mask."""
        return [self.photograph.mask_path]

    def at(self, index: int, frame: Frame) -> MaskTruth:
        """The ids of a frame, of objects that are large enough on the first one."""
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
        """Frames in all."""
        assert isinstance(self.truths, MovedTruth)
        return self.truths.count

    def fingerprint(self) -> str:
        """Changes with photograph, mask and motion, which the name says."""
        assert isinstance(self.truths, MovedTruth)
        return f"{super().fingerprint()}-{self.truths.view}-{self.truths.count}"


def moved_photographs(source: str, moved: str, frames: int) -> list[MovedPhotograph]:
    """A video of every photograph and every motion.

    Args:
        source: a folder of photographs with masks.
        moved: motions, comma-separated, as `pan:8,zoom:2`.
        frames: of each video.

    Raises:
        ConfigError: a motion is none.
        SourceError: the source is no folder of photographs with masks, or no object in them is
            large enough.
    """
    views = [MovingView.read(each) for each in moved.split(",")]
    photographs = open_photographs(source, "") or []
    on_disk = [each for each in photographs if isinstance(each, LabelledImage)]
    if not on_disk:
        raise SourceError(
            f"{source} cannot be moved over, expected photographs: a folder with images/ and "
            "masks/"
        )
    videos = []
    for photograph in on_disk:
        for view in views:
            truth = MovedTruth(photograph, view, frames)
            labels = photograph.truth()
            if truth.at(0, Frame(np.zeros((*labels.shape, 3), np.uint8))).object_ids:
                name = f"{photograph.name}-{view.kind}-{view.px:g}"
                image = (str(photograph.image_path),)
                videos.append(MovedPhotograph(name, image, truth, group=str(view)))
    if not videos:
        raise SourceError(
            f"{source} has no object of {SMALLEST:.0%} of the picture or more in view: expected "
            "larger ones"
        )
    return videos

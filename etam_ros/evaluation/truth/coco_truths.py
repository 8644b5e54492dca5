"""Ground truth of pictures and videos from the annotations of a COCO-style file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.annotations import Box, BoxTruth, FrameTruth, Mask, MaskTruth
from etam_ros.evaluation.truth.coco_masks import decode_segmentation
from etam_ros.records import Frame


@dataclass(frozen=True)
class Annotation:
    """One object on one picture, as given in the file.

    Attributes:
        object_id: 1..; 0 for a region to be ignored.
        segmentation: run lengths or polygons; None if there is only a box.
        box: x0, y0, x1, y1, if there is no segmentation.
    """

    object_id: int
    segmentation: Any
    box: Box | None


def truth_of(annotations: Sequence[Annotation], hw: tuple[int, int]) -> FrameTruth:
    """Ground truth of a picture of the given height and width.

    Raises:
        SourceError: an annotation is damaged or has another size.
    """
    if any(each.box for each in annotations):
        return BoxTruth(hw, {each.object_id: each.box for each in annotations if each.box})
    labels, void = np.zeros(hw, np.uint16), np.zeros(hw, bool)
    masks: dict[int, Mask] = {}
    for each in annotations:
        mask = decode_segmentation(each.segmentation, hw)
        if each.object_id == 0:
            void |= mask
        else:
            masks[each.object_id] = masks.get(each.object_id, False) | mask
    for object_id, mask in masks.items():
        labels[mask] = object_id
    covered = {
        object_id: mask
        for object_id, mask in masks.items()
        if np.count_nonzero(labels == object_id) < np.count_nonzero(mask)
    }
    return MaskTruth(labels, void if void.any() else None, covered)


class CocoTruths:
    """Annotations of a video by frame index; a frame with an entry is annotated."""

    def __init__(self, file: Path, by_frame: Mapping[int, Sequence[Annotation]]) -> None:
        self._file, self._by_frame = file, dict(by_frame)
        every = [each for annotations in by_frame.values() for each in annotations]
        boxes = [each for each in every if each.box is not None]
        if boxes and len(boxes) < len([each for each in every if each.object_id]):
            raise SourceError(
                f"{file} has masks for some objects and only boxes for others, expected the "
                "same for all objects of a video"
            )
        self.has_masks = not boxes

    def files(self) -> Sequence[Path]:
        return [self._file]

    def at(self, index: int, frame: Frame) -> FrameTruth | None:
        """The annotations of a frame."""
        annotations = self._by_frame.get(index)
        if annotations is None:
            return None
        try:
            return truth_of(annotations, frame.hw)
        except SourceError as error:
            raise SourceError(f"{self._file}, frame {index}: {error}") from None

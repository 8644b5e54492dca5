"""What is behind: a moving view of a photograph, of footage or of a texture.

Letters: T frames, S side of the picture in pixels; H, W of what is viewed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.collage.motion import Floats, Ripple
from etam_ros.synthetic.material.records import Partition

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A background.

    Attributes:
        frames: T pictures (H, W, 3) uint8; of a photograph, T times the same.
        poses: (T, 3, 3) from their pixels to those of the picture.
        labels: T pictures (H, W) uint8 of the labels of `things`; empty: none has an id.
        things: which labels a thing consists of, or None.
        slots: row of the masks and index in `things`, of each that has an id.
        ripple: how it bends, or None.
    """

    frames: tuple[Picture, ...] = field(repr=False)
    poses: Floats = field(repr=False)
    labels: tuple[Picture, ...] = field(default=(), repr=False)
    things: Partition | None = None
    slots: tuple[tuple[int, int], ...] = ()
    ripple: Ripple | None = None

    def draw(self, frame: int, size: int, masks: NDArray[np.bool_]) -> Picture:
        """Draw frame t.

        Args:
            frame: index t.
            size: S.
            masks: (K, S, S) bool, all False; the things that have ids are marked in it.

        Returns:
            (S, S, 3) uint8, a new array.
        """
        source, pose = self.frames[frame], self.poses[frame]
        wh = (size, size)
        if self.ripple is None:
            image = cv2.warpPerspective(
                source, pose, wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
        else:
            height, width = source.shape[:2]
            maps = self.ripple.maps(np.linalg.inv(pose), wh, (width, height), frame)
            image = cv2.remap(source, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        if self.things is not None and self.labels:
            labels = self.labels[frame]
            if self.ripple is None:
                seen = cv2.warpPerspective(labels, pose, wh, flags=cv2.INTER_NEAREST)
            else:
                seen = cv2.remap(labels, *maps, cv2.INTER_NEAREST)
            for slot, index in self.slots:
                masks[slot] = self.things.paint(index, np.asarray(seen, np.uint8)) > 0
        return np.asarray(image, np.uint8)


def view_scale(hw: tuple[int, int], aspect: float, share: float) -> float:
    """Units of the picture per pixel of what is viewed, so that the view covers `share` of the
    largest rectangle of that aspect that fits inside.
    """
    width, height = np.sqrt(aspect), 1.0 / np.sqrt(aspect)
    return float(max(width / hw[1], height / hw[0]) / share)


def reduced(image: Picture, factor: float, how: int = cv2.INTER_AREA) -> Picture:
    """A picture smaller by a factor; labels take cv2.INTER_NEAREST."""
    wh = (max(8, round(image.shape[1] * factor)), max(8, round(image.shape[0] * factor)))
    return np.asarray(cv2.resize(image, wh, interpolation=how), np.uint8)

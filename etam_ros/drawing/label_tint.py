"""Objects coloured in a small picture, without text or smooth edges: it costs little."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.drawing.palette import palette

_NEIGHBOURS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def tint_labels(
    picture: NDArray[np.uint8], label_image: NDArray[np.uint16], opacity: float
) -> NDArray[np.uint8]:
    """Blend the colour of each object over its pixels; those at its border get it whole.

    Args:
        picture: (h, w, 3) uint8 RGB.
        label_image: (h, w) uint16, object id per pixel, 0 background.
        opacity: of the colour, 0..1.

    Returns:
        (h, w, 3) uint8 RGB: the picture itself where there is no object.
    """
    if not label_image.any():
        return picture
    objects = np.minimum(label_image, 1).astype(np.uint8)
    colours = palette().take((label_image - 1) % 255 + 1, axis=0)  # of no use where there is none
    tinted = cv2.addWeighted(picture, 1 - opacity, colours, opacity, 0)
    border = cv2.morphologyEx(label_image, cv2.MORPH_GRADIENT, _NEIGHBOURS)
    cv2.copyTo(colours, np.minimum(border, 1).astype(np.uint8), tinted)
    drawn = picture.copy()
    cv2.copyTo(tinted, objects, drawn)
    return drawn

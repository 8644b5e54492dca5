"""Masks proposed from colours for a first click or box, for models that take them as an input.

A click tells where an object is, but not how large it is. For a given size, GrabCut finds the
region around the click whose colours differ from its surroundings. The results for several sizes
are votes on each pixel, which the decoder takes as an input.

Letters: H, W size of the picture; G = 4h side of the low-resolution masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.cues.grabcut import Click, mask_at_clicks, mask_in_box
from etam_ros.runtime.stages import POINT_BOX_MAX, POINT_BOX_MIN, POINT_FOREGROUND

REACHES: Final = (0.4, 0.7, 1.2, 2.0)
"""Sizes of objects that are tried for a click; see `mask_at_clicks`."""
SURE: Final = 8.0
"""Logit of pixels on which all votes agree."""

Image = NDArray[np.uint8]


def pictured(image: Image, side: int) -> Image:
    """Reduce a picture (H, W, 3) uint8 RGB for `propose`: (G, G, 3), where G is the given side."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def propose(picture: Image, points: Sequence[Click]) -> NDArray[np.float32]:
    """Propose a mask.

    Args:
        picture: (G, G, 3) uint8 RGB, from `pictured`.
        points: clicks and box corners, (x, y) in the picture's pixels and label.

    Returns:
        (1, G, G) logits; all zero, which means unknown, without a box or a click on the object.
    """
    places = {label: place for place, label in points}
    if POINT_BOX_MIN in places:
        votes = mask_in_box(picture, (*places[POINT_BOX_MIN], *places[POINT_BOX_MAX])) + 0.0
    elif POINT_FOREGROUND in places:
        votes = np.mean(
            [mask_at_clicks(picture, points, reach=reach) for reach in REACHES], axis=0
        )
    else:
        return np.zeros((1, *picture.shape[:2]), np.float32)
    return np.asarray(SURE * (2.0 * votes - 1.0), np.float32)[None]

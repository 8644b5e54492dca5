"""Which object a bare click means: one decision for every source of clicks.

Letters: H, W height and width of the source frame in pixels.
"""

from __future__ import annotations

import math

import numpy as np

from etam_ros.errors import ObjectError
from etam_ros.records import BACKGROUND, NEW_OBJECT, FrameResult, ObjectState


def object_of_click(
    point: tuple[float, float],
    label: int,
    result: FrameResult,
    *,
    meaning: str,
    selected: int | None,
) -> int:
    """Decide which object a click is for.

    Args:
        point: (x, y) in source pixels; the tracker refuses one that lies outside the frame.
        label: FOREGROUND or BACKGROUND.
        result: of the frame that was clicked on.
        meaning: target is always the selected object. Background is otherwise the object under
            the click, else the nearest. Foreground is a new object with new; with auto it is the
            object whose mask was hit, and a new one elsewhere.
        selected: id of the object that was chosen, None without one.

    Returns:
        its id, NEW_OBJECT for a new one.

    Raises:
        ObjectError: no object is selected, or none is there to take the background off.
    """
    if meaning == "target":
        if selected is None:
            raise ObjectError("clicks.meaning is target, but no object is selected: select one")
        return selected
    if label == BACKGROUND:
        return object_at(point, result) or _nearest_object(point, result)
    return NEW_OBJECT if meaning == "new" else object_at(point, result)


def without_rounding(point: tuple[float, float], hw: tuple[int, int]) -> tuple[float, float]:
    """Take back into the frame what rqt_image_view rounded up to W or H; else unchanged.

    Args:
        point: (x, y) in source pixels.
        hw: (H, W).
    """
    x, y = point
    height, width = hw
    return (width - 1.0 if x == width else x), (height - 1.0 if y == height else y)


def object_at(point: tuple[float, float], result: FrameResult) -> int:
    """Id of the object to which a point's pixel belongs, NEW_OBJECT where there is none.

    Args:
        point: (x, y) in source pixels.
        result: of the frame in which it is.
    """
    x, y = point
    height, width = result.image_hw
    if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        return NEW_OBJECT
    # The sum rounds up to W for the greatest x that is inside.
    column, row = min(math.floor(x + 0.5), width - 1), min(math.floor(y + 0.5), height - 1)
    return int(result.label_image[row, column])


def _nearest_object(point: tuple[float, float], result: FrameResult) -> int:
    visible = [state for state in result.objects if not state.occluded]
    if not visible:
        raise ObjectError(
            "no object is visible that the background click could correct: click on one first, "
            "or select one and set clicks.meaning to target"
        )
    return min(visible, key=lambda state: _distance_px(point, state)).object_id


def _distance_px(point: tuple[float, float], state: ObjectState) -> float:
    """From a point to the nearest pixel of a visible object's mask."""
    rows, columns = state.mask.nonzero()
    x0, y0, _, _ = state.extent
    return float(np.hypot(columns + x0 - point[0], rows + y0 - point[1]).min())

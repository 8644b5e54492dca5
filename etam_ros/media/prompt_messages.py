"""Converting etam_ros/Prompt messages from any reader; needs no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import PromptError
from etam_ros.records import Prompt


def prompt_of_message(message: Any, stamp_ns: int) -> Prompt:
    """Read a prompt.

    Args:
        message: with the fields of etam_ros/Prompt.
        stamp_ns: of its frame, in nanoseconds.

    Raises:
        PromptError: it is empty, contradicts itself, or its mask cannot be read.
    """
    return Prompt(
        object_id=int(message.object_id),
        label=str(message.label),
        points=[(float(point.x), float(point.y)) for point in message.points],
        point_labels=[int(label) for label in message.point_labels],
        box=_box_from(message.box),
        mask=_mask_from(message.mask),
        keep_previous=bool(message.keep_previous),
        stamp_ns=stamp_ns,
    )


def _box_from(values: Sequence[float]) -> tuple[float, float, float, float] | None:
    if len(values) == 0:
        return None
    if len(values) != 4:
        raise PromptError(
            f"prompt box has {len(values)} values, expected none or x_min y_min x_max y_max"
        )
    x_min, y_min, x_max, y_max = (float(value) for value in values)
    return x_min, y_min, x_max, y_max


def _mask_from(message: Any) -> NDArray[np.bool_] | None:
    """mono8 with any step -> (H, W) bool; None if no mask was sent."""
    height, width, step = message.height, message.width, message.step
    if not len(message.data) and not height and not width:
        return None
    if message.encoding not in ("mono8", "8UC1"):
        raise PromptError(
            f"prompt mask has encoding {message.encoding!r:.40}, expected mono8 "
            "where any non-zero pixel is the object"
        )
    if step < width or len(message.data) < step * height or not height or not width:
        raise PromptError(
            f"prompt mask of {width}x{height} with step {step} has {len(message.data)} bytes, "
            "expected step x height of them and step of at least the width"
        )
    rows = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)
    return np.asarray(rows[:, :width] != 0)

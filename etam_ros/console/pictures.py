"""Pictures for the page: a header in JSON, the camera's picture as JPEG, the labels as runs.

    4 bytes, big-endian: length of the header | header | JPEG | runs

Masks are drawn by the browser. A picture with the masks burnt in costs more to make and to send
(docs/console.md has the numbers), and its masks could not be switched off.

Letters: H, W height and width of the source frame in pixels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.console.label_runs import LabelRuns
from etam_ros.drawing.palette import object_colour
from etam_ros.errors import ImageError

HEADER_BYTES: Final = 4


@dataclass(frozen=True, eq=False)
class Packet:
    """What viewers are sent of one frame.

    Attributes:
        data: as told above.
        number: tells pictures apart; rises.
        stamp_ns: of the frame; 0 where it has none.
    """

    data: bytes = field(repr=False)
    number: int
    stamp_ns: int


@dataclass(frozen=True)
class ShownObject:
    """An object as the page lists it.

    Attributes:
        object_id: 1..65535.
        label: its name, or empty.
        occluded: the model sees nothing of it.
        visibility, iou_score: 0..1.
        centroid: (x, y) in source pixels; NaN while occluded.
        box: (x0, y0, x1, y1), x1 and y1 exclusive; zero while occluded.
        unseen_s: seconds since it was seen.
        position: (x, y, z) in metres; NaN where nobody knows.
    """

    object_id: int
    label: str
    occluded: bool
    visibility: float
    iou_score: float
    centroid: tuple[float, float]
    box: tuple[int, int, int, int]
    unseen_s: float = 0.0
    position: tuple[float, float, float] = (math.nan, math.nan, math.nan)

    def for_page(self) -> dict[str, Any]:
        """As JSON has it: no NaN."""
        return {
            "id": self.object_id,
            "label": self.label,
            "colour": "#{:02x}{:02x}{:02x}".format(*object_colour(self.object_id)),
            "occluded": self.occluded,
            "visibility": _rounded(self.visibility, 3),
            "iou": _rounded(self.iou_score, 3),
            "at": _finite(self.centroid, 1),
            "box": list(self.box),
            "unseen": _rounded(self.unseen_s, 1),
            "position": _finite(self.position, 2),
        }


def pack(
    number: int,
    stamp_ns: int,
    *,
    jpeg: bytes,
    hw: tuple[int, int],
    labels: LabelRuns | None,
    objects: Sequence[ShownObject],
    more: Mapping[str, Any],
) -> Packet:
    """Put together what viewers are sent.

    Args:
        number: rises from picture to picture.
        stamp_ns: of the frame.
        jpeg: of the picture, of any size.
        hw: (H, W) of the source, in whose pixels everything is told.
        labels: of any size; None where there is no result.
        objects: of the frame.
        more: fields for the header.
    """
    runs = b"" if labels is None else labels.for_page([each.object_id for each in objects])
    header = {
        "n": number,
        "stamp": str(stamp_ns),
        "size": [hw[1], hw[0]],
        "jpeg": len(jpeg),
        "labels": None if labels is None else [labels.hw[1], labels.hw[0]],
        "objects": [each.for_page() for each in objects],
        **more,
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    return Packet(len(text).to_bytes(HEADER_BYTES, "big") + text + jpeg + runs, number, stamp_ns)


def jpeg_of(picture: NDArray[np.uint8], width: int, quality: int) -> bytes:
    """A JPEG of a picture (H, W, 3) uint8 RGB, no wider than `width` pixels.

    Raises:
        ImageError: it is too large for a JPEG.
    """
    bgr = cv2.cvtColor(shrunk(picture, width), cv2.COLOR_RGB2BGR)
    try:
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    except cv2.error as error:
        raise ImageError(
            f"picture of shape {picture.shape} cannot be encoded as JPEG, expected at most "
            "65500 pixels a side"
        ) from error


def shrunk(picture: NDArray[Any], width: int) -> NDArray[Any]:
    """A picture no wider than so many pixels; labels keep their values."""
    old_height, old_width = picture.shape[:2]
    if old_width <= width:
        return picture
    size = (width, max(1, round(old_height * width / old_width)))
    way = cv2.INTER_AREA if picture.ndim == 3 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=way))


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _finite(values: Sequence[float], digits: int) -> list[float] | None:
    """All of them, or none."""
    if not all(math.isfinite(value) for value in values):
        return None
    return [round(float(value), digits) for value in values]

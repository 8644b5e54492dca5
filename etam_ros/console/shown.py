"""Frames that viewers have on their screens: what a click on one of them means.

Letters: H, W height and width of the frame in pixels.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.clicks import object_of_click
from etam_ros.console.commands import Pointed
from etam_ros.console.label_runs import LabelRuns
from etam_ros.console.pictures import ShownObject
from etam_ros.errors import ObjectError
from etam_ros.records import NEW_OBJECT, FrameResult, ObjectState

KEPT: Final = 48


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """A frame as it was shown.

    Attributes:
        stamp_ns: of the frame; 0 where it has none.
        hw: (H, W) of the source.
        labels: at that size; None where there was no result.
        objects: of the frame.
        jpeg: its picture.
    """

    stamp_ns: int
    hw: tuple[int, int]
    labels: LabelRuns | None
    objects: tuple[ShownObject, ...]
    jpeg: bytes = field(repr=False)

    def mask_of(self, object_id: int) -> NDArray[np.bool_] | None:
        """The mask (H, W) that an object had, None where it had none."""
        if self.labels is None:
            return None
        mask = self.labels.label_image() == object_id
        return mask if mask.any() else None

    def with_object(self, shown: ShownObject, mask: NDArray[np.bool_]) -> ShownFrame:
        """The same after a prompt.

        Args:
            shown: the object as it is now.
            mask: of it, the size of its box.
        """
        labels = np.zeros(self.hw, np.uint16) if self.labels is None else self.labels.label_image()
        labels[labels == shown.object_id] = 0
        x0, y0, x1, y1 = shown.box
        np.copyto(labels[y0:y1, x0:x1], np.uint16(shown.object_id), where=mask)
        others = [each for each in self.objects if each.object_id != shown.object_id]
        return replace(self, labels=LabelRuns.of(labels), objects=(*others, shown))

    def without(self, object_id: int) -> ShownFrame:
        """The same once an object is gone; 0: all are."""
        if self.labels is None:
            return self
        gone = (self.labels.ids == object_id) | (object_id == 0)
        labels = replace(self.labels, ids=np.where(gone, 0, self.labels.ids).astype(np.uint16))
        left = [each for each in self.objects if object_id not in (0, each.object_id)]
        return replace(self, labels=labels, objects=tuple(left))

    def result(self) -> FrameResult:
        """As the tracker's rule for clicks reads it."""
        labels = self.labels.label_image() if self.labels else np.zeros(self.hw, np.uint16)
        states = tuple(_state(each, labels) for each in self.objects)
        return FrameResult(0, self.stamp_ns, "", self.hw, states, labels)


class ShownFrames:
    """The newest of them, by their stamps; any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: dict[int, ShownFrame] = {}

    @property
    def newest(self) -> ShownFrame | None:
        """The one that was shown last."""
        with self._lock:
            return next(reversed(self._frames.values()), None)

    def add(self, frame: ShownFrame) -> None:
        """Remember one, as the newest."""
        with self._lock:
            self._frames.pop(frame.stamp_ns, None)
            self._frames[frame.stamp_ns] = frame
            while len(self._frames) > KEPT:
                del self._frames[next(iter(self._frames))]

    def change(self, frame: ShownFrame) -> None:
        """Put another in the place of the one of its stamp."""
        with self._lock:
            if frame.stamp_ns in self._frames:
                self._frames[frame.stamp_ns] = frame

    def find(self, stamp_ns: int) -> ShownFrame | None:
        """The one of a stamp; 0: the newest."""
        if not stamp_ns:
            return self.newest
        with self._lock:
            return self._frames.get(stamp_ns)


def whose(said: Pointed, frame: ShownFrame | None, meaning: str, selected: int) -> int:
    """The object that something pointed at is for, by the tracker's own rule.

    Args:
        said: what was pointed at; a line is for what its first point is on.
        frame: that was on the screen, None where nobody knows any more.
        meaning: the tracker's `clicks.meaning`.
        selected: id of the object that was chosen, 0 for none.

    Raises:
        ObjectError: no object is selected, or none is there to take the background off.
    """
    if said.object_id is not None:
        return said.object_id
    if said.box is not None and meaning != "target":
        return NEW_OBJECT
    if frame is None:
        raise ObjectError("the frame that was clicked on is too old: click on the current one")
    point = said.points[0] if said.points else (0.0, 0.0)
    return object_of_click(
        point, said.label, frame.result(), meaning=meaning, selected=selected or None
    )


def _state(shown: ShownObject, labels: NDArray[np.uint16]) -> ObjectState:
    whole = (labels == shown.object_id).view(np.uint8)
    left, top, width, height = cv2.boundingRect(whole)
    extent = (left, top, left + width, top + height)
    mask = whole[top : top + height, left : left + width].view(np.bool_)
    unknown: Any = None
    return ObjectState(
        object_id=shown.object_id,
        label=shown.label,
        occluded=shown.occluded or not mask.any(),
        visibility=shown.visibility,
        iou_score=shown.iou_score,
        area=int(mask.sum()),
        box=shown.box,
        centroid=shown.centroid,
        mask=mask,
        extent=extent,
        measured=mask,
        time_since_seen_ns=0,
        object_score_logit=math.nan,
        mask_logits=unknown,
        pointer=unknown,
    )

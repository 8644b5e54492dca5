"""Camera picture, objects and labels of one frame find each other by their stamp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from etam_ros.ros.console.packed import Packed

MOST_BYTES: Final = 96 * 1024 * 1024
"""Of pictures that wait for their result, which a slow tracker gives after many more have come."""
MOST_KEPT: Final = 64


@dataclass(frozen=True, eq=False)
class FrameMessages:
    """What was published of one frame; without result where there is none.

    Attributes:
        stamp_ns: of the frame.
        picture: Image or CompressedImage.
        objects: TrackedObjectArray, or None.
        labels: Image 16UC1, or None.
    """

    stamp_ns: int
    picture: Packed
    objects: Packed | None = None
    labels: Packed | None = None


class Pairing:
    """Keeps what came alone; in whatever order the three come, the frame comes out once."""

    def __init__(self) -> None:
        self._pictures: dict[int, Packed] = {}
        self._objects: dict[int, Packed] = {}
        self._labels: dict[int, Packed] = {}

    def picture(self, message: Packed) -> FrameMessages | None:
        """A picture has come; the frame that is complete with it."""
        most = MOST_BYTES // max(1, len(message.data))
        return self._add(self._pictures, message, max(2, min(most, MOST_KEPT)))

    def objects(self, message: Packed) -> FrameMessages | None:
        """Objects have come; likewise."""
        return self._add(self._objects, message, MOST_KEPT)

    def labels(self, message: Packed) -> FrameMessages | None:
        """Labels have come; likewise."""
        return self._add(self._labels, message, MOST_KEPT)

    def _add(self, kept: dict[int, Packed], message: Packed, most: int) -> FrameMessages | None:
        stamp_ns = message.stamp_ns
        kept.pop(stamp_ns, None)  # the newest stands last
        kept[stamp_ns] = message
        while len(kept) > most:
            del kept[next(iter(kept))]
        all_three = (self._pictures, self._objects, self._labels)
        if not all(stamp_ns in each for each in all_three):
            return None
        found = FrameMessages(stamp_ns, *(each[stamp_ns] for each in all_three))
        for each in all_three:
            _forget_until(each, stamp_ns)
        return found


def _forget_until(kept: dict[int, Packed], stamp_ns: int) -> None:
    """Drop what came before, and itself: results come in the order of the pictures."""
    for key in list(kept):
        del kept[key]
        if key == stamp_ns:
            return

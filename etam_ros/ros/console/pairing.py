"""Camera picture, objects and, where they are needed, labels of one frame find each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from etam_ros.ros.console.packed import Packed

MOST_BYTES: Final = 96 * 1024 * 1024
"""Of pictures that wait for their result, which a slow tracker gives after many more have come;
and of labels."""
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
    """Keeps what came alone; in whatever order all come, the frame comes out once.

    Attributes:
        with_labels: a frame is whole with its labels alone; any thread may set it.
    """

    def __init__(self) -> None:
        self.with_labels = False
        self._pictures: dict[int, Packed] = {}
        self._objects: dict[int, Packed] = {}
        self._labels: dict[int, Packed] = {}

    def picture(self, message: Packed) -> FrameMessages | None:
        """A picture has come; the frame that is complete with it."""
        return self._add(self._pictures, message)

    def objects(self, message: Packed) -> FrameMessages | None:
        """Objects have come; likewise."""
        return self._add(self._objects, message)

    def labels(self, message: Packed) -> FrameMessages | None:
        """Labels have come; likewise."""
        return self._add(self._labels, message)

    def _add(self, kept: dict[int, Packed], message: Packed) -> FrameMessages | None:
        stamp_ns = message.stamp_ns
        most = max(2, min(MOST_BYTES // max(1, len(message.data)), MOST_KEPT))
        kept.pop(stamp_ns, None)  # the newest stands last
        kept[stamp_ns] = message
        while len(kept) > most:
            del kept[next(iter(kept))]
        picture, objects = self._pictures.get(stamp_ns), self._objects.get(stamp_ns)
        labels = self._labels.get(stamp_ns)
        if picture is None or objects is None or (self.with_labels and labels is None):
            return None
        _forget_until(self._pictures, stamp_ns)
        _forget_until(self._objects, stamp_ns)
        if labels is None:
            self._labels.clear()
        else:
            _forget_until(self._labels, stamp_ns)
        return FrameMessages(stamp_ns, picture, objects, labels)


def _forget_until(kept: dict[int, Packed], stamp_ns: int) -> None:
    """Drop what came before, and itself: results come in the order of the pictures."""
    for key in list(kept):
        del kept[key]
        if key == stamp_ns:
            return

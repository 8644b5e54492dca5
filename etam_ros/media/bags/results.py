"""Recorded results of a tracker: TrackedObjectArray, label images, events.

run = RecordedRun(Path("bag"))
for frame in run.frames():
    for item in frame.objects:
        item.object_id, item.occluded, item.mask_in(frame.image_hw)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.config import ImagesConfig
from etam_ros.errors import ImageError, SourceError
from etam_ros.media.bags.definitions import TRACKED_OBJECT_ARRAY
from etam_ros.media.bags.labels import label_image_of
from etam_ros.media.bags.prompts import prompts_of_tracker
from etam_ros.media.bags.reader import Bag
from etam_ros.media.bags.stamps import NS_PER_S, stamp_of
from etam_ros.media.bags.topics import LABEL_IMAGE, tracker_name
from etam_ros.media.image_decoding import raw_samples
from etam_ros.media.image_encodings import check_pixels, checked_layout, quoted
from etam_ros.records import MAX_OBJECT_ID

_MASK_ENCODINGS: Final = ("mono8", "8UC1")
_APART: Final = 8
"""Messages of one topic that may precede those of the other for the same frame, because a recorder
writes them as they arrive."""


@dataclass(frozen=True, eq=False)
class RecordedObject:
    """One object on one frame, as it was published.

    Letters: H, W height and width of the frame in pixels.

    Attributes:
        object_id: 1..65535.
        label: its name.
        occluded: the object is not in view: mask is (0, 0), box zero, centroid NaN.
        visibility: 0..1.
        iou_score: the model's own estimate of the mask's quality, 0..1.
        area: pixels of the whole mask.
        origin: (x, y) of the mask's top-left pixel in the frame.
        mask: (h, w) bool, the part inside the object's box; the label image has all of it.
        centroid: (x, y) in pixels.
    """

    object_id: int
    label: str
    occluded: bool
    visibility: float
    iou_score: float
    area: int
    origin: tuple[int, int]
    mask: NDArray[np.bool_] = field(repr=False)
    centroid: tuple[float, float]

    def mask_in(self, hw: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask in a frame of (H, W): (H, W) bool; parts outside are cut off."""
        whole = np.zeros(hw, np.bool_)
        x, y = self.origin
        part = whole[y : y + self.mask.shape[0], x : x + self.mask.shape[1]]
        part[:] = self.mask[: part.shape[0], : part.shape[1]]
        return whole


@dataclass(frozen=True, eq=False)
class RecordedFrame:
    """Published results of one frame.

    Attributes:
        stamp_ns: of the frame, in nanoseconds.
        frame_id: coordinate frame of the camera.
        received_ns: when the recorder received it.
        frame_number: number of processed frames, including this one.
        latency_ms: from image received to result published, as measured by the tracker.
        dropped_frames: frames replaced by newer ones before they were processed, since activation.
        objects: all tracked objects.
        label_image: (H, W) uint16, object id per pixel; None if it was not recorded.
    """

    stamp_ns: int
    frame_id: str
    received_ns: int
    frame_number: int
    latency_ms: float
    dropped_frames: int
    objects: tuple[RecordedObject, ...]
    label_image: NDArray[np.uint16] | None = field(repr=False)

    @property
    def image_hw(self) -> tuple[int, int] | None:
        """(H, W) of the frame, from the label image; None if that was not recorded."""
        return None if self.label_image is None else self.label_image.shape[:2]  # type: ignore[return-value]


class RecordedRun:
    """The results of one tracker in a bag, recorded from a node or written by `etam track`.

    Args:
        path: of the bag.
        tracker: full name of the node, such as /tracker; empty if the bag has only one.
        recover: read a damaged bag as far as possible.

    Attributes:
        bag: the bag, with everything else in it.
        tracker: full name of the node.

    Raises:
        SourceError: the bag cannot be read, or has no results, or those of several trackers.
    """

    def __init__(self, path: Path, *, tracker: str = "", recover: bool = False) -> None:
        self.bag = Bag(path, recover=recover)
        found = tracker_name(self.bag, tracker)
        topic = None if found is None else self.bag.topics.get(f"{found}/objects")
        if found is None or topic is None or topic.type != TRACKED_OBJECT_ARRAY:
            raise SourceError(
                f"bag {path} holds no results of a tracker, expected a topic such as "
                "/tracker/objects with etam_ros/TrackedObjectArray: record it together with the "
                "camera"
            )
        self.tracker = found

    def stamps(self) -> set[int]:
        """Stamps of all processed frames, in nanoseconds.

        Raises:
            SourceError: the bag is damaged, or the frames have no stamps.
        """
        found = set()
        for _, fields in self.bag.fields([f"{self.tracker}/objects"]):
            stamp = fields.header.stamp
            if not (stamp.sec or stamp.nanosec):
                raise SourceError(
                    f"bag {self.bag.path} has results without stamps, expected those of their "
                    "frames: record images with stamps, or track all frames"
                )
            found.add(int(stamp.sec) * NS_PER_S + int(stamp.nanosec))
        return found

    def prompted(self) -> set[tuple[int, int]]:
        """Pairs of a stamp in nanoseconds and the id of an object prompted on that frame."""
        recorded = prompts_of_tracker(self.bag, self.tracker)
        return {(item.stamp_ns, item.object_id) for item in recorded if item.prompt is not None}

    def changed_stamps(self) -> set[int]:
        """Stamps of frames on which objects were prompted or removed, in nanoseconds.

        On such a frame a node publishes the result from before the prompt, and `etam track` writes
        the one from after it; all objects may differ, because each pixel belongs to one of them.
        """
        return {item.stamp_ns for item in prompts_of_tracker(self.bag, self.tracker)}

    def frames(self) -> Iterator[RecordedFrame]:
        """All processed frames, in the order of the bag, one at a time.

        Raises:
            SourceError: the bag is damaged, or a message contradicts itself.
        """
        objects, labels = f"{self.tracker}/objects", f"{self.tracker}/{LABEL_IMAGE}"
        topics = [name for name in (objects, labels) if name in self.bag.topics]
        apart = _APART if labels in topics else 0
        waiting: deque[tuple[int, Any, int]] = deque()
        painted: dict[int, NDArray[np.uint16]] = {}
        for message, fields in self.bag.fields(topics):
            stamp_ns = stamp_of(fields, message.received_ns)
            if message.topic == objects:
                waiting.append((stamp_ns, fields, message.received_ns))
            else:
                label_image = self._labels(fields)
                if label_image is not None:
                    painted[stamp_ns] = label_image
                while len(painted) > _APART:
                    del painted[next(iter(painted))]
            while waiting and (waiting[0][0] in painted or len(waiting) > apart):
                first, objects_of_it, heard_ns = waiting.popleft()
                yield from self._frame(objects_of_it, heard_ns, painted.pop(first, None))
        for last, objects_of_it, heard_ns in waiting:
            yield from self._frame(objects_of_it, heard_ns, painted.pop(last, None))

    def _labels(self, fields: Any) -> NDArray[np.uint16] | None:
        try:
            return label_image_of(fields)
        except ImageError as error:
            self._lose(LABEL_IMAGE, error)
            return None

    def _frame(
        self, fields: Any, received_ns: int, label_image: NDArray[np.uint16] | None
    ) -> Iterator[RecordedFrame]:
        """The frame of a message; None if it is damaged and `recover` is set."""
        try:
            objects = tuple(_object(item) for item in fields.objects)
        except ImageError as error:
            self._lose("objects", error)
            return
        yield RecordedFrame(
            stamp_of(fields, received_ns),
            str(fields.header.frame_id),
            received_ns,
            int(fields.frame_number),
            float(fields.latency_ms),
            int(fields.dropped_frames),
            objects,
            label_image,
        )

    def _lose(self, topic: str, error: ImageError) -> None:
        """Skip a message with a note if `recover` is set, otherwise raise."""
        if not self.bag.recover:
            raise SourceError(f"bag {self.bag.path}, {self.tracker}/{topic}: {error}") from error
        self.bag.lose(f"a message on {self.tracker}/{topic}: {error}")


def _object(item: Any) -> RecordedObject:
    box = item.box
    if not 1 <= item.id <= MAX_OBJECT_ID:
        raise ImageError(f"an object has id {item.id}, expected 1..{MAX_OBJECT_ID}")
    most = ImagesConfig().max_pixels
    check_pixels(box.x_offset + item.mask.width, box.y_offset + item.mask.height, most)
    mask: NDArray[np.bool_] = np.zeros((0, 0), np.bool_)
    if not item.occluded and item.mask.height and item.mask.width:
        layout = checked_layout(item.mask, most)
        if item.mask.encoding not in _MASK_ENCODINGS:
            raise ImageError(
                f"a mask has encoding {quoted(item.mask.encoding)}, expected "
                f"{' or '.join(_MASK_ENCODINGS)}"
            )
        mask = raw_samples(item.mask, layout).reshape(item.mask.height, item.mask.width) > 0
    return RecordedObject(
        int(item.id),
        str(item.label),
        bool(item.occluded),
        float(item.visibility),
        float(item.iou_score),
        int(item.area),
        (int(box.x_offset), int(box.y_offset)),
        mask,
        (float(item.centroid.x), float(item.centroid.y)),
    )

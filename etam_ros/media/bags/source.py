"""The images of one topic of a bag as a source of frames."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

from etam_ros.errors import SourceError
from etam_ros.media.bags.pictures import frames_of
from etam_ros.media.bags.reader import Bag
from etam_ros.media.bags.stamps import stamp_of
from etam_ros.media.bags.topics import CAMERA_INFO, camera_topic
from etam_ros.media.frame_source import DEFAULT_FPS, FrameSource
from etam_ros.records import Frame

_LOOKED_AT: Final = 16
"""Number of frames whose stamps determine the rate."""


class BagSource(FrameSource):
    """The frames of a recorded camera, with their stamps and coordinate frame.

    Args:
        path: a rosbag2 folder, or a file of one.
        topic: of its images; empty finds the camera, if there is only one.
        fps: reported frames per second; None takes it from the stamps, which never change.
        recover: read a damaged bag as far as possible.

    Attributes:
        bag: the bag, with everything else that was recorded.
        topic: the name of the topic.
        notes: messages about anything unusual; more are added while a damaged bag is read.

    Raises:
        SourceError: it cannot be read, or has no such topic.
    """

    def __init__(
        self, path: Path, *, topic: str = "", fps: float | None = None, recover: bool = False
    ) -> None:
        self.bag = Bag(path, recover=recover)
        self.recover = recover
        found = camera_topic(self.bag, topic)
        self.topic = found.name
        super().__init__(
            f"{path.name}:{self.topic}", float(fps or self._rate() or DEFAULT_FPS), found.count
        )
        self.notes = self.bag.notes
        self.recorded = True

    def _read(self) -> Generator[Frame, None, None]:
        number = -1
        on_loss = self.bag.lose if self.recover else None
        frames = frames_of(self.bag, self.topic, on_loss, self._remark)
        for number, frame in enumerate(frames):  # noqa: B007
            yield frame
        if number < 0:
            raise SourceError(
                f"bag {self.bag.path} has no picture on {self.topic} that can be decoded, "
                "expected at least one"
            )

    def camera_info(self) -> Any | None:
        """The fields of the first sensor_msgs/CameraInfo of this camera; None if there is none."""
        before = self.topic.removesuffix("/compressed").rpartition("/")[0]
        topic = self.bag.topics.get(f"{before}/camera_info")
        if topic is None or topic.type != CAMERA_INFO:
            return None
        return next((fields for _, fields in self.bag.fields([topic.name], peek=True)), None)

    def _rate(self) -> float | None:
        """Frames per second by the stamps of the first frames; None if these do not tell."""
        first = islice(self.bag.fields([self.topic], peek=True), _LOOKED_AT)
        stamps: list[int] = []
        with suppress(SourceError):  # reported when the frames are read
            stamps.extend(stamp_of(fields, each.received_ns) for each, fields in first)
        steps = [later - earlier for earlier, later in pairwise(stamps)]
        usual_ns = median([step for step in steps if step > 0] or [0])
        return round(1e9 / usual_ns, 3) if usual_ns else None

"""The results of a run as a rosbag2, on the topics on which the node publishes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.media.bags import messages
from etam_ros.media.bags.definitions import PROMPT, TRACK_EVENT, TRACKED_OBJECT_ARRAY
from etam_ros.media.bags.topics import APPLIED_PROMPTS, COMPRESSED_IMAGE, IMAGE, LABEL_IMAGE
from etam_ros.media.bags.writer import BagWriter
from etam_ros.media.files import Closing
from etam_ros.media.run_record import RECORD, RunRecord
from etam_ros.offline.prompts_file import TimedPrompt, TimedRemoval
from etam_ros.records import Frame, FrameResult

TRACKER: Final = "/tracker"
_FRAMES_UNSAVED: Final = 16
"""At most, of a run that is killed. A number and no time: the same run writes the same file."""


class TrackBag(Closing):
    """Writes objects, label images, the prompts as they were applied, and overlays.

    Leaving the `with` block finishes the bag, unless something has failed in it.

    Args:
        path: folder of the bag, which must not be there yet.
        storage: mcap or sqlite3.
        tracker: name of the node whose topics they are.
        overlay_quality: of the JPEGs of overlays, 1..100; None: they are not for the bag.

    Attributes:
        record: of the run, which is put into the bag.

    Raises:
        SourceError: it cannot be written, or rosbags is not installed.
    """

    def __init__(
        self,
        path: Path,
        storage: str = "mcap",
        *,
        tracker: str = TRACKER,
        overlay_quality: int | None = None,
    ) -> None:
        self.overlay_quality = overlay_quality
        self.record: RunRecord | None = None
        self._tracker = tracker
        self._unsaved = 0
        self._last_seen: dict[int, messages.Place] = {}
        self._writer = BagWriter(path, storage)
        for name, kind in (
            ("objects", TRACKED_OBJECT_ARRAY),
            (LABEL_IMAGE, IMAGE),
            (APPLIED_PROMPTS, PROMPT),
            ("events", TRACK_EVENT),
        ):
            self._writer.add_topic(f"{tracker}/{name}", kind)
        if overlay_quality is not None:
            self._writer.add_topic(f"{tracker}/overlay/compressed", COMPRESSED_IMAGE)

    def write(
        self,
        frame: Frame,
        result: FrameResult,
        said: Sequence[TimedPrompt | TimedRemoval],
        overlay: NDArray[np.uint8] | None,
    ) -> None:
        """Append one frame.

        Args:
            result: after all that was said on it.
            said: prompts and removals, in their order; the prompts have ids.
            overlay: (H, W, 3) uint8 RGB, the frame with what was found drawn over it.

        Raises:
            SourceError: it cannot be written.
        """
        head = messages.header(frame.stamp_ns, frame.frame_id)
        for item in said:
            if isinstance(item, TimedPrompt):
                prompt = messages.prompt_message(item.prompt, head)
                self._append(APPLIED_PROMPTS, prompt, frame)
            else:
                self._append("events", messages.removal(item.object_id, head), frame)
        for state in result.objects:
            if not state.occluded:
                self._last_seen[state.object_id] = state.box, state.centroid
        self._append("objects", messages.objects(result, head, self._last_seen), frame)
        labels = messages.image(result.label_image, "16UC1", head)
        self._append(LABEL_IMAGE, labels, frame)
        if overlay is not None and self.overlay_quality is not None:
            jpeg = messages.jpeg(overlay, head, self.overlay_quality)
            self._append("overlay/compressed", jpeg, frame)
        self._unsaved += 1
        if self._unsaved == _FRAMES_UNSAVED:
            self._writer.flush()
            self._unsaved = 0

    def mark_stopped(self) -> None:
        """Have the bag say that the run was stopped before its source ended."""
        self._writer.mark_stopped()

    @property
    def unfinished(self) -> Path:
        """Where it lies until it is finished."""
        return self._writer.unfinished

    @property
    def replaces(self) -> bool:
        """Whether an earlier run had left something there, which is gone now."""
        return self._writer.replaces

    def _append(self, name: str, message: object, frame: Frame) -> None:
        self._writer.write(f"{self._tracker}/{name}", message, frame.stamp_ns)

    def close(self) -> None:
        self.__exit__(None, None, None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.record is not None:
            self._writer.beside[RECORD] = self.record.as_bytes()
        self._writer.__exit__(kind, error, trace)

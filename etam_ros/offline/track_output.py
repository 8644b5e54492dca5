"""Everything that `etam track` leaves behind, written frame by frame."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from etam_ros.config import OverlayConfig
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.errors import SourceError
from etam_ros.media.files import Closing, writing, writing_whole
from etam_ros.media.label_png import encode_label_png
from etam_ros.media.video_writer import VideoWriter
from etam_ros.offline.logits_file import LogitsFile
from etam_ros.offline.output_folder import COLUMNS, LOGITS, MASKS, OBJECTS, OVERLAY
from etam_ros.offline.prompts_file import TimedPrompt, TimedRemoval
from etam_ros.records import Frame, FrameResult, ObjectState

if TYPE_CHECKING:
    from etam_ros.offline.track_bag import TrackBag


class TrackOutput(Closing):
    """Writes masks, the table of objects, the overlay video and the logits; a context manager.

    Leaving the `with` block finishes every file, also after an error or Ctrl-C; but after an error
    logits.npz keeps the name of a part.

    Args:
        folder: in which nothing of an earlier run lies.
        fps: of the overlay video.
        overlay: how it is drawn, or None for no video.
        save_logits: also write logits.npz.
        wide_ids: masks hold ids up to 65535, without colours.
        bag: is given every frame as well; whoever made it finishes it.

    Raises:
        SourceError: something cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fps: float,
        overlay: OverlayConfig | None,
        save_logits: bool,
        wide_ids: bool = False,
        bag: TrackBag | None = None,
    ) -> None:
        self._folder, self._wide_ids = folder, wide_ids
        self._bag = bag
        self._overlay = overlay
        self._video = VideoWriter(folder / OVERLAY, fps) if overlay is not None else None
        with writing(folder):
            (folder / MASKS).mkdir(parents=True)
            self._table_file = (folder / OBJECTS).open("w", encoding="utf-8", newline="")
            self._table = csv.writer(self._table_file)
            self._table.writerow(COLUMNS)
            self._logits = LogitsFile(folder / LOGITS) if save_logits else None

    @property
    def note(self) -> str:
        """What is odd about the overlay, in words; empty: nothing."""
        return self._video.note if self._video is not None else ""

    def write(
        self,
        frame_index: int,
        frame: Frame,
        result: FrameResult,
        said: Sequence[TimedPrompt | TimedRemoval] = (),
    ) -> None:
        """Append one frame.

        Args:
            frame_index: its place in the source, from 0.
            result: after all prompts of that frame.
            said: those prompts and removals, for the bag.

        Raises:
            SourceError: something cannot be written.
            ImageError: an object id is larger than masks hold.
        """
        with writing(self._folder):
            with writing_whole(self._folder / MASKS / f"{frame_index:05d}.png") as part:
                part.write_bytes(encode_label_png(result.label_image, wide=self._wide_ids))
            for state in result.objects:
                self._table.writerow(object_row(frame_index, result.stamp_ns, state))
            self._table_file.flush()
            if self._logits is not None:
                self._logits.write(frame_index, result)
        for_bag = self._bag is not None and self._bag.overlay_quality is not None
        picture = None
        if self._video is not None or for_bag:
            picture = draw_overlay(frame.image, result, self._overlay or OverlayConfig())
        if self._video is not None and picture is not None:
            self._video.write(picture)
        if self._bag is not None:
            self._bag.write(frame, result, said, picture)

    def close(self) -> None:
        """Finish every file."""
        self._finish(is_whole=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(*((SourceError,) if error is not None else ())):
            self._finish(is_whole=error is None)

    def _finish(self, *, is_whole: bool) -> None:
        with writing(self._folder), ExitStack() as stack:  # each is closed, whatever the others do
            if self._video is not None:
                stack.callback(self._video.close)
            if self._logits is not None:
                stack.callback(self._logits.close, is_whole=is_whole)
            stack.callback(self._table_file.close)


def object_row(frame_index: int, stamp_ns: int, state: ObjectState) -> list[str | int | float]:
    """One row of objects.csv; what an occluded object does not have is empty."""
    row: list[str | int | float] = [
        frame_index,
        stamp_ns,
        state.object_id,
        state.label,
        int(state.occluded),
        round(state.visibility, 6),
        round(state.iou_score, 6),
    ]
    if state.occluded or not all(math.isfinite(value) for value in state.centroid):
        return [*row, "", "", "", "", "", "", state.area]
    cx, cy = state.centroid
    return [*row, round(cx, 3), round(cy, 3), *state.box, state.area]

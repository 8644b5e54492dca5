"""What a demo does with what is published: draws, keeps, scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etam_ros.config import OverlayConfig
from etam_ros.demo.clip import ClipTruth, Image
from etam_ros.demo.report import DemoScore
from etam_ros.drawing.contact_sheet import EvenlySpaced, contact_sheet, thumbnail, write_jpeg
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.media.files import Closing
from etam_ros.media.video_writer import VideoWriter
from etam_ros.records import FOREGROUND, FrameResult, Prompt

_SHEET_PICTURES = 6


class DemoListener(Closing):
    """Takes each published result: draws it into a video, scores it, keeps some pictures.

    Leaving its `with` block finishes the files, also of a run that failed.

    Args:
        out: folder for overlay.mp4 and overlay.jpg.
        fps: of the source, at which the overlay plays.
        prompts: what to click on; empty: in the middle, or on what the truth knows.
        truth: of the clip, or None.
    """

    def __init__(
        self,
        out: Path,
        fps: float,
        *,
        prompts: Sequence[Prompt] = (),
        truth: ClipTruth | None = None,
    ) -> None:
        self._out = out
        self._fps = fps
        self._prompts = list(prompts)
        self._truth = truth or ClipTruth({})
        self._first_index: int | None = None
        self._followed: set[int] = set()
        self._pictures = EvenlySpaced(_SHEET_PICTURES)
        self.video = VideoWriter(out / "overlay.mp4", fps)
        self.latencies_ms: list[float] = []
        self.scores: dict[int, DemoScore] = {}

    def prompts_for(self, image: Image) -> list[Prompt]:
        """What to click on in this image, the newest that has a result."""
        if self._prompts:
            return self._prompts
        found = self._truth.find(image)
        if found is not None:
            clicks = (self._truth.click(found[1], object_id) for object_id in self._truth.labels)
            return [click for click in clicks if click is not None]
        middle = ((image.shape[1] - 1) / 2.0, (image.shape[0] - 1) / 2.0)
        return [Prompt(1, points=[middle], point_labels=[FOREGROUND])]

    def take(self, index: int, image: Image, result: FrameResult, latency_ms: float) -> None:
        """Take the result of an image (H, W, 3) uint8 RGB, the `index`-th that was published."""
        found = self._truth.find(image)
        number = found[0] if found is not None else index
        if self._first_index is None:
            self._first_index = number
        picture = draw_overlay(image, result, OverlayConfig())
        self.video.write(picture, max(0, number - self._first_index) / self._fps)
        self._followed.update(state.object_id for state in result.objects)
        if self._followed:
            self._pictures.add(thumbnail(picture))
            self.latencies_ms.append(latency_ms)
        if found is not None:
            for object_id in self._followed & set(self._truth.labels):
                label = self._truth.labels[object_id]
                score = self.scores.setdefault(object_id, DemoScore(object_id, label))
                score.add(result, found[1])

    def close(self) -> None:
        """Finish overlay.mp4, and write overlay.jpg."""
        self.video.close()
        if self._pictures.pictures:
            write_jpeg(self._out / "overlay.jpg", contact_sheet(self._pictures.pictures))

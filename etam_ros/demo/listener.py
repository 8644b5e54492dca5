"""What a demo does with what is published: draws, keeps, scores."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import OverlayConfig
from etam_ros.demo.report import ObjectScore
from etam_ros.drawing.contact_sheet import EvenlySpaced, contact_sheet, thumbnail, write_jpeg
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.errors import SourceError
from etam_ros.media.video_writer import VideoWriter
from etam_ros.records import FOREGROUND, FrameResult, Prompt

Image = NDArray[np.uint8]
LabelImage = NDArray[np.uint16]

_SHEET_PICTURES = 6


class ClipTruth:
    """Ground truth of a clip, found again by the pixels of its images.

    Images get new stamps when they are published, and some may get lost: their content is what
    tells them apart for sure.

    Args:
        labels: ids of the objects to follow, and what each is.
    """

    def __init__(self, labels: Mapping[int, str]) -> None:
        self.labels = dict(labels)
        self._truth: dict[int, tuple[int, LabelImage]] = {}

    def add(self, index: int, image: Image, label_image: LabelImage) -> None:
        """Learn one frame: its (H, W, 3) image as it will be published, its (H, W) truth."""
        self._truth[_fingerprint(image)] = (index, label_image)

    def find(self, image: Image) -> tuple[int, LabelImage] | None:
        """Index and truth of an image, or None if it is not of this clip."""
        return self._truth.get(_fingerprint(image))

    def click(self, label_image: LabelImage, object_id: int) -> Prompt | None:
        """A click on the inmost point of an object, or None where it cannot be seen."""
        mask = (label_image == object_id).astype(np.uint8)
        if not mask.any():
            return None
        depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
        return Prompt(
            object_id,
            self.labels[object_id],
            points=[(float(x), float(y))],
            point_labels=[FOREGROUND],
        )


def _fingerprint(image: Image) -> int:
    return zlib.crc32(image.tobytes())


class DemoListener:
    """Takes each published result: draws it into a video, scores it, keeps some pictures.

    A context manager, which leaves whole files behind.

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
        self._truth = truth
        self._first_index: int | None = None
        self._followed: set[int] = set()
        self._pictures = EvenlySpaced(_SHEET_PICTURES)
        self.video = VideoWriter(out / "overlay.mp4", fps)
        self.latencies_ms: list[float] = []
        self.scores: dict[int, ObjectScore] = {}

    def prompts_for(self, image: Image) -> list[Prompt]:
        """What to click on in this image, the newest that has a result."""
        found = self._truth.find(image) if self._truth is not None else None
        if self._prompts:
            return self._prompts
        if self._truth is not None and found is not None:
            clicks = (self._truth.click(found[1], object_id) for object_id in self._truth.labels)
            return [click for click in clicks if click is not None]
        middle = ((image.shape[1] - 1) / 2.0, (image.shape[0] - 1) / 2.0)
        return [Prompt(1, points=[middle], point_labels=[FOREGROUND])]

    def take(self, index: int, image: Image, result: FrameResult, latency_ms: float) -> None:
        """Take one result.

        Args:
            index: of the image among those published.
            image: (H, W, 3) uint8 RGB.
            result: as published.
            latency_ms: as published.
        """
        found = self._truth.find(image) if self._truth is not None else None
        number = found[0] if found is not None else index
        if self._first_index is None:
            self._first_index = number
        picture = draw_overlay(image, result, OverlayConfig())
        self.video.write(picture, max(0, number - self._first_index) / self._fps)
        self._followed.update(state.object_id for state in result.objects)
        if self._followed:
            self._pictures.add(thumbnail(picture))
            self.latencies_ms.append(latency_ms)
        if self._truth is not None and found is not None:
            for object_id in self._followed & set(self._truth.labels):
                label = self._truth.labels[object_id]
                score = self.scores.setdefault(object_id, ObjectScore(object_id, label))
                score.add(result, found[1])

    def __enter__(self) -> DemoListener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._finish()
        except SourceError:
            if kind is None:  # else the first error is the one to show
                raise

    def _finish(self) -> None:
        self.video.close()
        if not self._pictures.pictures:
            return
        path = self._out / "overlay.jpg"
        try:
            write_jpeg(str(path), contact_sheet(self._pictures.pictures))
        except OSError as error:
            raise SourceError(f"cannot write {path}: {error.strerror or error}") from None

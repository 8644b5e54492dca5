"""Pictures of a video during its evaluation, limited in number.

Letters: H, W height and width of a picture in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.drawing.contact_sheet import EvenlySpaced, contact_sheet, thumbnail
from etam_ros.drawing.palette import object_colour
from etam_ros.evaluation.kept import Thinned, Worst
from etam_ros.evaluation.protocols.following import JudgedFrame
from etam_ros.evaluation.result_sheets import SHEET_COLUMNS, draw_result, encode_jpeg
from etam_ros.evaluation.truth.annotations import BoxTruth, FrameTruth
from etam_ros.evaluation.truth.videos import LabelledVideo

PLAYER_FRAMES: Final = 24
WORST_FRAMES: Final = 3
"""Worst frames kept for each object."""
FRAMES_APART: Final = 8
"""Of two frames closer than this, only the worse one is kept."""
_WHITE: Final = (255, 255, 255)

Image = NDArray[np.uint8]


class PagePictures:
    """Frames for the page: evenly spaced ones, and the worst ones of each object.

    Files are `frame-00012.jpg` with result and truth in one picture, and, for worst frames,
    `worst-1-00012-found.jpg` and `-truth.jpg` of object 1.
    """

    def __init__(self, video: LabelledVideo) -> None:
        self.begin()

    def begin(self) -> None:
        """Discard all pictures, because another pass begins."""
        self._some: Thinned[bytes] = Thinned(PLAYER_FRAMES)
        self._worst: dict[int, Worst[tuple[bytes, bytes]]] = {}

    def see(self, judged_frame: JudgedFrame) -> None:
        """Offer a frame."""
        self._some.offer(judged_frame.index, lambda: encode_jpeg(_both(judged_frame)))
        for object_id, judged in judged_frame.judged.items():
            worst = self._worst.setdefault(object_id, Worst(WORST_FRAMES, FRAMES_APART))
            worst.offer(
                judged.frame,
                judged.j_and_f,
                lambda: (encode_jpeg(_found(judged_frame)), encode_jpeg(_truth(judged_frame))),
            )

    def files(self) -> dict[str, bytes]:
        """JPEG files by name."""
        files = {f"frame-{index:05d}.jpg": jpeg for index, jpeg in self._some.frames}
        for object_id, worst in sorted(self._worst.items()):
            for _, frame, (found, truth) in worst.frames:
                stem = f"worst-{object_id}-{frame:05d}"
                files |= {f"{stem}-found.jpg": found, f"{stem}-truth.jpg": truth}
        return files


class SheetPictures:
    """One sheet of a video: a row for each method, a column for each of six frames."""

    def __init__(self, video: LabelledVideo) -> None:
        self._rows: dict[str, EvenlySpaced] = {}

    def begin(self, method: str) -> None:
        """Called when a pass of a method begins."""
        self._rows[method] = EvenlySpaced(SHEET_COLUMNS)

    def see(self, method: str, judged_frame: JudgedFrame) -> None:
        """Offer a frame; annotated ones are used."""
        if judged_frame.truth is not None:
            caption = f"{method}, frame {judged_frame.index}"
            self._rows[method].add(_both(judged_frame, caption))

    def jpeg(self) -> bytes:
        """The sheet; empty if no frame was annotated."""
        rows = [row.pictures for row in self._rows.values()]
        columns = max(map(len, rows), default=0)
        if not columns:
            return b""
        blank = np.full_like(next(row for row in rows if row)[0], 255)
        filled = [[*row, *[blank] * (columns - len(row))] for row in rows]
        sheet = contact_sheet([each for row in filled for each in row], columns=columns)
        return encode_jpeg(sheet, 88)


def _both(judged_frame: JudgedFrame, caption: str = "") -> Image:
    """A picture with the result filled, and the truth as lines."""
    truth = judged_frame.truth
    labels: NDArray[Any] = np.zeros_like(judged_frame.labels)
    if truth is not None and not isinstance(truth, BoxTruth):
        labels = truth.labels
    picture = draw_result(judged_frame.frame.image, judged_frame.labels, labels, caption)
    return _with_boxes(picture, truth, judged_frame.frame.hw)


def _found(judged_frame: JudgedFrame) -> Image:
    return draw_result(
        judged_frame.frame.image, judged_frame.labels, np.zeros_like(judged_frame.labels)
    )


def _truth(judged_frame: JudgedFrame) -> Image:
    truth, image = judged_frame.truth, judged_frame.frame.image
    if truth is None:
        return thumbnail(image, width=320)
    nothing = np.zeros_like(judged_frame.labels)
    if isinstance(truth, BoxTruth):
        return _with_boxes(draw_result(image, nothing, nothing), truth, judged_frame.frame.hw)
    return draw_result(image, truth.labels, nothing)


def _with_boxes(picture: Image, truth: FrameTruth | None, hw: tuple[int, int]) -> Image:
    boxes: Mapping[int, tuple[float, ...]] = truth.boxes if isinstance(truth, BoxTruth) else {}
    scale = picture.shape[1] / hw[1]
    for object_id, box in boxes.items():
        x0, y0, x1, y1 = (round(scale * value) for value in box)
        cv2.rectangle(picture, (x0, y0), (x1, y1), _WHITE, 3, cv2.LINE_AA)
        cv2.rectangle(picture, (x0, y0), (x1, y1), object_colour(object_id), 1, cv2.LINE_AA)
    return picture

"""Writing H.264 video files that browsers can play, frame by frame.

Letters: H, W height and width of a frame in pixels.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.media.files import Closing, writing

_CODEC: Final = "libx264"
_TICKS = 90_000  # ticks per second; fine enough for any frame rate and for real stamps
_LARGEST_SIDE = 4096
"""Maximum side in pixels that browsers can play; larger frames are reduced."""
_BT709 = 1  # primaries and transfer, as numbers of H.273


class VideoWriter(Closing):
    """Writes one video; a context manager.

    The file is named `<name>.part` until it is finished. Leaving the `with` block always finishes
    it, so that an interrupted run has a video of all frames so far. Without frames there is no
    file.

    Args:
        path: the file, ending in .mp4.
        fps: frames per second for frames without a time.
        quality: x264's constant rate factor, 0 (lossless) to 51.

    Attributes:
        frames: number of frames written so far.
        note: a message about anything unusual, or empty.

    Raises:
        SourceError: the file cannot be written, or this PyAV has no H.264 encoder.
    """

    def __init__(self, path: Path, fps: float, *, quality: int = 20) -> None:
        self.path = path
        self.frames = 0
        self.note = ""
        self._part = path.with_name(path.name + ".part")
        self._step = max(1, round(_TICKS / fps))
        self._quality = quality
        self._last_tick = -self._step
        self._open_file: tuple[OutputContainer, VideoStream] | None = None

    def write(self, image: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Append a frame.

        The first frame determines the size; others are scaled to it. Odd sizes are extended by a
        repeated column or row, because H.264 for browsers requires even ones.

        Args:
            image: (H, W, 3) uint8 RGB.
            time_s: display time, from 0; None for one frame interval after the previous frame.
        """
        if self._open_file is None:
            self._open_file = self._open(image.shape[0], image.shape[1])
        container, stream = self._open_file
        tick = self._last_tick + self._step if time_s is None else round(time_s * _TICKS)
        self._last_tick = max(0, tick, self._last_tick + 1)
        frame = av.VideoFrame.from_ndarray(_fit(image, stream.height, stream.width))
        frame = frame.reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        frame.time_base = Fraction(1, _TICKS)
        frame.pts = self._last_tick
        with contextlib.suppress(AttributeError):  # PyAV 12 frames have none
            frame.duration = self._step
        with writing(self.path):
            container.mux(stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Finish and rename the file; nothing more can be written."""
        finished, self._open_file = self._open_file, None
        if finished is None:
            return
        container, stream = finished
        with writing(self.path):
            try:
                container.mux(stream.encode(None))
                container.close()
                self._part.replace(self.path)
            except OSError:
                self._part.unlink(missing_ok=True)
                raise

    def _open(self, height: int, width: int) -> tuple[OutputContainer, VideoStream]:
        try:
            av.codec.Codec(_CODEC, "w")
        except av.codec.codec.UnknownCodecError:
            raise SourceError(
                f"cannot write {self.path}: this PyAV has no {_CODEC} encoder, expected one "
                "with H.264: pip install --force-reinstall av, or omit the overlay video"
            ) from None
        with writing(self.path):
            container = av.open(
                str(self._part.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
            )
            stream = container.add_stream(_CODEC, rate=Fraction(_TICKS, self._step))
            scale = min(1.0, _LARGEST_SIDE / max(width, height))
            if scale < 1:
                width, height = max(1, int(width * scale)), max(1, int(height * scale))
                self.note = f"{self.path} is reduced to {width} x {height} pixels"
            stream.width, stream.height = width + width % 2, height + height % 2
            stream.pix_fmt = "yuv420p"
            context = stream.codec_context
            context.time_base = Fraction(1, _TICKS)
            context.options = {"crf": str(self._quality), "preset": "veryfast"}
            context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
            context.color_primaries = context.color_trc = _BT709
            container.start_encoding()  # writes the header, so that a bad path fails now
        return container, stream


def _fit(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Scale a picture of another size, and repeat the last row or column of an odd size."""
    bottom, right = height - image.shape[0], width - image.shape[1]
    if 0 <= bottom <= 1 and 0 <= right <= 1:
        if bottom or right:
            image = np.pad(image, ((0, bottom), (0, right), (0, 0)), mode="edge")
        return np.ascontiguousarray(image)
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    resized = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    framed = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    framed[top : top + inner[1], left : left + inner[0]] = resized
    return framed

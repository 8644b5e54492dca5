"""Decoding packets of H.264, H.265 and other videos, one per message, with PyAV.

The format is that of foxglove_msgs/CompressedVideo and ffmpeg_image_transport_msgs/FFMPEGPacket:
Annex B, one packet per frame. A recording may start anywhere; no frame can be decoded before the
first key frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import av
import numpy as np
from av.error import FFmpegError

from etam_ros.errors import ImageError
from etam_ros.media.files import Closing
from etam_ros.media.image_encodings import check_pixels, quoted
from etam_ros.records import Frame

_CODECS: Final = {
    "h264": "h264", "avc": "h264", "avc1": "h264", "h265": "hevc", "hevc": "hevc", "av1": "av1",
    "vp8": "vp8", "vp9": "vp9", "mpeg4": "mpeg4", "mjpeg": "mjpeg",
}  # fmt: skip
"""From a codec's name in messages to its name in FFmpeg."""
_MOST_PENDING: Final = 64
"""Number of packets without a picture that are stored; no decoder delays so many."""
_LEFT_WITHOUT_KEY_FRAME: Final = ("h264", "hevc")


@dataclass(frozen=True)
class VideoPacket:
    """One packet of a video.

    Attributes:
        data: of one frame.
        coding: the codec as named in the message: h264, possibly with more after a semicolon.
        stamp_ns: of the frame, in nanoseconds.
        frame_id: coordinate frame of the camera.
        is_key: it can be decoded without earlier packets; None if the message does not tell.
    """

    data: bytes = field(repr=False)
    coding: str
    stamp_ns: int
    frame_id: str = ""
    is_key: bool | None = None


class PacketDecoder(Closing):
    """Decodes the packets of one topic; a context manager.

    Args:
        max_pixels: frames with more pixels are refused.

    Attributes:
        skipped: packets before the first key frame, which cannot be decoded.
        corrupt: frames that were returned although earlier packets were missing or damaged.
    """

    def __init__(self, max_pixels: int) -> None:
        self.skipped = 0
        self.corrupt = 0
        self._max_pixels = max_pixels
        self._codec: Any = None
        self._name = ""
        self._number = 0
        self._pending: dict[int, VideoPacket] = {}
        self._ready = False  # a key frame came

    def decode(self, packet: VideoPacket) -> list[Frame]:
        """The frames that are complete after this packet: none, this one, or an earlier one.

        Raises:
            ImageError: it cannot be decoded.
        """
        if not self._ready and packet.is_key is False:
            self.skipped += 1
            return []
        self._use(packet.coding)
        coded = av.Packet(packet.data)
        coded.pts = coded.dts = self._number
        self._pending[self._number] = packet
        self._number += 1
        if len(self._pending) > _MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        try:
            pictures = self._codec.decode(coded) if packet.data else []
        except FFmpegError as error:
            self._pending.pop(self._number - 1, None)
            if not self._ready:
                self.skipped += 1
                return []
            raise ImageError(
                f"a packet of {len(packet.data)} bytes is no frame of {self._name} "
                f"({error.strerror}), expected complete packets in Annex B"
            ) from error
        return self._frames(pictures)

    def flush(self) -> list[Frame]:
        """The frames that the decoder still holds; it is reset afterwards."""
        if self._codec is None:
            return []
        try:
            pictures = self._codec.decode(None)
        except FFmpegError as error:
            raise ImageError(f"{self._name} ends in an incomplete frame") from error
        frames = self._frames(pictures)
        self.skipped += 0 if self._ready else len(self._pending)
        self._codec = None
        return frames

    def wait_for_key_frame(self) -> None:
        """Return no frames until a packet arrives that does not need earlier ones."""
        self._codec, self._ready = None, False
        self._pending.clear()

    def close(self) -> None:
        self._codec = None

    def _use(self, coding: str) -> None:
        name = _CODECS.get(coding.partition(";")[0].strip().lower())
        if name is None:
            raise ImageError(
                f"a video has format {quoted(coding)}, expected one of {', '.join(_CODECS)}"
            )
        if self._codec is not None and name == self._name:
            return
        try:
            self._codec = av.CodecContext.create(name, "r")
        except FFmpegError:
            raise ImageError(f"this PyAV cannot decode {name}: pip install -U av") from None
        self._codec.options = {"max_pixels": str(self._max_pixels)}  # before it takes memory
        self._codec.thread_type = "SLICE"  # frame threads would delay frames
        self._name, self._ready = name, False

    def _frames(self, pictures: Any) -> list[Frame]:
        frames = []
        for picture in pictures:
            packet = self._pending.pop(picture.pts, None)
            # Without a key frame, H.264 gives grey pictures with only the moving parts.
            key = bool(picture.key_frame) or self._name not in _LEFT_WITHOUT_KEY_FRAME
            passed = [each for each in self._pending if each < (picture.pts or 0)]
            self.skipped += 0 if self._ready else len(passed) + (not key)
            for number in passed:
                del self._pending[number]
            self._ready = self._ready or key
            if packet is None or not self._ready:
                continue
            self.corrupt += bool(picture.is_corrupt)
            check_pixels(picture.width, picture.height, self._max_pixels)
            image = np.ascontiguousarray(picture.to_ndarray(format="rgb24"))
            frames.append(Frame(image, packet.stamp_ns, packet.frame_id))
        return frames

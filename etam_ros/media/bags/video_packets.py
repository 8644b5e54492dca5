"""Packets of H.264, H.265 and other videos, each in a message of its own, through PyAV.

As foxglove_msgs/CompressedVideo and ffmpeg_image_transport_msgs/FFMPEGPacket carry them: Annex B,
one packet a frame. A recording may begin anywhere: until the first key frame nothing can be shown.
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
"""What messages call a codec -> what FFmpeg calls it."""
_MOST_PENDING: Final = 64
"""Packets without a picture that are remembered; no decoder keeps back so many."""
_LEFT_WITHOUT_KEY_FRAME: Final = ("h264", "hevc")


@dataclass(frozen=True)
class VideoPacket:
    """One packet of a video.

    Attributes:
        data: of one frame.
        coding: the codec, as the message says it: h264, or with more behind a semicolon.
        stamp_ns: of the frame, in nanoseconds.
        frame_id: coordinate frame of the camera.
        is_key: it can be decoded without those before; None where the message does not say.
    """

    data: bytes = field(repr=False)
    coding: str
    stamp_ns: int
    frame_id: str = ""
    is_key: bool | None = None


class PacketDecoder(Closing):
    """Decodes the packets of one topic; a context manager.

    Args:
        max_pixels: width x height above this is refused.

    Attributes:
        skipped: packets before the first key frame, which nobody can decode.
        corrupt: frames that were shown though packets before them were missing or damaged.
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
        """The frames that can be shown after this packet: none, one, or one that came before.

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
        """The frames that the decoder kept back; it starts anew after this."""
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
        """Show nothing more until a packet comes that needs none of those before."""
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
        self._codec.thread_type = "SLICE"  # threads over frames would keep frames back
        self._name, self._ready = name, False

    def _frames(self, pictures: Any) -> list[Frame]:
        frames = []
        for picture in pictures:
            packet = self._pending.pop(picture.pts, None)
            # Without a key frame H.264 shows grey, with what moved painted over it.
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

"""Video files as sources of frames, through PyAV."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from etam_ros.errors import CutSourceError, SourceError
from etam_ros.media.frame_source import DEFAULT_FPS, FrameSource
from etam_ros.records import Frame

EXPECTED: Final = "a video file, a folder of images, a bag, or the index of a camera"
_NS_PER_S: Final = 1_000_000_000
_FASTEST_FPS: Final = 1_000_000
_PROBED: Final = 200
"""Number of packets that distinguish a film from a cover picture."""
_TS_PACKETS: Final = {"mpegts": (188, 192, 204)}
_MATRICES: Final = {
    1: Colorspace.ITU709, 5: Colorspace.ITU601, 6: Colorspace.ITU601, 7: Colorspace.SMPTE240M,
}  # fmt: skip
"""PyAV's names of the matrices of H.273; FFmpeg treats untagged video as BT.601."""
_HDR: Final = {16: "PQ", 18: "HLG"}
"""Transfer functions whose brightness is not that of a screen, as numbers of H.273."""


class VideoSource(FrameSource):
    """A video file, turned upright by its metadata. Stamps count from its first frame.

    Frame k is the k-th decoded one, regardless of its time. A file that ends too early gives its
    frames, and then raises CutSourceError.
    """

    def __init__(self, path: Path, fps: float | None) -> None:
        self._path = path
        notes = []
        try:
            with _opened(path) as container:
                stream = _film(container, path)
                self._stream = stream.index
                rates = (stream.average_rate, stream.guessed_rate)  # any value if damaged
                rate = next((each for each in rates if each and 0 < each <= _FASTEST_FPS), None)
                count = stream.frames or None
                notes = list(_oddities(stream, path))
        except (FFmpegError, OSError) as error:
            raise SourceError(
                f"{path} cannot be opened ({reason_of(error)}), expected {EXPECTED}"
            ) from error
        super().__init__(path.name, float(fps or rate or DEFAULT_FPS), count)
        self.notes = notes

    def _read(self) -> Generator[Frame, None, None]:
        number, first_pts, stamp_ns = 0, None, -1
        period_ns = longest_ns = round(_NS_PER_S / self.fps)
        with _opened(self._path) as container:
            stream = container.streams[self._stream]
            stream.thread_type = "AUTO"
            seen = _Seen(container, self._path)
            try:
                for picture in seen.decode(stream):
                    first_pts = picture.pts if first_pts is None else first_pts
                    earliest_ns, stamp_ns = stamp_ns, number * period_ns
                    if picture.pts is not None and picture.time_base is not None:
                        stamp_ns = round((picture.pts - first_pts) * picture.time_base * _NS_PER_S)
                    if stamp_ns <= earliest_ns:  # some files repeat a time
                        stamp_ns = earliest_ns + period_ns
                    if number:
                        longest_ns = max(longest_ns, stamp_ns - earliest_ns)
                    yield Frame(_upright(picture), stamp_ns)
                    number += 1
            except (FFmpegError, OSError) as error:
                raise self._broken(number, reason_of(error)) from error
            missing = seen.missing(longest_ns / _NS_PER_S)
        if missing:
            raise self._broken(number, missing)
        if not number:
            raise SourceError(f"video {self._path} has no frames, expected at least one")

    def _broken(self, number: int, why: str) -> SourceError:
        words = (
            f"video {self._path} cannot be decoded behind frame {number} ({why}), "
            "expected a whole file: repair it, or cut it there"
        )
        return CutSourceError(words) if number else SourceError(words)


class _Seen:
    """Compares the frames read from a container with its header."""

    def __init__(self, container: Any, path: Path) -> None:
        self._container, self._path = container, path
        self._end_s = 0.0
        self._packets = 0
        self._last_is_damaged = False
        self._announced = 0

    def decode(self, stream: Any) -> Iterator[Any]:
        """Pictures of a stream. Raises FFmpegError."""
        self._announced = stream.frames
        for packet in self._demuxed():
            if packet.size and packet.pts is not None and packet.time_base is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._end_s = max(self._end_s, float(end))
            if packet.stream.index == stream.index:
                self._packets += 1 if packet.size else 0
                self._last_is_damaged = packet.is_corrupt if packet.size else self._last_is_damaged
                yield from packet.decode()

    def _demuxed(self) -> Iterator[Any]:
        try:
            yield from self._container.demux()
        except IndexError:  # PyAV only knows the streams at the beginning
            raise av.error.InvalidDataError(
                errno.EINVAL, "a stream turns up that was not there at its beginning"
            ) from None

    def missing(self, longest_s: float) -> str:
        """A message about missing frames compared with the header; empty if there are none.

        Args:
            longest_s: longest display time of a frame, which the last one may have, too.
        """
        container, name = self._container, self._container.format.name
        told_s = (container.duration or 0) / av.time_base
        slack_s = 0.9 * longest_s
        if "mp4" in name:  # with edits and fragments, the header may claim too much
            slack_s = max(slack_s, 0.02 * told_s)
        if ("mp4" in name or "matroska" in name) and self._end_s < told_s - slack_s:
            return f"it ends after {self._end_s:.2f} s, and says that it lasts {told_s:.2f} s"
        if name == "avi" and self._packets < self._announced:
            return f"it holds {self._packets} frames, and says that there are {self._announced}"
        sizes = _TS_PACKETS.get(name, ())
        if sizes and all(self._path.stat().st_size % size for size in sizes):
            return "its last packet is cut off"
        return "its last packet is damaged" if self._last_is_damaged else ""


def _opened(path: Path) -> Any:
    # An absolute path, because FFmpeg treats the text before the first colon as a protocol.
    # Playlists name other files; none of them is fetched from elsewhere.
    local = {"protocol_whitelist": "file"}
    return av.open(str(path.absolute()), options=local, metadata_errors="replace")


def _film(container: Any, path: Path) -> Any:
    """The first stream that is a film rather than a cover picture."""
    streams = list(container.streams.video)
    if not streams:
        raise SourceError(f"{path} has no pictures in it, expected {EXPECTED}")
    usable = [stream for stream in streams if stream.codec_context is not None]
    if not usable:  # decoding would terminate the process
        raise SourceError(
            f"video {path} is in a codec that PyAV cannot decode, or damaged, expected H.264 or "
            "another common one: convert it"
        )
    if len(usable) > 1:
        counts = Counter(
            packet.stream.index
            for packet in islice(container.demux(*usable), _PROBED)
            if packet.size
        )
        films = [stream for stream in usable if counts[stream.index] > 1]
        return (films or usable)[0]
    return usable[0]


def _oddities(stream: Any, path: Path) -> Iterator[str]:
    """Notes for users about unusual properties of the video."""
    ratio = stream.sample_aspect_ratio
    if ratio and ratio != 1:
        yield (
            f"the pixels of {path} are not square ({ratio.numerator}:{ratio.denominator}): it is "
            "taken as it is stored, and prompts and results are in stored pixels"
        )
    transfer = _HDR.get(int(getattr(stream.codec_context, "color_trc", 0) or 0))
    if transfer:
        yield (
            f"{path} is HDR ({transfer}), which is taken without tone mapping: convert it to SDR "
            "for colours as on a screen"
        )


def _upright(picture: Any) -> NDArray[np.uint8]:
    """RGB of a decoded picture, with its own matrix, and rotated as specified in the file."""
    matrix = _MATRICES.get(int(picture.colorspace))
    named = {} if matrix is None else {"src_colorspace": matrix}
    image: NDArray[np.uint8] = picture.reformat(format="rgb24", **named).to_ndarray()
    quarters = round(picture.rotation / 90) % 4  # counter-clockwise, as numpy's
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def reason_of(error: Exception) -> str:
    """The reason why a file cannot be read, for messages."""
    return str(getattr(error, "strerror", None) or error)

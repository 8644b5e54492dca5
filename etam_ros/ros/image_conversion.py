"""Between sensor_msgs images and RGB arrays.

cv_bridge converts where it is installed and has the encoding; otherwise our own converter does
(`media/image_decoding.py`), by the same OpenCV calls, so that both give the same pixels.

Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.errors import ImageError
from etam_ros.media.image_decoding import (
    DEEPEST,
    Remark,
    convert_raw,
    decode_compressed,
    ignore,
    raw_samples,
    remark_on_darkness,
)
from etam_ros.media.image_encodings import Layout, checked_layout, quoted

_ADVICE: Final = "set images.bits to what the camera has, 12 for instance"
_HEARING: Final = threading.Lock()
_OF_LIBJPEG: Final = ("Corrupt JPEG data", "Premature end of JPEG file")
_HARMLESS: Final = ("Invalid SOS parameters", "Unknown Adobe color transform")
_STRAY_BYTES: Final = re.compile(r"(\d+) extraneous bytes")
_HARMLESS_BYTES: Final = 16
"""Some cameras fill up their files by a few bytes; what is torn has more of them."""
_LARGEST_JPEG: Final = 65500  # of libjpeg; the format has room for 65535
_PUBLISHED: Final = {"rgb8": (3, np.uint8), "mono8": (1, np.uint8), "16UC1": (1, np.uint16)}


def image_from_message(
    message: Image,
    *,
    max_pixels: int,
    bits: int = DEEPEST,
    use_cv_bridge: bool = True,
    remark: Remark = ignore,
) -> NDArray[np.uint8]:
    """Read a raw image message.

    Args:
        message: sensor_msgs/Image in one of `image_encodings.ENCODINGS`.
        max_pixels: width x height above this is refused.
        bits: that samples of two bytes fill, 9..16; 2**bits - 1 becomes 255.
        use_cv_bridge: let cv_bridge convert where it can; the pixels are the same without it.
        remark: told in words what is odd about a picture that could be read.

    Returns:
        (H, W, 3) uint8, RGB. For rgb8 a view of the message's data, rows padded as there.

    Raises:
        ImageError: the message cannot be what it says, or is of no use as a picture.
    """
    layout = checked_layout(message, max_pixels)
    if layout.depth == 2:
        samples = raw_samples(message, layout)
        remark_on_darkness(
            message.encoding, samples, lambda words: remark(f"{words}: {_ADVICE}"), bits
        )
    if use_cv_bridge and layout.in_cv_bridge and (layout.depth == 1 or bits == DEEPEST):
        converted = _through_cv_bridge(message, layout)
        if converted is not None:
            return converted
    return convert_raw(message, layout, bits=bits)


def image_from_compressed(
    message: CompressedImage,
    *,
    max_pixels: int,
    bits: int = DEEPEST,
    remark: Remark = ignore,
) -> NDArray[np.uint8]:
    """Read a compressed image message; what is not told here is as for `decode_compressed`.

    A JPEG whose data does not fit together, such as half a picture with the end of an older one,
    is refused: libjpeg itself only mutters and makes something of it. Halves whose codes happen to
    fit, to the last byte, are a JPEG like any other, and nobody can know.

    Args:
        message: sensor_msgs/CompressedImage.
        max_pixels, bits: as for `decode_compressed`.
        remark: told in words what libjpeg has against a picture that is whole, and where samples
            leave many bits unused.
    """
    dark: list[str] = []
    with _heard() as said:  # remarks come later: nobody else's code runs under its lock
        picture = decode_compressed(message, max_pixels=max_pixels, bits=bits, remark=dark.append)
    for words in dark:
        remark(f"{words}: {_ADVICE}")
    for line in said:
        stray = _STRAY_BYTES.search(line)
        if line.startswith(_OF_LIBJPEG) and not (stray and int(stray[1]) <= _HARMLESS_BYTES):
            raise ImageError(
                f"jpeg image of {len(message.data)} bytes is damaged ({line:.80}), expected the "
                "data of one image: check the camera driver and the network"
            )
        remark(f"of a jpeg image libjpeg says: {line:.200}")
    return picture


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what a library in C writes to stderr meanwhile, which nobody can switch off.

    Lines that others write at that moment come out a moment later.
    """
    said: list[str] = []
    with _HEARING, tempfile.TemporaryFile() as heard:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(heard.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(stderr, 2)
            heard.seek(0)
            for line in heard.read().splitlines(keepends=True):
                text = line.decode(errors="replace").strip()
                if text.startswith((*_OF_LIBJPEG, *_HARMLESS)):
                    said.append(text)
                else:
                    os.write(stderr, line)
            os.close(stderr)


def take_plain_data(message: Image | CompressedImage) -> None:
    """Let the bytes of a message lie in this machine's memory, wherever they are.

    From Lyrical on `data` may be a `rosidl_buffer.Buffer`, of a GPU for instance, which copies its
    bytes when asked and is no memory to look at. Subscriptions that do not ask for other kinds of
    memory, as ours do not, are given arrays.

    Args:
        message: is changed where its data is something else than bytes.

    Raises:
        ImageError: nobody can say what its bytes are.
    """
    data = message.data
    with suppress(TypeError):
        memoryview(data)
        return
    try:
        plain = array("B")
        plain.frombytes(data.to_bytes() if hasattr(data, "to_bytes") else data.tobytes())
    except Exception as error:
        kind = getattr(data, "backend_type", type(data).__name__)
        reason = " ".join(str(error).split())
        raise ImageError(
            f"image has its data in {quoted(str(kind))}, which cannot be read as bytes "
            f"({reason:.200}), expected an array of bytes: let the camera publish from ordinary "
            "memory"
        ) from error
    message.data = plain


def image_message(pixels: NDArray[Any], encoding: str, header: Header) -> Image:
    """Make a raw image message, its rows without padding.

    Args:
        pixels: (H, W, 3) uint8 for "rgb8", (H, W) uint8 for "mono8", (H, W) uint16 for "16UC1".
        encoding: one of these three.
        header: becomes the message's header.

    Raises:
        ImageError: shape, dtype and encoding do not belong together.
    """
    channels, dtype = _PUBLISHED.get(encoding, (0, np.uint8))
    shape = pixels.shape[:2] if channels == 1 else (*pixels.shape[:2], channels)
    if not channels or pixels.dtype != dtype or pixels.shape != shape or pixels.ndim < 2:
        raise ImageError(
            f"picture of shape {tuple(pixels.shape)} and {pixels.dtype} cannot be published as "
            f"{quoted(encoding)}, expected (H, W, 3) uint8 as rgb8, (H, W) uint8 as mono8, or "
            "(H, W) uint16 as 16UC1"
        )
    message = Image(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=pixels.shape[1] * channels * pixels.dtype.itemsize,
    )
    # Not by the setter, which copies once more: an array in one go, anything else byte by byte.
    message.data.frombytes(np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data)
    return message


class ReusedImageMessage:
    """One message for one topic: fresh memory for each picture would cost more than its copy.

    What `filled` gives is overwritten by its next call; publishing serialises it before that.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._message = Image()
        self._pixels: NDArray[Any] = np.zeros((0, 0), np.uint8)  # a view of the message's data

    def filled(self, pixels: NDArray[Any], header: Header) -> Image:
        """The message of a picture; arguments and errors as for `image_message`."""
        if self._pixels.shape != pixels.shape or self._pixels.dtype != pixels.dtype:
            self._message = image_message(pixels, self._encoding, header)
            self._pixels = np.frombuffer(self._message.data, pixels.dtype).reshape(pixels.shape)
        else:
            np.copyto(self._pixels, pixels)
            self._message.header = header
        return self._message


def compressed_message(
    pixels: NDArray[np.uint8], header: Header, *, jpeg_quality: int
) -> CompressedImage:
    """Make a JPEG message, its format spelt as image_transport does.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        header: becomes the message's header.
        jpeg_quality: 1..100.

    Raises:
        ImageError: it is of another shape or dtype, or has a side of more than 65500 pixels.
    """
    shape = pixels.shape
    right = len(shape) == 3 and shape[2] == 3 and pixels.dtype == np.uint8
    if not right or not 0 < min(shape) <= max(shape) <= _LARGEST_JPEG:
        raise ImageError(
            f"picture of shape {tuple(shape)} and {pixels.dtype} cannot be encoded as JPEG, "
            f"expected (H, W, 3) uint8 of up to {_LARGEST_JPEG} pixels a side"
        )
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    data = array("B")
    data.frombytes(encoded.data)
    return CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=data)


@lru_cache(maxsize=1)
def _cv_bridge() -> Any | None:
    """A CvBridge, or None where there is none that works.

    The part in C++ is imported here on purpose: it is what fails when it was built for another
    NumPy, and cv_bridge itself would only notice with the first picture.
    """
    try:
        from cv_bridge import CvBridge
        from cv_bridge.boost import cv_bridge_boost  # noqa: F401

        return CvBridge()
    except Exception:
        return None


def _through_cv_bridge(message: Image, layout: Layout) -> NDArray[np.uint8] | None:
    """Convert by cv_bridge, or None where it is missing or would get this message wrong.

    Its Python half drops the rest of a row that is no whole number of pixels, and swaps bytes by
    a method that NumPy 2 no longer has.
    """
    bridge = _cv_bridge()
    if bridge is None or message.is_bigendian or message.step % (layout.channels * layout.depth):
        return None
    try:
        converted: NDArray[np.uint8] = bridge.imgmsg_to_cv2(message, desired_encoding="rgb8")
    except Exception:
        return None
    return converted

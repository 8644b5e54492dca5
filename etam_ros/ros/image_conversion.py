"""Between sensor_msgs images and RGB arrays.

cv_bridge converts where it is installed and has the encoding; otherwise our own converter does,
by the same OpenCV calls, so that both give the same pixels. Every message is checked first:
whatever its bytes and fields are, it becomes a picture or an ImageError of one line.

Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

import sys
from array import array
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.errors import ImageError
from etam_ros.media.image_header import read_header
from etam_ros.ros.image_encodings import (
    LAYOUTS,
    NV24,
    Layout,
    check_pixels,
    checked_layout,
    quoted,
)

_TO_8_BIT: Final = 255.0 / 65535.0
_LARGEST_JPEG: Final = 65500  # of libjpeg; the format has room for 65535
_PUBLISHED: Final = {"rgb8": (3, np.uint8), "mono8": (1, np.uint8), "16UC1": (1, np.uint16)}


def image_from_message(
    message: Image, *, max_pixels: int, use_cv_bridge: bool = True
) -> NDArray[np.uint8]:
    """Read a raw image message.

    Args:
        message: sensor_msgs/Image in one of `image_encodings.ENCODINGS`; 16 bits are scaled to 8
            by 255/65535.
        max_pixels: width x height above this is refused.
        use_cv_bridge: let cv_bridge convert where it can; the pixels are the same without it.

    Returns:
        (H, W, 3) uint8, RGB. For rgb8 a view of the message's data, rows padded as there.

    Raises:
        ImageError: the message cannot be what it says, or is of no use as a picture.
    """
    layout = checked_layout(message, max_pixels)
    if use_cv_bridge and layout.in_cv_bridge:
        converted = _through_cv_bridge(message, layout)
        if converted is not None:
            return converted
    if message.encoding == NV24:
        return _from_nv24(message)
    return _to_rgb(_samples(message, layout), layout.code)


def image_from_compressed(message: CompressedImage, *, max_pixels: int) -> NDArray[np.uint8]:
    """Read a compressed image message.

    Args:
        message: sensor_msgs/CompressedImage, JPEG or PNG; 16 bits are scaled to 8 by 255/65535.
            Its bytes decide what it is, whatever `format` says.
        max_pixels: width x height above this is refused, before anything is decoded.

    Returns:
        (H, W, 3) uint8, RGB, as the file has it: EXIF orientation is left alone.

    Raises:
        ImageError: it is no JPEG or PNG, damaged, too large, or depth.
    """
    if "compressedDepth" in message.format:
        raise ImageError(
            f"compressed image has format {quoted(message.format)}, expected a colour or grey "
            "picture: subscribe to the camera's colour topic, not to depth"
        )
    data = bytes(message.data)
    header = read_header(data)
    check_pixels(header.width, header.height, max_pixels)
    # Unlike cv_bridge's Python half, which reads every file as three channels, take what it has.
    decoded = _decoded(data)
    if decoded is None or decoded.shape[:2] != (header.height, header.width):
        raise ImageError(
            f"{header.kind} image of {len(data)} bytes, {header.width}x{header.height} pixels, "
            "cannot be decoded, expected a whole file: it was damaged on its way"
        )
    channels = 1 if decoded.ndim == 2 else decoded.shape[2]
    encoding = {1: "mono8", 3: "bgr8", 4: "bgra8"}.get(channels)
    if encoding is None or decoded.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{header.kind} image has {channels} channels of {decoded.dtype}, expected "
            "1, 3 or 4 of 8 or 16 bits: convert it to 8-bit colour"
        )
    raw_encoding = message.format.partition(";")[0].strip()
    if header.kind == "png" and channels == 1 and raw_encoding.startswith("bayer_"):
        encoding = raw_encoding if raw_encoding in LAYOUTS else encoding  # kept as the mosaic
    return _to_rgb(decoded, LAYOUTS[encoding].code)


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
            f"picture of shape {tuple(shape)} and {pixels.dtype} cannot become a JPEG, "
            f"expected (H, W, 3) uint8 of up to {_LARGEST_JPEG} pixels a side"
        )
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    data = array("B")
    data.frombytes(encoded.data)
    return CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=data)


def _samples(message: Image, layout: Layout) -> NDArray[Any]:
    """The message's samples, (rows, W) or (rows, W, channels), in this machine's byte order.

    A view of the message's data, unless OpenCV could not read it in place.
    """
    order = ">" if message.is_bigendian else "<"
    dtype = np.dtype(np.uint8 if layout.depth == 1 else f"{order}u2")
    pixel = (layout.channels,) if layout.channels > 1 else ()
    samples: NDArray[Any] = np.ndarray(
        shape=(message.height * layout.rows // 2, message.width, *pixel),
        dtype=dtype,
        buffer=message.data,
        strides=(message.step, layout.channels * layout.depth, layout.depth)[: 2 + len(pixel)],
    )
    if dtype.isnative and samples.flags.aligned:
        return samples
    return samples.astype(dtype.newbyteorder("="))


def _to_rgb(samples: NDArray[Any], code: int | None) -> NDArray[np.uint8]:
    """Colours first and depth second, as cv_bridge does: a mosaic is filled in at full depth."""
    converted: NDArray[Any] = samples if code is None else cv2.cvtColor(samples, code)
    if converted.dtype == np.uint16:
        converted = cv2.convertScaleAbs(converted, alpha=_TO_8_BIT)
    return converted


def _from_nv24(message: Image) -> NDArray[np.uint8]:
    """Convert full-size chroma, for which OpenCV has nothing.

    Each pixel becomes a pair of YUYV, which holds one chroma for two equal pixels; every second
    pixel of the outcome is dropped again.
    """
    height, width, step = message.height, message.width, message.step
    luma: NDArray[np.uint8] = np.ndarray((height, width), np.uint8, message.data, 0, (step, 1))
    chroma: NDArray[np.uint8] = np.ndarray(
        (height, 2 * width), np.uint8, message.data, height * step, (2 * step, 1)
    )
    twice = cv2.resize(luma, (2 * width, height), interpolation=cv2.INTER_NEAREST)
    doubled = cv2.cvtColor(cv2.merge([twice, chroma]), cv2.COLOR_YUV2RGB_YUY2)
    rgb: NDArray[Any] = cv2.resize(doubled, (width, height), interpolation=cv2.INTER_NEAREST)
    return rgb


def _decoded(data: bytes) -> NDArray[Any] | None:
    # A damaged picture is told about by our caller, once; OpenCV would add lines of its own.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


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

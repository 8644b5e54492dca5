"""Converting ROS image messages to RGB arrays with OpenCV; needs no ROS.

Every message is checked first: for any bytes and fields, the result is a picture or an ImageError
of one line.

Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ImageError
from etam_ros.media.image_encodings import (
    LAYOUTS,
    NV24,
    CompressedPicture,
    Layout,
    RawImage,
    check_pixels,
    checked_layout,
    quoted,
)
from etam_ros.media.image_header import read_header

DEEPEST: Final = 16
"""Bits of a two-byte sample, unless it is known that a camera uses fewer."""
_EVERY: Final = 8
"""One of this many pixels is examined, horizontally and vertically."""
_UNUSED_BITS: Final = 2
"""Number of unused bits from which on a picture is unusual; two bits leave a quarter of the
range."""

Remark = Callable[[str], None]
"""Called with a message about anything unusual in a readable picture."""


def ignore(_: str) -> None:
    """Ignore such messages."""


def decode_raw(
    message: RawImage, *, max_pixels: int, remark: Remark = ignore
) -> NDArray[np.uint8]:
    """Read a raw image message.

    Args:
        message: in one of `image_encodings.ENCODINGS`; 16 bits are scaled to 8 by 255/65535.
        max_pixels: images with more pixels are refused.
        remark: called with a message if samples use only a part of their range.

    Returns:
        (H, W, 3) uint8, RGB. For rgb8 it is a view of the message's data, including padding.

    Raises:
        ImageError: the message contradicts itself, or cannot be used as a picture.
    """
    layout = checked_layout(message, max_pixels)
    if layout.depth == 2:
        remark_on_darkness(message.encoding, raw_samples(message, layout), remark)
    return convert_raw(message, layout)


def convert_raw(message: RawImage, layout: Layout, *, bits: int = DEEPEST) -> NDArray[np.uint8]:
    """Convert a raw image message that was checked.

    Args:
        message: the checked message.
        layout: its layout.
        bits: number of bits used by two-byte samples, 9..16; higher values become white.
    """
    if message.encoding == NV24:
        return _from_nv24(message)
    return _to_rgb(raw_samples(message, layout), layout.code, bits)


def decode_compressed(
    message: CompressedPicture,
    *,
    max_pixels: int,
    bits: int = DEEPEST,
    remark: Remark = ignore,
) -> NDArray[np.uint8]:
    """Read a compressed image message.

    Args:
        message: sensor_msgs/CompressedImage, JPEG or PNG; 16 bits are scaled to 8 by 255/65535.
            The kind is determined from its bytes, not from `format`.
        max_pixels: images with more pixels are refused before anything is decoded.
        bits: number of bits used by two-byte samples, as for `convert_raw`.
        remark: called with a message if samples use only a part of their range.

    Returns:
        (H, W, 3) uint8, RGB, as stored in the file: EXIF orientation is not applied.

    Raises:
        ImageError: it is not a JPEG or PNG, is damaged or too large, or contains depth.
    """
    if "compressedDepth" in message.format:
        raise ImageError(
            f"compressed image has format {quoted(message.format)}, expected a colour or grey "
            "picture: subscribe to the camera's colour topic, not to depth"
        )
    data = bytes(message.data)
    header = read_header(data)
    check_pixels(header.width, header.height, max_pixels)
    # Keep the file's channels, unlike cv_bridge in Python, which reads every file as three.
    decoded = decode_quietly(data, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.shape[:2] != (header.height, header.width):
        raise ImageError(
            f"{header.kind} image of {len(data)} bytes, {header.width}x{header.height} pixels, "
            "cannot be decoded, expected a whole file: it was damaged in transfer"
        )
    channels = 1 if decoded.ndim == 2 else decoded.shape[2]
    encoding = {1: "mono8", 3: "bgr8", 4: "bgra8"}.get(channels)
    if encoding is None or decoded.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{header.kind} image has {channels} channels of {decoded.dtype}, expected "
            "1, 3 or 4 of 8 or 16 bits: convert it to 8-bit colour"
        )
    remark_on_darkness(header.kind, decoded, remark, bits)
    raw_encoding = message.format.partition(";")[0].strip()
    if header.kind == "png" and channels == 1 and raw_encoding.startswith("bayer_"):
        encoding = raw_encoding if raw_encoding in LAYOUTS else encoding  # kept as the mosaic
    return _to_rgb(decoded, LAYOUTS[encoding].code, bits)


def raw_samples(message: RawImage, layout: Layout) -> NDArray[Any]:
    """The message's samples, (rows, W) or (rows, W, channels), in this machine's byte order.

    It is a view of the message's data, unless OpenCV could not read that in place.
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


def remark_on_darkness(
    kind: str, samples: NDArray[Any], remark: Remark, bits: int = DEEPEST
) -> None:
    """Report two-byte samples with so many unused bits that the picture becomes nearly black.

    Args:
        kind: of the picture: its encoding, or the kind of file.
        samples: (H, W) or (H, W, channels).
        remark: called with the message.
        bits: number of bits of the full range.
    """
    if samples.dtype != np.uint16 or not samples.size:
        return
    used = int(samples[::_EVERY, ::_EVERY].max()).bit_length()
    if 0 < used <= bits - _UNUSED_BITS:
        remark(f"{kind} images use {used} of {bits} bits, and come out nearly black")


def _to_rgb(samples: NDArray[Any], code: int | None, bits: int) -> NDArray[np.uint8]:
    """Convert colours before depth, like cv_bridge, so that a mosaic is filled at full depth."""
    converted: NDArray[Any] = samples if code is None else cv2.cvtColor(samples, code)
    if converted.dtype == np.uint16:
        converted = cv2.convertScaleAbs(converted, alpha=255.0 / (2**bits - 1))
    return converted


def _from_nv24(message: RawImage) -> NDArray[np.uint8]:
    """Convert full-size chroma, which OpenCV does not support.

    Each pixel becomes a pair of YUYV, which has one chroma for two equal pixels; every second
    pixel of the result is removed again.
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


def decode_quietly(data: bytes, flags: int) -> NDArray[Any] | None:
    """Decode a picture file of any kind with OpenCV; None if that fails.

    The caller reports a damaged picture once; OpenCV would print lines of its own.
    """
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)

"""Pictures of ROS image messages as RGB arrays, by OpenCV alone: needs no ROS.

Every message is checked first: whatever its bytes and fields are, it becomes a picture or an
ImageError of one line.

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
"""Bits of a sample of two bytes, where nobody says that a camera fills fewer."""
_EVERY: Final = 8
"""Of so many pixels beside and below each other one is looked at."""
_UNUSED_BITS: Final = 2
"""Pictures that leave so many bits unused, a quarter of the range, are odd."""

Remark = Callable[[str], None]
"""Told in words what is odd about a picture that can be read."""


def ignore(_: str) -> None:
    """Where nobody wants to know what is odd."""


def decode_raw(
    message: RawImage, *, max_pixels: int, remark: Remark = ignore
) -> NDArray[np.uint8]:
    """Read a raw image message.

    Args:
        message: in one of `image_encodings.ENCODINGS`; 16 bits are scaled to 8 by 255/65535.
        max_pixels: width x height above this is refused.
        remark: told where samples leave many bits unused.

    Returns:
        (H, W, 3) uint8, RGB. For rgb8 a view of the message's data, rows padded as there.

    Raises:
        ImageError: the message cannot be what it says, or is of no use as a picture.
    """
    layout = checked_layout(message, max_pixels)
    if layout.depth == 2:
        remark_on_darkness(message.encoding, raw_samples(message, layout), remark)
    return convert_raw(message, layout)


def convert_raw(message: RawImage, layout: Layout, *, bits: int = DEEPEST) -> NDArray[np.uint8]:
    """The same for a message that was checked, given its layout.

    Args:
        message: that was checked.
        layout: of it.
        bits: that samples of two bytes fill, 9..16; what is above comes out white.
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
            Its bytes decide what it is, whatever `format` says.
        max_pixels: width x height above this is refused, before anything is decoded.
        bits: that samples of two bytes fill, as for `convert_raw`.
        remark: told where samples leave many bits unused.

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


def remark_on_darkness(
    kind: str, samples: NDArray[Any], remark: Remark, bits: int = DEEPEST
) -> None:
    """Say so where samples of two bytes leave so many bits unused that they come out nearly black.

    Args:
        kind: of the picture: its encoding, or the kind of file.
        samples: (H, W) or (H, W, channels).
        remark: told.
        bits: that are taken for the whole range.
    """
    if samples.dtype != np.uint16 or not samples.size:
        return
    used = int(samples[::_EVERY, ::_EVERY].max()).bit_length()
    if 0 < used <= bits - _UNUSED_BITS:
        remark(f"{kind} images use {used} of {bits} bits, and come out nearly black")


def _to_rgb(samples: NDArray[Any], code: int | None, bits: int) -> NDArray[np.uint8]:
    """Colours first and depth second, as cv_bridge does: a mosaic is filled in at full depth."""
    converted: NDArray[Any] = samples if code is None else cv2.cvtColor(samples, code)
    if converted.dtype == np.uint16:
        converted = cv2.convertScaleAbs(converted, alpha=255.0 / (2**bits - 1))
    return converted


def _from_nv24(message: RawImage) -> NDArray[np.uint8]:
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


def decode_quietly(data: bytes, flags: int) -> NDArray[Any] | None:
    """Decode a picture file of any kind by OpenCV; None where it cannot.

    A damaged picture is told about by the caller, once; OpenCV would add lines of its own.
    """
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)

"""Encodings of sensor_msgs/Image: their layout in memory, and checks of messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2

from etam_ros.errors import ImageError


class RawImage(Protocol):
    """The fields of sensor_msgs/Image, from rclpy or from a reader of bags.

    Attributes:
        data: bytes, as any object with a length and the buffer protocol.
    """

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedPicture(Protocol):
    """The fields of sensor_msgs/CompressedImage, from either."""

    format: str
    data: Any


@dataclass(frozen=True)
class Layout:
    """The layout of one encoding, and its conversion to RGB.

    Attributes:
        depth: bytes of one channel.
        channels: channels of one pixel in the rows of the message; 2 for packed YUV 4:2:2.
        code: OpenCV's conversion to RGB, or None if there is nothing to convert.
        rows: rows of data for two rows of picture; 3 for a half-size chroma plane below.
        even_width, even_height: required by chroma that two pixels share.
        smallest: smallest width and height that the conversion supports.
        in_cv_bridge: whether cv_bridge supports this encoding.
    """

    depth: int
    channels: int
    code: int | None = None
    rows: int = 2
    even_width: bool = False
    even_height: bool = False
    smallest: int = 1
    in_cv_bridge: bool = False


def _packed_yuv(code: int, *, in_cv_bridge: bool = False) -> Layout:
    return Layout(1, 2, code, even_width=True, in_cv_bridge=in_cv_bridge)


def _half_chroma(code: int) -> Layout:
    return Layout(1, 1, code, rows=3, even_width=True, even_height=True)


def _bayer(depth: int, code: int) -> Layout:
    return Layout(depth, 1, code, smallest=3, in_cv_bridge=True)


_BAYER: Final = {
    "rggb": cv2.COLOR_BayerRGGB2RGB,
    "bggr": cv2.COLOR_BayerBGGR2RGB,
    "gbrg": cv2.COLOR_BayerGBRG2RGB,
    "grbg": cv2.COLOR_BayerGRBG2RGB,
}
NV24: Final = "nv24"
LAYOUTS: Final = {
    "rgb8": Layout(1, 3),
    "bgr8": Layout(1, 3, cv2.COLOR_BGR2RGB, in_cv_bridge=True),
    "rgba8": Layout(1, 4, cv2.COLOR_RGBA2RGB, in_cv_bridge=True),
    "bgra8": Layout(1, 4, cv2.COLOR_BGRA2RGB, in_cv_bridge=True),
    "mono8": Layout(1, 1, cv2.COLOR_GRAY2RGB, in_cv_bridge=True),
    "rgb16": Layout(2, 3, in_cv_bridge=True),
    "bgr16": Layout(2, 3, cv2.COLOR_BGR2RGB, in_cv_bridge=True),
    "rgba16": Layout(2, 4, cv2.COLOR_RGBA2RGB, in_cv_bridge=True),
    "bgra16": Layout(2, 4, cv2.COLOR_BGRA2RGB, in_cv_bridge=True),
    "mono16": Layout(2, 1, cv2.COLOR_GRAY2RGB, in_cv_bridge=True),
    # cv_bridge refuses these because they have no colours; we convert them as it does for display.
    "8UC1": Layout(1, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": Layout(1, 3, cv2.COLOR_BGR2RGB),
    "8UC4": Layout(1, 4, cv2.COLOR_BGRA2RGB),
    "16UC1": Layout(2, 1, cv2.COLOR_GRAY2RGB),
    # cv_bridge only knows the deprecated names of uyvy and yuyv.
    "yuv422": _packed_yuv(cv2.COLOR_YUV2RGB_UYVY, in_cv_bridge=True),
    "yuv422_yuy2": _packed_yuv(cv2.COLOR_YUV2RGB_YUY2, in_cv_bridge=True),
    "uyvy": _packed_yuv(cv2.COLOR_YUV2RGB_UYVY),
    "yuyv": _packed_yuv(cv2.COLOR_YUV2RGB_YUY2),
    "nv12": _half_chroma(cv2.COLOR_YUV2RGB_NV12),
    "nv21": _half_chroma(cv2.COLOR_YUV2RGB_NV21),
    NV24: Layout(1, 1, cv2.COLOR_YUV2RGB_YUY2, rows=6),
    **{f"bayer_{pattern}8": _bayer(1, code) for pattern, code in _BAYER.items()},
    **{f"bayer_{pattern}16": _bayer(2, code) for pattern, code in _BAYER.items()},
}
ENCODINGS: Final = tuple(LAYOUTS)
"""Supported encodings of sensor_msgs/Image."""


def checked_layout(message: RawImage, max_pixels: int) -> Layout:
    """The layout of a message, after a check that it is complete.

    Raises:
        ImageError: its encoding is unknown, its size is impossible, or bytes are missing.
    """
    encoding, width, height = message.encoding, message.width, message.height
    layout = LAYOUTS.get(encoding)
    if layout is None:
        raise ImageError(
            f"image has encoding {quoted(encoding)}, expected one of {', '.join(ENCODINGS)}: "
            "set a different one in the camera driver"
        )
    if min(width, height) < layout.smallest:
        raise ImageError(
            f"{encoding} image is {width}x{height} pixels, expected at least "
            f"{layout.smallest}x{layout.smallest}: check the camera driver"
        )
    check_pixels(width, height, max_pixels)
    if (layout.even_width and width % 2) or (layout.even_height and height % 2):
        even = "width and height" if layout.even_height else "width"
        raise ImageError(
            f"{encoding} image is {width}x{height} pixels, expected an even {even}, because "
            "neighbouring pixels share their colour: crop it or choose another encoding"
        )
    row_bytes = width * layout.channels * layout.depth
    if message.step < row_bytes:
        raise ImageError(
            f"{encoding} image of width {width} has step {message.step}, expected at least "
            f"{row_bytes} bytes a row: check the camera driver"
        )
    expected = message.step * height * layout.rows // 2
    if len(message.data) < expected:
        raise ImageError(
            f"{encoding} image of {width}x{height} pixels and step {message.step} has "
            f"{len(message.data)} bytes, expected {expected}: check the camera driver"
        )
    return layout


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise ImageError for an unreasonably large picture."""
    if width * height > max_pixels:
        raise ImageError(
            f"image is {width}x{height} pixels, expected at most {max_pixels} in total: reduce "
            "it, or raise images.max_megapixels"
        )


def quoted(text: str) -> str:
    """Text from outside as one short line."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")

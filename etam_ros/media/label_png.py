"""Label pictures on disk: 8-bit palette PNGs of object ids, and masks in whatever PNG they come.

OpenCV turns palette PNGs into colours and so loses the ids; FFmpeg's codec (PyAV) keeps them.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
from av.codec.context import CodecContext
from numpy.typing import NDArray

from etam_ros.drawing.palette import palette
from etam_ros.errors import ImageError

_COLOUR_TYPE_AT = 25  # byte of a PNG file; 3 there: palette
_PALETTE_COLOUR_TYPE = 3
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OPAQUE = 255
LARGEST_ID = 255


def encode_label_png(label_image: NDArray[np.integer]) -> bytes:
    """Encode object ids as an 8-bit palette PNG.

    Args:
        label_image: (H, W) integers 0..255, 0 background.

    Raises:
        ImageError: an id is over 255, or the array is not (H, W) with at least one pixel.
    """
    if label_image.ndim != 2 or label_image.size == 0:
        raise ImageError(f"label image has shape {label_image.shape}, expected (H, W)")
    highest = int(label_image.max())
    if highest > LARGEST_ID:
        raise ImageError(
            f"object id {highest} does not fit an 8-bit mask picture, expected ids up to "
            f"{LARGEST_ID}: give the object a smaller object_id"
        )
    height, width = label_image.shape
    colours = np.full((256, 4), _OPAQUE, np.uint8)  # alpha, red, green, blue
    colours[:, 1:] = palette()
    ids = np.ascontiguousarray(label_image, dtype=np.uint8)
    encoder = CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "pal8"
    encoder.time_base = Fraction(1, 1)
    # Areas of one id need no row prediction; level 1 is nearly as small and much faster.
    encoder.options = {"compression_level": "1", "pred": "none"}
    # PyAV's stubs do not know the pair that pal8 takes.
    picture = av.VideoFrame.from_ndarray(cast(Any, (ids, colours)), format="pal8")
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def read_mask_values(path: Path) -> NDArray[np.integer]:
    """Read a mask picture: (H, W) palette indices or grey values; of colours, the strongest.

    Raises:
        ImageError: the file is missing or no picture.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"mask {path} cannot be read: {error.strerror}") from None
    is_png = data.startswith(_SIGNATURE) and len(data) > _COLOUR_TYPE_AT
    if is_png and data[_COLOUR_TYPE_AT] == _PALETTE_COLOUR_TYPE:
        return _decode_palette_png(data, path)
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if values is None or not np.issubdtype(values.dtype, np.integer):
        raise ImageError(f"mask {path} is not a picture that can be read, expected a PNG file")
    if values.ndim == 3:
        values = values[..., :3].max(axis=2)  # alpha says nothing about the object
    return np.asarray(values)


def _decode_palette_png(data: bytes, path: Path) -> NDArray[np.uint8]:
    decoder = CodecContext.create("png", "r")
    try:
        pictures = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except av.FFmpegError as error:
        raise ImageError(f"mask {path} is a damaged PNG file: {error.strerror}") from None
    if not pictures:
        raise ImageError(f"mask {path} is a damaged PNG file: it holds no picture")
    ids, _ = pictures[0].to_ndarray()  # pal8: indices and colours
    return np.asarray(ids, np.uint8)

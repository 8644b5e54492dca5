"""Label images on disk: 8-bit palette PNGs of object ids, and masks in PNGs of any kind.

OpenCV converts palette PNGs to colours and thus loses the ids, which Pillow keeps. All other files
are read with OpenCV, because Pillow reduces 16-bit colour to 8 bits.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from etam_ros.drawing.palette import palette
from etam_ros.errors import ImageError
from etam_ros.media.files import read_ordinary
from etam_ros.media.image_header import PNG_START, is_jpeg_or_png, read_header

LARGEST_ID: Final = 255
LARGEST_WIDE_ID: Final = 65535
_LARGEST_SIDE: Final = 20_000
"""Maximum side of a mask in pixels; a few kilobytes can claim far more."""


def encode_label_png(label_image: NDArray[np.integer], *, wide: bool = False) -> bytes:
    """Encode object ids, (H, W) integers with 0 for the background, as an 8-bit palette PNG.

    Args:
        wide: encode as 16-bit grey, which allows ids up to 65535.

    Raises:
        ImageError: an id is above 255, or the array is not (H, W) with at least one pixel.
    """
    if label_image.ndim != 2 or label_image.size == 0:
        raise ImageError(f"label image has shape {label_image.shape}, expected (H, W)")
    if wide:
        settings = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
        grey = np.ascontiguousarray(label_image, dtype=np.uint16)
        return cv2.imencode(".png", grey, settings)[1].tobytes()
    highest = int(label_image.max())
    if highest > LARGEST_ID:
        raise ImageError(
            f"object id {highest} does not fit an 8-bit mask picture, expected ids up to "
            f"{LARGEST_ID}: give the object a smaller object_id"
        )
    picture = Image.fromarray(np.ascontiguousarray(label_image, dtype=np.uint8))
    picture.putpalette(palette().tobytes())
    encoded = io.BytesIO()
    # Areas of one id are long runs: this takes a quarter of the default's time, and less space.
    picture.save(encoded, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return encoded.getvalue()


def read_mask_values(path: Path) -> NDArray[np.integer]:
    """Read a mask picture: (H, W) palette indices or grey values; for colours, the maximum.

    Raises:
        ImageError: the file is missing, damaged or not a picture.
    """
    try:
        data = read_ordinary(path)
    except OSError as error:
        raise ImageError(f"mask {path} cannot be read: {error.strerror}") from None
    try:
        _check_size(data)
        values = _decoded(data)
    except ImageError as error:
        raise ImageError(f"mask {path}: {error}") from None
    if values is None or not np.issubdtype(values.dtype, np.integer):
        raise ImageError(f"mask {path} is not a readable picture, expected a PNG file")
    if values.ndim == 3:
        values = values[..., :3].max(axis=2)  # alpha is not part of the mask
    return np.asarray(values)


def _check_size(data: bytes) -> None:
    """Raise ImageError for a damaged file, or one that claims too many pixels."""
    if is_jpeg_or_png(data):
        header = read_header(data)  # Pillow silently reads wrong ids from some damaged files
        width, height = header.width, header.height
    else:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
        except Image.DecompressionBombError as error:
            raise ImageError(str(error).partition(",")[0]) from None
        except Exception:  # any error of Pillow; OpenCV may support the file
            return
    if max(width, height) > _LARGEST_SIDE:
        raise ImageError(
            f"its header says {width} x {height} pixels, expected up to {_LARGEST_SIDE} on a "
            "side: give a mask of the frame's size"
        )


def _decoded(data: bytes) -> NDArray[Any] | None:
    """Indices of a palette PNG, or samples of any other picture; None if there is none."""
    try:
        if data.startswith(PNG_START):
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                if picture.mode == "P":
                    return np.asarray(picture)
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, cv2.error):
        return None  # errors of Pillow for a damaged file, and of OpenCV for one of gigapixels

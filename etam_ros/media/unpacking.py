"""Decompression with a limit of the size.

A few hundred bytes can be unpacked to gigabytes, so every caller gives a limit.
"""

from __future__ import annotations

import io
from typing import Final

LARGEST_CHUNK: Final = 2 * 2**30
"""Maximum size of an unpacked chunk of MCAP in bytes; recorders write a few megabytes."""
LARGEST_MESSAGE: Final = 2**29
"""Maximum size of an unpacked message in bytes, more than any accepted picture."""
_PIECE: Final = 2**20


def unpacked_zstd(data: bytes, most: int) -> bytes:
    """The content of a zstd frame, or its beginning if the frame is cut off.

    Args:
        data: the frame.
        most: maximum number of unpacked bytes.

    Raises:
        ValueError: it is damaged, or larger.
    """
    import zstandard

    unpacked = io.BytesIO()
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            while piece := reader.read(_PIECE):
                unpacked.write(piece)
                _check(unpacked.tell(), most)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    return unpacked.getvalue()


def unpacked_lz4(data: bytes, most: int) -> bytes:
    """The same for an LZ4 frame.

    Raises:
        ValueError: it is damaged, or larger.
    """
    import lz4.frame

    try:
        unpacked: bytes = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=most + 1)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    _check(len(unpacked), most)
    return unpacked


def _check(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"it unpacks to more than {most} bytes")

"""Compressed bytes -> bytes, of which there are no more than were to be expected.

A few hundred bytes can be unpacked to gigabytes: whoever unpacks says where to stop.
"""

from __future__ import annotations

import io
from typing import Final

LARGEST_CHUNK: Final = 2 * 2**30
"""Bytes of an unpacked chunk of an MCAP file at most; recorders write a few megabytes."""
LARGEST_MESSAGE: Final = 2**29
"""Bytes of an unpacked message at most, which is more than any picture that is taken."""
_PIECE: Final = 2**20


def unpacked_zstd(data: bytes, most: int) -> bytes:
    """The content of a zstd frame, as far as it goes where the frame is cut off.

    Args:
        data: the frame.
        most: bytes that it may be unpacked to.

    Raises:
        ValueError: it is damaged, or holds more.
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
    """The same of an LZ4 frame.

    Raises:
        ValueError: it is damaged, or holds more.
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

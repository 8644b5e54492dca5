"""Footage for training: the start of a video, small and at a low rate."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError

_MOST_FRAMES: Final = 96
_HZ: Final = 10.0


def read_footage(path: Path, *, longest_px: int) -> NDArray[np.uint8]:
    """Read the first seconds of a video, reduced.

    Args:
        path: of the video.
        longest_px: longest side of the frames.

    Returns:
        (T, H, W, 3) uint8 RGB, about ten frames a second.

    Raises:
        SourceError: the video cannot be read, or PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise SourceError(
            f"video {path} needs PyAV to be read: install av, or pack the material elsewhere"
        ) from None
    frames: list[NDArray[np.uint8]] = []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stride = max(1, round(float(stream.average_rate or 30) / _HZ))
            for index, frame in enumerate(container.decode(stream)):
                if index % stride == 0 and len(frames) < _MOST_FRAMES:
                    image = frame.to_ndarray(format="rgb24")
                    factor = min(1.0, longest_px / max(image.shape[:2]))
                    small = cv2.resize(
                        image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
                    )
                    frames.append(np.asarray(small, np.uint8))
    except (av.FFmpegError, IndexError, OSError) as error:
        raise SourceError(f"video {path} cannot be read: {error}") from None
    if not frames:
        raise SourceError(f"video {path} holds no frames, expected at least one")
    return np.stack(frames)

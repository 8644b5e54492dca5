"""A depth message, read where somebody looks and nowhere else."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from etam_ros.errors import ImageError
from etam_ros.media.image_encodings import quoted
from etam_ros.ros.camera_model import same_view
from etam_ros.ros.image_conversion import take_plain_data

MM_PER_M: Final = 1000.0
TYPES: Final = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}
"""Encodings: whole millimetres, and metres."""


class DepthPicture:
    """Depth of what an image shows, pixel by pixel the same view.

    Args:
        message: sensor_msgs/Image; stays where it is and is not copied.
        image_hw: (height, width) of the image.
        frame_id: coordinate frame of the image.

    Raises:
        ImageError: it is no depth, bytes are missing, or it does not show what the image shows.
    """

    def __init__(self, message: Image, image_hw: tuple[int, int], frame_id: str) -> None:
        take_plain_data(message)
        kind = TYPES.get(message.encoding)
        if kind is None:
            raise ImageError(
                f"depth has encoding {quoted(message.encoding)}, expected 16UC1 (millimetres) "
                "or 32FC1 (metres): set a different one in the camera driver"
            )
        dtype = np.dtype(f"{'>' if message.is_bigendian else '<'}{kind}")
        self.hw = height, width = message.height, message.width
        row_bytes = width * dtype.itemsize
        if not (height and width) or message.step < row_bytes:
            raise ImageError(
                f"depth of {width} x {height} pixels as {message.encoding} has step "
                f"{message.step}, expected at least one pixel and {row_bytes} bytes a row: "
                "check the camera driver"
            )
        expected = message.step * (height - 1) + row_bytes
        if len(message.data) < expected:
            raise ImageError(
                f"depth of {width} x {height} pixels and step {message.step} has "
                f"{len(message.data)} bytes, expected {expected}: check the camera driver"
            )
        self._check_view(message, image_hw, frame_id)
        self._scale = 1.0 if kind == "f4" else 1.0 / MM_PER_M
        self._values: NDArray[np.generic] = np.ndarray(
            (height, width), dtype, message.data, strides=(message.step, dtype.itemsize)
        )

    def read(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """Metres at r rows and c columns, (r, c); 0, NaN or infinite where there is none."""
        metres = self._values[np.ix_(rows, columns)].astype(np.float32)
        if self._scale != 1.0:
            metres *= np.float32(self._scale)
        return metres

    def _check_view(self, message: Image, image_hw: tuple[int, int], frame_id: str) -> None:
        own = message.header.frame_id
        if own and frame_id and own != frame_id:
            raise ImageError(
                f"depth is in frame {quoted(own)}, expected {quoted(frame_id)} like the image: "
                "publish depth that is registered to the image (aligned_depth_to_color)"
            )
        if not (self.hw == image_hw or same_view(self.hw, image_hw)):
            raise ImageError(
                f"depth has {self.hw[1]} x {self.hw[0]} pixels, the image has {image_hw[1]} x "
                f"{image_hw[0]}, expected the same aspect ratio: publish depth that is "
                "registered to the image"
            )

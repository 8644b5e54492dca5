"""Frames on their way through the worker: as they come, and as they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.records import FrameResult
from etam_ros.ros.image_conversion import image_from_compressed, image_from_message
from etam_ros.ros.messages import LastSeen


@dataclass(frozen=True)
class ReceivedImage:
    """A message as it came, and when, by the monotonic clock."""

    message: Image | CompressedImage
    received_ns: int

    def read(self, max_pixels: int) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8 RGB; may be a view of the message's data.

        Raises:
            ImageError: it cannot be read, or has more pixels than that.
        """
        if isinstance(self.message, CompressedImage):
            return image_from_compressed(self.message, max_pixels=max_pixels)
        return image_from_message(self.message, max_pixels=max_pixels)


@dataclass(frozen=True)
class ProcessedFrame:
    """A frame that went through the tracker, on its way out.

    Attributes:
        result: what the tracker says of it.
        last_seen: by object id, where each object of the result was seen last.
        image: (H, W, 3) uint8 RGB; may be a view of the message's data.
        header: the image message's own.
        received_ns: monotonic time at which the message came.
    """

    result: FrameResult
    last_seen: Mapping[int, LastSeen]
    image: NDArray[np.uint8]
    header: Header
    received_ns: int

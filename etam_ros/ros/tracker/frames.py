"""Frames on their way through the worker: as they come, and as they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.config import ImagesConfig
from etam_ros.records import Frame, FrameResult
from etam_ros.ros.image_conversion import (
    image_from_compressed,
    image_from_message,
    take_plain_data,
)
from etam_ros.ros.messages import LastSeen, ObjectPosition, stamp_ns


@dataclass(frozen=True)
class ReceivedImage:
    """A message as it came, and when, by the monotonic clock."""

    message: Image | CompressedImage
    received_ns: int

    @property
    def stamp_ns(self) -> int:
        """Of the image, in nanoseconds; 0 where it has none."""
        return stamp_ns(self.message.header.stamp)

    def read(self, config: ImagesConfig, remark: Callable[[str], None] = lambda _: None) -> Frame:
        """The frame; its picture may be a view of the message's data.

        Args:
            config: which images are taken, and how.
            remark: told in words what is odd about a picture that could be read.

        Raises:
            ImageError: it cannot be read, or has too many pixels.
        """
        take_plain_data(self.message)
        of_its_kind = (
            image_from_compressed
            if isinstance(self.message, CompressedImage)
            else image_from_message
        )
        image = of_its_kind(
            self.message, max_pixels=config.max_pixels, bits=config.bits, remark=remark
        )
        return Frame(image, self.stamp_ns, self.message.header.frame_id)


@dataclass(frozen=True)
class ProcessedFrame:
    """A frame that went through the tracker, on its way out.

    Attributes:
        result: what the tracker says of it.
        last_seen: by object id, where each object of the result was seen last.
        image: (H, W, 3) uint8 RGB; may be a view of the message's data.
        header: the image message's own.
        received_ns: monotonic time at which the message came.
        positions: by object id, where objects are in space, of which anything is known.
    """

    result: FrameResult
    last_seen: Mapping[int, LastSeen]
    image: NDArray[np.uint8]
    header: Header
    received_ns: int
    positions: Mapping[int, ObjectPosition] = field(default_factory=dict)

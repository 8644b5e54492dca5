"""The newest `camera_info`, for bearings that results lack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sensor_msgs.msg import CameraInfo

from etam_ros.errors import ConfigError
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.follower.sighting import camera_from

MOST_WARNINGS: Final = 32
"""A camera that is wrong in another way with each message is not told of for ever."""


class Calibration:
    """Reads each `camera_info` that differs from the one before.

    Args:
        warn: told in words of one that cannot be used; of each once, and of so many at most.

    Attributes:
        camera: None while nothing usable is known.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.camera: CameraModel | None = None
        self._warn = warn
        self._newest: CameraInfo | None = None
        self._warned: set[str] = set()

    def on_info(self, info: CameraInfo) -> None:
        """Learn a calibration."""
        before, self._newest = self._newest, info
        info.header = type(info.header)()
        if info == before:
            return
        try:
            self.camera = camera_from(info)
        except ConfigError as error:
            self.camera = None
            words = str(error)
            if words not in self._warned and len(self._warned) < MOST_WARNINGS:
                self._warned.add(words)
                self._warn(words)

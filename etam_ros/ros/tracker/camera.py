"""What is known of the camera: the newest `camera_info`, read for the picture that came."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import CameraInfo

from etam_ros.config import CameraConfig
from etam_ros.errors import ConfigError
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.qos import CAMERA_INFO

NO_INFO: Final = "no camera_info has come"
UNCALIBRATED: Final = "camera_info says that the camera is not calibrated"
MOST_SIZES: Final = 4
"""Sizes of pictures whose models are kept."""
MOST_WARNINGS: Final = 32
"""A camera that is wrong in another way with each message is not told of for ever."""


class Camera:
    """Keeps the newest `camera_info`, and makes camera models of it; any thread may ask.

    The same model is given again as long as nothing has changed, so that what was made of it can
    be kept beside it.

    Args:
        config: asked for the present one.
        warn: told in words of a calibration that cannot be used; of each once, and of so many at
            most.
    """

    def __init__(self, config: Callable[[], CameraConfig], warn: Callable[[str], None]) -> None:
        self._config = config
        self._warn = warn
        self._lock = threading.Lock()  # guards all that follows
        self._topic = "camera_info"
        self._info: CameraInfo | None = None
        self._contents: tuple[object, ...] | None = None  # of which the answers were made
        self._answers: dict[tuple[int, int], tuple[CameraModel, str]] = {}
        self._warned: set[str] = set()

    def listen(self, endpoints: Endpoints) -> None:
        """Subscribe to `camera_info`; when the subscription ends, all is forgotten."""
        endpoints.at_end(self._forget)
        self._topic = endpoints.node.resolve_topic_name("camera_info")
        group = MutuallyExclusiveCallbackGroup()
        endpoints.subscribe(CameraInfo, "camera_info", self.on_info, CAMERA_INFO, group)

    def on_info(self, message: CameraInfo) -> None:
        """Keep a `camera_info`, instead of the one before."""
        with self._lock:
            self._info = message

    @property
    def frame_id(self) -> str:
        """The optical frame that `camera_info` names; empty where none came."""
        with self._lock:
            return "" if self._info is None else str(self._info.header.frame_id)

    def frame_problem(self, image_frame_id: str) -> str:
        """What is odd about the coordinate frame of `camera_info`, in words; empty if nothing.

        The calibration is used all the same: many drivers name two frames for one lens. It is
        warned of once.

        Args:
            image_frame_id: of the image.
        """
        own = self.frame_id
        if not own or not image_frame_id or own == image_frame_id:
            return ""
        problem = (
            f"camera_info is of frame {own!r:.80}, the image of {image_frame_id!r:.80}, expected "
            "one: it is used as it is, so see that it is of the same camera"
        )
        with self._lock:
            self._warn_of(ConfigError(problem))
        return problem

    def model_for(self, hw: tuple[int, int]) -> CameraModel:
        """The model of pictures of (height, width), assumed where there is no calibration.

        Its `calibrated` says which it is, and `why_not` why it is not.
        """
        return self._answer(hw)[0]

    def why_not(self, hw: tuple[int, int]) -> str:
        """Why pictures of (height, width) have no calibration; empty where they have."""
        return self._answer(hw)[1]

    def _answer(self, hw: tuple[int, int]) -> tuple[CameraModel, str]:
        with self._lock:
            rectified = self._config().rectified
            contents = None if self._info is None else _contents(self._info, rectified)
            if contents != self._contents:
                self._contents = contents
                self._answers.clear()
            if hw not in self._answers:
                if len(self._answers) >= MOST_SIZES:
                    self._answers.clear()
                try:
                    if self._info is None:
                        raise NotCalibratedError(f"{NO_INFO} on {self._topic}")
                    self._answers[hw] = (_model(self._info, rectified, hw), "")
                except ConfigError as error:
                    self._answers[hw] = (CameraModel.assumed(hw), str(error))
                    self._warn_of(error)
            return self._answers[hw]

    def _forget(self) -> None:
        with self._lock:
            self._info = None
            self._warned.clear()

    def _warn_of(self, error: ConfigError) -> None:
        if isinstance(error, NotCalibratedError) or str(error) in self._warned:
            return
        if len(self._warned) < MOST_WARNINGS:
            self._warned.add(str(error))
            self._warn(str(error))


class NotCalibratedError(ConfigError):
    """Nobody claims that the camera is calibrated: nothing is wrong."""


def _model(info: CameraInfo, rectified: bool, hw: tuple[int, int]) -> CameraModel:
    if not any(info.p if rectified else info.k):
        raise NotCalibratedError(UNCALIBRATED)
    full = CameraModel.from_message(info, rectified=rectified)
    seen = full.seen_through(info)
    if full.hw == hw != seen.hw:
        return full  # drivers that bin may tell the calibration of what is left
    return seen.resized(hw)


def _contents(info: CameraInfo, rectified: bool) -> tuple[object, ...]:
    """Everything that a model is made of; compares equal also where a number is NaN."""
    roi = info.roi
    return (
        rectified,
        (info.width, info.height, info.distortion_model),
        (info.k.tobytes(), info.p.tobytes(), info.d.tobytes()),
        (info.binning_x, info.binning_y),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
    )

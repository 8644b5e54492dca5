"""Clicks in space, as RViz and others publish them: at which pixel of which frame they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from geometry_msgs.msg import PointStamped
from numpy.typing import NDArray
from std_msgs.msg import Header

from etam_ros.errors import PromptError
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.messages import stamp_ns
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.coordinate_frames import CoordinateFrames
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.prompts.actions import Click, apply_click
from etam_ros.ros.tracker.rviz.click_plane import ClickPlanePublisher

ON_PLANE: Final = 0.05
"""A click is on the plane when its distance from the camera differs by no more than this share:
RViz picks up to 0.6 % before it."""


@dataclass(frozen=True)
class ClickedPoints:
    """What it takes to find a clicked point in the picture.

    Attributes:
        camera: has the models.
        frames: know where the camera is, once they have caught up.
        plane: was perhaps clicked on.
    """

    camera: Camera
    frames: CoordinateFrames
    plane: ClickPlanePublisher

    def apply(self, message: PointStamped, source: str, meaning: str, tracking: Tracking) -> None:
        """Start or refine the object that a click in space means; in the worker's thread.

        Args:
            message: as it came.
            source: the topic it came on.
            meaning: the value of `clicks.meaning`.
            tracking: gets the prompt.

        Raises:
            PromptError: as for `click`, or the tracker refuses it.
        """
        apply_click(self.click(message, source, tracking), meaning, tracking)

    def click(self, message: PointStamped, source: str, tracking: Tracking) -> Click:
        """The pixel of a click in space: of the frame that the plane showed, else of the newest.

        Args:
            message: as it came; its stamp is the time of the click.
            source: the topic it came on.
            tracking: knows the newest frame.

        Raises:
            PromptError: the point is not in the picture, or nobody knows where it is.
        """
        newest, result = tracking.newest, tracking.tracker.result
        if newest is None or result is None:
            raise PromptError(
                "no image has been processed yet, expected one: send the click after it"
            )
        shown = self.plane.shown(stamp_ns(message.header.stamp))
        if shown is not None:
            point = self._from_camera(shown.header, message)
            if abs(point[2] - shown.distance_m) <= ON_PLANE * shown.distance_m:
                return Click(_pixel(point, shown.model), source, header=shown.header)
        point = self._from_camera(newest, message)
        model = self.camera.model_for(result.image_hw)
        self.camera.frame_problem(newest.frame_id)
        if not model.calibrated:
            raise PromptError(
                f"clicked point ({_in_words(point)}) m is not on ~/click_plane, and other "
                f"points need a calibrated camera: {self.camera.why_not(result.image_hw)}"
            )
        return Click(_pixel(point, model), source)

    def _from_camera(self, header: Header, message: PointStamped) -> NDArray[np.float64]:
        """A point as the camera had it when it took the frame of a header, (3,) metres."""
        frame_id = header.frame_id or self.camera.frame_id
        return self.frames.point_in(frame_id, header.stamp, message)


def _pixel(point: NDArray[np.float64], model: CameraModel) -> tuple[float, float]:
    """Where a (3,) point of the optical frame is seen.

    Raises:
        PromptError: it lies behind the camera or outside the picture.
    """
    if not point[2] > 0:
        raise PromptError(
            f"clicked point ({_in_words(point)}) m is behind the camera, expected z above 0 in "
            "its optical frame: click on something in view"
        )
    pixel = model.project(point)
    height, width = model.hw
    if not model.inside(pixel).all():
        x, y = pixel[0]
        where = "nowhere" if np.isnan(x) else f"at ({x:.1f}, {y:.1f})"
        raise PromptError(
            f"clicked point ({_in_words(point)}) m is seen {where}, outside the frame of "
            f"{width} x {height}: click on something in view"
        )
    return float(pixel[0, 0]), float(pixel[0, 1])


def _in_words(point: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.4g}" for value in point)

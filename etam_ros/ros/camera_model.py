"""Pixels and directions of a calibrated camera, distortion included.

Coordinates: the camera's optical frame, x right, y down, z forward; pixels as everywhere, the
centre of the top-left one at (0, 0). N points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from etam_ros.errors import ConfigError

FISHEYE: Final = "equidistant"
COEFFICIENTS: Final = {
    "": (0,),
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (8, 12, 14),
    FISHEYE: (4,),
}
"""How many distortion coefficients each model of sensor_msgs takes."""
_PRECISELY: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)


@dataclass(frozen=True, eq=False)
class CameraModel:
    """What a `CameraInfo` says of the picture that it comes with.

    Attributes:
        hw: height and width of that picture in pixels.
        matrix: (3, 3) float64.
        distortion: coefficients of the model.
        fisheye: the model is equidistant, else plumb_bob or rational_polynomial.
    """

    hw: tuple[int, int]
    matrix: NDArray[np.float64] = field(repr=False)
    distortion: NDArray[np.float64] = field(repr=False)
    fisheye: bool = False

    @classmethod
    def from_message(cls, info: CameraInfo) -> CameraModel:
        """Read a calibration of the picture as the camera gives it, unrectified.

        Raises:
            ConfigError: the camera is not calibrated, or its distortion model is unknown.
        """
        matrix = np.array(info.k, np.float64).reshape(3, 3)
        distortion = np.array(info.d, np.float64)
        if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
            raise ConfigError(
                f"camera_info has k = {list(info.k)}, expected a focal length above 0: calibrate "
                "the camera"
            )
        allowed = COEFFICIENTS.get(info.distortion_model, ())
        if len(distortion) not in allowed or not np.isfinite(distortion).all():
            known = ", ".join(name for name in COEFFICIENTS if name)
            raise ConfigError(
                f"camera_info has distortion model {info.distortion_model!r} with "
                f"{len(distortion)} coefficients, expected one of {known} with its own number"
            )
        return cls((info.height, info.width), matrix, distortion, info.distortion_model == FISHEYE)

    @classmethod
    def assumed(cls, hw: tuple[int, int]) -> CameraModel:
        """A plausible camera where nothing is known: no distortion, 53 degrees of longer side."""
        height, width = hw
        focal = float(max(hw))
        matrix = np.array(
            [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], np.float64
        )
        return cls(hw, matrix, np.zeros(0))

    def rays(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Directions in which pixels look, (N, 3) with z = 1.

        Args:
            pixels: (N, 2), x and y.
        """
        pixels = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
        if self.fisheye:
            flat = cv2.fisheye.undistortPoints(
                pixels, self.matrix, self.distortion, criteria=_PRECISELY
            )
        else:
            flat = cv2.undistortPointsIter(
                pixels, self.matrix, self.distortion, np.eye(3), np.eye(3), _PRECISELY
            )
        return np.concatenate([flat[:, 0], np.ones((len(flat), 1))], axis=1)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels at which points are seen, (N, 2); NaN for those that are not before the camera.

        Args:
            points: (N, 3) in the optical frame, metres.
        """
        points = np.asarray(points, np.float64).reshape(-1, 1, 3)
        zero = np.zeros(3)
        project = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
        projected, _ = project(points, zero, zero, self.matrix, self.distortion)
        pixels = np.asarray(projected, np.float64)[:, 0]
        pixels[~(points[:, 0, 2] > 0)] = np.nan
        return pixels

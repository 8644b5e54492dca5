"""Pixels and directions of a camera, distortion included.

Coordinates: the camera's optical frame, x right, y down, z forward; pixels as everywhere, the
centre of the top-left one at (0, 0). N points.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from etam_ros.errors import ConfigError

FISHEYE: Final = ("equidistant", "fisheye")
_PINHOLE_COUNTS: Final = (0, 4, 5, 8, 12, 14)  # zeros follow the coefficients that are given
COEFFICIENTS: Final = {
    "plumb_bob": _PINHOLE_COUNTS,
    "rational_polynomial": _PINHOLE_COUNTS,
    **dict.fromkeys(FISHEYE, (4,)),
}
"""How many distortion coefficients each model may come with."""
MOST_TIMES: Final = 16
"""A picture is at most so many times smaller or larger than its calibration."""
_PRECISELY: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)
_SAME_PIXEL: Final = 0.1


@dataclass(frozen=True, eq=False)
class CameraModel:
    """Where things are seen in a picture, and in which direction its pixels look.

    Attributes:
        hw: height and width of the picture in pixels.
        matrix: (3, 3) float64.
        distortion: coefficients of the model; none for a picture without distortion.
        fisheye: the model is equidistant, else plumb_bob or rational_polynomial.
        calibrated: false for a camera of which nothing is known.
    """

    hw: tuple[int, int]
    matrix: NDArray[np.float64] = field(repr=False)
    distortion: NDArray[np.float64] = field(repr=False)
    fisheye: bool = False
    calibrated: bool = True

    @classmethod
    def from_message(cls, info: CameraInfo, *, rectified: bool = False) -> CameraModel:
        """Read a calibration of the full picture; binning and region are left to `seen_through`.

        Args:
            info: sensor_msgs/CameraInfo.
            rectified: the picture is rectified: `p` holds for it, and `k` and `d` do not. The
                optical frame is the picture's own, so the baseline in `p` does not count.

        Raises:
            ConfigError: the camera is not calibrated, its distortion model is unknown, or numbers
                are unusable.
        """
        if not (info.width and info.height):
            raise ConfigError(
                f"camera_info is for an image of {info.width} x {info.height}, expected at "
                "least one pixel: calibrate the camera"
            )
        name, values = ("p", info.p) if rectified else ("k", info.k)
        row = len(values) // 3
        fx, cx, fy, cy = (float(values[index]) for index in (0, 2, row + 1, row + 2))
        if not (0 < fx < np.inf and 0 < fy < np.inf and np.isfinite([cx, cy]).all()):
            raise ConfigError(
                f"camera_info has {name} = {[float(value) for value in values]}, expected focal "
                "lengths above 0: calibrate the camera"
            )
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)
        hw = (info.height, info.width)
        if rectified:
            return cls(hw, matrix, np.zeros(0))
        distortion = np.array(info.d, np.float64)
        fisheye = info.distortion_model in FISHEYE
        if fisheye or distortion.any():  # NaN is not zero
            _check_distortion(info.distortion_model, distortion)
            return cls(hw, matrix, distortion, fisheye)
        return cls(hw, matrix, np.zeros(0))

    @classmethod
    def assumed(cls, hw: tuple[int, int]) -> CameraModel:
        """A plausible camera where nothing is known: no distortion, 53 degrees of longer side."""
        height, width = hw
        focal = float(max(hw))
        matrix = np.array(
            [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], np.float64
        )
        return cls(hw, matrix, np.zeros(0), calibrated=False)

    def seen_through(self, info: CameraInfo) -> CameraModel:
        """The model of the picture that remains of the full one after its region and binning."""
        roi = info.roi
        height, width = roi.height or self.hw[0], roi.width or self.hw[1]
        matrix = self.matrix.copy()
        matrix[:2, 2] -= (roi.x_offset, roi.y_offset)
        binned = (max(height // (info.binning_y or 1), 1), max(width // (info.binning_x or 1), 1))
        factors = (1 / (info.binning_y or 1), 1 / (info.binning_x or 1))
        return replace(self, hw=binned, matrix=_scaled(matrix, factors))

    def resized(self, hw: tuple[int, int]) -> CameraModel:
        """The model of the same view at another size.

        Args:
            hw: of a picture whose sides have the same ratio, to the pixel by which they were
                rounded.

        Raises:
            ConfigError: the sizes do not fit, so that the picture may be a cut-out.
        """
        if hw == self.hw:
            return self
        if not same_view(self.hw, hw):
            raise ConfigError(
                f"camera_info is for an image of {self.hw[1]} x {self.hw[0]}, the image has "
                f"{hw[1]} x {hw[0]}, expected the same aspect ratio, at most {MOST_TIMES} times "
                "smaller or larger: publish the camera_info of this image"
            )
        factors = (hw[0] / self.hw[0], hw[1] / self.hw[1])
        return replace(self, hw=hw, matrix=_scaled(self.matrix, factors))

    def rays(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Directions in which pixels look, (N, 3) with z = 1.

        NaN where nothing before the camera is seen at the pixel: the distortion of a calibration
        need not reach into the corners, and a fisheye looks behind itself.

        Args:
            pixels: (N, 2), x and y.
        """
        pixels = np.asarray(pixels, np.float64).reshape(-1, 2)
        points = self._undistorted(pixels)
        seen = self._distorted(points)
        with np.errstate(invalid="ignore"):
            right = np.abs(seen - pixels).max(axis=1, initial=0.0) < _SAME_PIXEL
        points[~right] = np.nan
        return points

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels at which points are seen, (N, 2); they may lie outside the picture.

        NaN for points that are not before the camera, and for those that lie so far off its axis
        that the distortion would fold them back into the picture.

        Args:
            points: (N, 3) in the optical frame, metres.
        """
        points = np.asarray(points, np.float64).reshape(-1, 3)
        with np.errstate(all="ignore"):
            flat = points / points[:, 2:]
        flat[~((points[:, 2] > 0) & np.isfinite(flat).all(axis=1))] = np.nan
        pixels = self._distorted(flat)
        back = self.rays(pixels)
        with np.errstate(all="ignore"):
            apart = np.abs(back - flat)[:, :2] / (1 + np.abs(flat[:, :2]) ** 2)
            seen = apart.max(axis=1, initial=0.0) < 0.01  # radians, nearly
        pixels[~seen] = np.nan
        return pixels

    def inside(self, pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of (N, 2) pixels lie in the picture, (N,) bool."""
        x, y = np.asarray(pixels, np.float64).reshape(-1, 2).T
        height, width = self.hw
        return (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)

    def _undistorted(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) with z = 1; nonsense where the search does not converge."""
        if not len(pixels):
            return np.zeros((0, 3))
        if self.fisheye:
            flat = cv2.fisheye.undistortPoints(
                pixels[:, None], self.matrix, self.distortion, criteria=_PRECISELY
            )
        else:
            flat = cv2.undistortPointsIter(
                pixels[:, None], self.matrix, self.distortion, np.eye(3), np.eye(3), _PRECISELY
            )
        return np.concatenate([flat[:, 0], np.ones((len(flat), 1))], axis=1)

    def _distorted(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) pixels of (N, 3) points before the camera."""
        if not len(points):
            return np.zeros((0, 2))
        zero = np.zeros(3)
        project = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
        projected, _ = project(points[:, None], zero, zero, self.matrix, self.distortion)
        return np.array(projected, np.float64)[:, 0]


def _check_distortion(name: str, distortion: NDArray[np.float64]) -> None:
    if len(distortion) not in COEFFICIENTS.get(name, ()) or not np.isfinite(distortion).all():
        known = ", ".join(COEFFICIENTS)
        raise ConfigError(
            f"camera_info has distortion model {name!r:.40} with {len(distortion)} "
            f"coefficients, expected one of {known} with its own number of finite ones"
        )


def same_view(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether one (height, width) can be the other, scaled by one factor and rounded.

    Sides of another ratio belong to a picture of which a part was cut off.
    """
    small, large = sorted((a, b))
    if min(small) < 1:
        return False
    # The factors by which a side becomes the other one, to half a pixel of the smaller picture.
    least = max((few - 0.5) / many for few, many in zip(small, large, strict=True))
    most = min((few + 0.5) / many for few, many in zip(small, large, strict=True))
    return least <= most and most * MOST_TIMES >= 1


def _scaled(matrix: NDArray[np.float64], factors: tuple[float, float]) -> NDArray[np.float64]:
    """A camera matrix for a picture of (height, width) times `factors`.

    The edge of the picture stays where it is, half a pixel before the first centre; image_geometry
    leaves the centre of the first pixel where it is instead.
    """
    scaled = matrix.copy()
    for row, factor in zip((1, 0), factors, strict=True):
        scaled[row] *= factor
        scaled[row, 2] += (factor - 1) / 2
    return scaled

"""Reads the calibration files that camera_calibration writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from etam_ros.errors import ConfigError
from etam_ros.media.frame_source import FrameSource

_UNTURNED: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def camera_info_from_file(path: str | Path) -> CameraInfo:
    """Read a camera's calibration.

    Args:
        path: YAML with image_width, image_height, camera_matrix, distortion_model,
            distortion_coefficients and, if the image is rectified, rectification_matrix and
            projection_matrix.

    Returns:
        sensor_msgs/CameraInfo without a header.

    Raises:
        ConfigError: the file cannot be read, or lacks something.
    """
    try:
        content = yaml.safe_load(Path(path).read_bytes())
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"camera info {path} cannot be read ({reason}), expected the YAML file that "
            "camera_calibration writes"
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"camera info {path} holds {type(content).__name__}, expected the YAML file that "
            "camera_calibration writes"
        )
    camera_matrix = _numbers(path, content, "camera_matrix", 9)
    # Without one, the picture is projected as it is: no rectification, no second camera.
    rows = [camera_matrix[start : start + 3] for start in (0, 3, 6)]
    unrectified = [value for row in rows for value in (*row, 0.0)]
    return CameraInfo(
        width=_size(path, content, "image_width"),
        height=_size(path, content, "image_height"),
        distortion_model=str(content.get("distortion_model", "plumb_bob")),
        d=_numbers(path, content, "distortion_coefficients", None, default=[0.0] * 5),
        k=camera_matrix,
        r=_numbers(path, content, "rectification_matrix", 9, default=_UNTURNED),
        p=_numbers(path, content, "projection_matrix", 12, default=unrectified),
    )


def camera_info_of(source: FrameSource) -> CameraInfo | None:
    """The calibration that was recorded beside the images of a bag, without a header.

    Returns:
        None where the source is no bag, or has none that can be read.
    """
    from etam_ros.media.bags.source import BagSource

    fields = source.camera_info() if isinstance(source, BagSource) else None
    if fields is None:
        return None
    return CameraInfo(
        width=int(fields.width),
        height=int(fields.height),
        distortion_model=str(fields.distortion_model),
        d=[float(value) for value in fields.d],
        k=[float(value) for value in fields.k],
        r=[float(value) for value in fields.r],
        p=[float(value) for value in fields.p],
        binning_x=int(fields.binning_x),
        binning_y=int(fields.binning_y),
        roi=RegionOfInterest(
            x_offset=int(fields.roi.x_offset),
            y_offset=int(fields.roi.y_offset),
            height=int(fields.roi.height),
            width=int(fields.roi.width),
            do_rectify=bool(fields.roi.do_rectify),
        ),
    )


def _size(path: str | Path, content: Mapping[Any, Any], name: str) -> int:
    value = content.get(name)
    if type(value) is not int or not 0 < value < 2**32:
        raise ConfigError(
            f"camera info {path} has {name} {value!r}, expected a whole number of pixels above 0"
        )
    return value


def _numbers(
    path: str | Path, content: Mapping[Any, Any], name: str, count: int | None, default: Any = None
) -> list[float]:
    """The data of one matrix, row by row; `count` None takes any number of them."""
    if name not in content and default is not None:
        return list(default)
    matrix = content.get(name)
    data = matrix.get("data") if isinstance(matrix, dict) else matrix
    numbers: list[Any] = data if isinstance(data, list) else []
    usable = isinstance(data, list) and all(type(value) in (int, float) for value in numbers)
    if not usable or (count is not None and len(numbers) != count):
        raise ConfigError(
            f"camera info {path} has no usable {name}, expected data of "
            f"{'' if count is None else f'{count} '}numbers: calibrate again, or correct the "
            "file"
        )
    return [float(value) for value in numbers]

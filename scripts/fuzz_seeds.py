"""Whole messages of each kind, to be damaged: the seeds of fuzz_messages.py and fuzz_node.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from fuzz_cdr import without_remains
from fuzz_files import Seeds, picture

HW: Final = (48, 64)
FIRST_S: Final = 5


def seeds_of(*messages: tuple[str, Any]) -> Seeds:
    """Suffixes, and messages in CDR."""
    return [(suffix, without_remains(message)) for suffix, message in messages]


def header(seconds: int = FIRST_S) -> Any:
    """Of a frame, or of what belongs to it."""
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    return Header(stamp=Time(sec=seconds), frame_id="camera")


def image_seeds(_folder: Path | None = None) -> Seeds:
    """Raw images in a few of the encodings."""
    from sensor_msgs.msg import Image

    plain = picture(0, HW)
    deep = plain[..., 0].astype(np.uint16) * 16
    found = []
    for encoding, pixels, rows in (
        ("rgb8", plain, 48),
        ("bgra8", np.concatenate([plain, plain[..., :1]], axis=2), 48),
        ("mono16", deep, 48),
        ("bayer_rggb8", plain[..., 0], 48),
        ("yuyv", plain[..., :2], 48),
        ("nv12", plain[..., 0], 32),
        ("nv24", plain, 48),
    ):
        step = pixels[0].nbytes if encoding != "nv24" else 64
        image = Image(header=header(), height=rows, width=64, encoding=encoding, step=step)
        image.data.frombytes(np.ascontiguousarray(pixels).tobytes())
        found.append((".image", image))
    return seeds_of(*found)


def compressed_seeds(_folder: Path) -> Seeds:
    """JPEG and PNG."""
    import cv2
    from sensor_msgs.msg import CompressedImage

    plain = picture(0, HW)
    found = []
    for suffix, kind, pixels in (
        (".jpg", "rgb8; jpeg compressed bgr8", plain),
        (".png", "png", plain),
        (".png", "mono16; png compressed", plain[..., 0].astype(np.uint16) * 16),
        (".png", "bayer_rggb8; png compressed bayer_rggb8", plain[..., 0]),
    ):
        message = CompressedImage(header=header(), format=kind)
        message.data.frombytes(cv2.imencode(suffix, pixels)[1].tobytes())
        found.append((".compressed", message))
    return seeds_of(*found)


def prompts() -> list[Any]:
    """One of each kind."""
    from etam_ros.msg import Prompt
    from geometry_msgs.msg import Point32
    from sensor_msgs.msg import Image

    mask = Image(height=48, width=64, encoding="mono8", step=64)
    mask.data.frombytes((picture(0, HW)[..., 0] > 100).tobytes())
    clicks = [Point32(x=14.0, y=20.0), Point32(x=50.0, y=5.0)]
    return [
        Prompt(header=header(), points=clicks, point_labels=[1, 0], label="cup"),
        Prompt(object_id=1, points=clicks[:1], point_labels=[0], keep_previous=True),
        Prompt(object_id=7, box=[4.0, 8.0, 24.0, 30.0]),
        Prompt(object_id=8, box=[4.0, 8.0, 24.0, 30.0], points=clicks[:1], point_labels=[1]),
        Prompt(mask=mask),
    ]


def prompt_seeds(_folder: Path | None = None) -> Seeds:
    return seeds_of(*((".prompt", each) for each in prompts()))


def click_seeds(_folder: Path | None = None) -> Seeds:
    """Clicks on the object, beside it, and on a frame that was not there."""
    from geometry_msgs.msg import Point, PointStamped

    places = ((14.0, 20.0, header()), (50.0, 5.0, header(0)), (0.0, 47.0, header(77)))
    return seeds_of(
        *((".click", PointStamped(header=at, point=Point(x=x, y=y))) for x, y, at in places)
    )


def calibrations() -> list[Any]:
    """A camera of each model, and one that is rectified, binned and cropped."""
    from sensor_msgs.msg import CameraInfo, RegionOfInterest

    k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    p = [60.0, 0.0, 31.5, -3.0, 0.0, 60.0, 23.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    whole = {"header": header(), "height": 48, "width": 64, "k": k, "p": p}
    models = (("plumb_bob", 5), ("rational_polynomial", 8), ("equidistant", 4))
    roi = RegionOfInterest(x_offset=8, y_offset=8, width=128, height=96)
    return [
        *(CameraInfo(**whole, distortion_model=name, d=[0.01] * n) for name, n in models),
        CameraInfo(**{**whole, "height": 192, "width": 256}, binning_x=2, binning_y=2, roi=roi),
    ]


def camera_seeds(_folder: Path | None = None) -> Seeds:
    return seeds_of(*((".camera_info", each) for each in calibrations()))


def depth_seeds(_folder: Path | None = None) -> Seeds:
    """Millimetres and metres."""
    from sensor_msgs.msg import Image

    far = np.full(HW, 1500, np.uint16)
    found = []
    for encoding, values in (("16UC1", far), ("32FC1", far.astype(np.float32) / 1000)):
        image = Image(header=header(), height=48, width=64, encoding=encoding)
        image.step = values[0].nbytes
        image.data.frombytes(values.tobytes())
        found.append((".depth", image))
    return seeds_of(*found)


def parameter_seeds(_folder: Path | None = None) -> Seeds:
    """Every parameter of the node, with its default."""
    from rcl_interfaces.msg import Parameter
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter as RclpyParameter

    from etam_ros.ros.parameters import parameter_options

    values = {name: default for name, (default, _) in parameter_options().items()}
    values["use_sim_time"] = False
    found = []
    for name, value in values.items():
        encoded = RclpyParameter(name, value=value).get_parameter_value()
        request = SetParameters.Request(parameters=[Parameter(name=name, value=encoded)])
        found.append((".set_parameters", request))
    return seeds_of(*found)

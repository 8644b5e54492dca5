"""What reads messages without a network behind it: targets of fuzz.py that take many inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fuzz_changes import change_field, read_message
from fuzz_files import Seeds, Target
from fuzz_seeds import (
    FIRST_S,
    calibrations,
    camera_seeds,
    compressed_seeds,
    header,
    image_seeds,
    prompt_seeds,
    seeds_of,
)


def all_image_seeds(folder: Path) -> Seeds:
    """Raw and compressed ones."""
    return [*image_seeds(), *compressed_seeds(folder)]


def decode_image(path: Path) -> None:
    """Make a picture of a message, as of cameras with 16 and with 12 bits."""
    import numpy as np

    from etam_ros.config import ImagesConfig
    from etam_ros.ros.tracker.frames import ReceivedImage

    for bits in (12, 16):
        image = ReceivedImage(read_message(path), 0).read(ImagesConfig(bits=bits)).image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise AssertionError(f"a picture of shape {image.shape} and type {image.dtype}")


def decode_prompt(path: Path) -> None:
    """Make a prompt of a message, and a message of that."""
    from rclpy.serialization import serialize_message

    from etam_ros.ros.messages import check_prompt_frame, prompt_from_message, prompt_message

    message = read_message(path)
    prompt = prompt_from_message(message)
    check_prompt_frame(message.header, header())
    serialize_message(prompt_message(prompt, prompt.object_id, header()))


def result_seeds(_folder: Path | None = None) -> Seeds:
    """Results with a target that is seen, hidden, without a position; and calibrations."""
    from etam_ros.msg import TrackedObject, TrackedObjectArray
    from geometry_msgs.msg import Point, PointStamped, Vector3
    from sensor_msgs.msg import RegionOfInterest

    box = RegionOfInterest(x_offset=8, y_offset=8, width=20, height=20)
    place = PointStamped(header=header(), point=Point(x=0.3, y=0.1, z=2.0))
    seen = TrackedObject(
        id=1, label="cup", visibility=1.0, iou_score=0.9, area=400, box=box,
        centroid=Point(x=18.0, y=18.0), position=place, bearing=Vector3(x=0.15, y=0.05, z=0.98),
    )  # fmt: skip
    nowhere = Point(x=math.nan, y=math.nan, z=math.nan)
    flat = TrackedObject(id=2, visibility=1.0, iou_score=0.9, area=9, centroid=seen.centroid)
    flat.position.point = nowhere
    hidden = TrackedObject(id=3, occluded=True, centroid=nowhere)
    several = ([seen], [flat], [hidden], [seen, flat, hidden], [])
    return [
        *seeds_of(
            *((".objects", TrackedObjectArray(header=header(), objects=each)) for each in several)
        ),
        *camera_seeds(),
    ]


def follow(path: Path) -> None:
    """Follow a result, or a good one through a calibration: speeds are within their limits."""
    from rclpy.serialization import serialize_message

    from etam_ros.following.config import FollowerSettings
    from etam_ros.following.control import FollowControl
    from etam_ros.ros.follower.calibration import Calibration
    from etam_ros.ros.follower.sighting import StampAges, seen_frame, target_pose

    said: list[str] = []
    message, calibration = read_message(path), Calibration(said.append)
    is_result = path.suffix == ".objects"
    calibration.on_info(calibrations()[0] if is_result else message)
    result = message if is_result else _result_without_bearing()
    settings = FollowerSettings()
    control, ages = FollowControl(settings), StampAges()
    control.enable(True)
    for number in range(4):  # the same one again and again, and the commands between
        now_s = 100.0 + number / 10
        age_s = ages.age_s(result, (FIRST_S * 10 + number) * 10**8, settings.node.stamp_age)
        frame = seen_frame(result, arrived_s=now_s, age_s=age_s, camera=calibration.camera)
        control.take(frame)
        target = control.target_of(frame)
        if target is not None:
            item = next(each for each in result.objects if each.id == target.object_id)
            pose = target_pose(item, target.bearing)
            serialize_message(pose) if pose is not None else None
        _check(control.command(now_s + 0.02), settings)
        result.header.stamp.nanosec = (number + 1) * 10**8
    if any("\n" in line for line in said):
        raise AssertionError(f"several lines: {said}")


def _result_without_bearing() -> Any:
    from etam_ros.msg import TrackedObjectArray
    from rclpy.serialization import deserialize_message

    return deserialize_message(_flat(), TrackedObjectArray)


@lru_cache(maxsize=1)
def _flat() -> bytes:
    return result_seeds()[1][1]


def _check(command: Any, settings: Any) -> None:
    speeds = command.speeds
    linear, angular = abs(speeds.linear), abs(speeds.angular)
    if not (linear <= settings.distance.max + 1e-9 and angular <= settings.bearing.max + 1e-9):
        raise AssertionError(f"speeds of {speeds.linear} and {speeds.angular}")
    if "\n" in command.state:
        raise AssertionError(f"several lines: {command.state}")


READERS: Final[Sequence[Target]] = (
    Target("image_readers", all_image_seeds, decode_image, change_field),
    Target("prompt_readers", prompt_seeds, decode_prompt, change_field),
    Target("follower", result_seeds, follow, change_field),
)

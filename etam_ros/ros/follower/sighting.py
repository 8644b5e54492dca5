"""From the tracker's messages to what the follower knows, and to the pose of its target.

The optical frame is x right, y down, z forward; a bearing is in radians to the left of z.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, Quaternion
from sensor_msgs.msg import CameraInfo

from etam_ros.following.config import ALWAYS, AUTO, NEVER
from etam_ros.following.sight import SeenFrame, SeenObject
from etam_ros.msg import TrackedObject, TrackedObjectArray
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.messages import stamp_ns

BELIEVED_S: Final = 10.0
"""A stamp further from now than this is of another clock."""


class StampAges:
    """How old results are by their stamps.

    Clocks that agreed once go on to agree until time jumps: from then on a stamp of long ago is
    old, and not of another clock.
    """

    def __init__(self) -> None:
        self._agreed = False

    def forget(self) -> None:
        """Clocks may differ from now on."""
        self._agreed = False

    def age_s(self, message: TrackedObjectArray, now_ns: int, rule: str) -> float:
        """Seconds since the stamp of a result; NaN where it does not count.

        Args:
            message: of the tracker.
            now_ns: ROS time.
            rule: `stamp_age`: always, never, or auto, which does not believe a stamp of zero and,
                until clocks agreed, one that is further than `BELIEVED_S` from now.
        """
        stamp = stamp_ns(message.header.stamp)
        age_s = (now_ns - stamp) / 1e9
        near = bool(stamp) and abs(age_s) <= BELIEVED_S
        self._agreed = self._agreed or near
        believed = near or (bool(stamp) and age_s > 0.0 and self._agreed)
        return age_s if rule == ALWAYS or (rule == AUTO and believed) else math.nan


def camera_from(info: CameraInfo) -> CameraModel | None:
    """The camera for bearings that the tracker does not give.

    Where nothing but the size of the picture is known, one of 53 degrees is assumed, as for
    clicks in 3-D; without a size there is none.

    Raises:
        ConfigError: the calibration is unusable.
    """
    if any(info.k):
        return CameraModel.from_message(info).seen_through(info)
    if info.width and info.height:
        return CameraModel.assumed((info.height, info.width))
    return None


def seen_frame(
    message: TrackedObjectArray,
    *,
    arrived_s: float,
    age_s: float,
    camera: CameraModel | None,
    rule: str = AUTO,
) -> SeenFrame:
    """A result as the follower reads it.

    Args:
        message: of the tracker.
        arrived_s: when it came.
        age_s: of its stamp then; NaN where it does not count.
        camera: for bearings that the message lacks.
        rule: `stamp_age`.
    """
    header = message.header
    objects = tuple(seen_object(item, camera, header.frame_id) for item in message.objects)
    stamp = 0 if rule == NEVER else stamp_ns(header.stamp)
    return SeenFrame(arrived_s, age_s, header.frame_id, objects, stamp)


def seen_object(item: TrackedObject, camera: CameraModel | None, frame_id: str = "") -> SeenObject:
    """One object; its distance is over the floor, if the camera looks about level.

    Args:
        item: the object.
        camera: for a bearing that it lacks.
        frame_id: of the camera; a position in another frame is no distance from it.
    """
    point = item.position.point
    known = all(math.isfinite(value) for value in (point.x, point.y, point.z)) and point.z > 0.0
    known = known and item.position.header.frame_id == frame_id
    return SeenObject(
        object_id=item.id,
        label=item.label,
        occluded=item.occluded,
        iou_score=item.iou_score,
        visibility=item.visibility,
        bearing=_bearing(item, camera),
        distance_m=math.hypot(point.x, point.z) if known else math.nan,
    )


def _bearing(item: TrackedObject, camera: CameraModel | None) -> float:
    ray = (item.bearing.x, item.bearing.y, item.bearing.z)
    if all(math.isfinite(value) for value in ray) and (ray[0] or ray[2]):  # not straight down
        return -math.atan2(ray[0], ray[2])
    pixel = np.array([[item.centroid.x, item.centroid.y]])
    if camera is None or not np.isfinite(pixel).all() or not camera.inside(pixel)[0]:
        return math.nan
    x, _, z = camera.rays(pixel)[0]
    return -math.atan2(x, z)


def target_pose(item: TrackedObject, bearing: float) -> PoseStamped | None:
    """Where the target is, or None while its position is unknown.

    In the camera's frame, on the stamp of the image. Its x axis points away from the camera and
    its z axis up, so that whoever goes there, as Nav2 may, arrives looking the way he came.

    Args:
        item: the target.
        bearing: to it.
    """
    point = item.position.point
    if not all(math.isfinite(value) for value in (point.x, point.y, point.z, bearing)):
        return None
    # Of a frame of x forward, y left, z up in the optical frame, turned by the bearing about z.
    half_cos, half_sin = math.cos(bearing / 2) / 2, math.sin(bearing / 2) / 2
    turned = Quaternion(
        x=half_cos - half_sin,
        y=-half_cos - half_sin,
        z=half_cos + half_sin,
        w=half_cos - half_sin,
    )
    return PoseStamped(header=item.position.header, pose=Pose(position=point, orientation=turned))

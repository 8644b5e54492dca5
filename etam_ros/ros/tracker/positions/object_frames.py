"""Coordinate frames `object_ID` on /tf, where tf2_msgs is installed and somebody wants them."""

from __future__ import annotations

from collections.abc import Callable

from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from std_msgs.msg import Header

from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.qos import BROADCAST_TRANSFORMS
from etam_ros.ros.tracker.frames import ProcessedFrame

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # there are no frames then
    TFMessage = None


class ObjectFrames:
    """Publishes where objects are as children of the camera's optical frame, turned as it is.

    An object whose position is unknown has no frame on that stamp: what TF knew of it grows old.

    Args:
        endpoints: get the publisher.
        warn: told in words that there can be no frames.
    """

    def __init__(self, endpoints: Endpoints, warn: Callable[[str], None]) -> None:
        self._publisher = None
        if TFMessage is None:
            warn(
                "tf.objects is true and tf2_msgs is not installed, no frames are published: apt "
                "install ros-$ROS_DISTRO-tf2-msgs"
            )
            return
        self._publisher = endpoints.publisher(TFMessage, "/tf", BROADCAST_TRANSFORMS)

    def publish(self, processed: ProcessedFrame) -> None:
        """Give out the frames of one image; one without a name has no place in TF."""
        transforms = [
            _transform(object_id, position.point, processed.header)
            for object_id, position in processed.positions.items()
            if position.known and processed.header.frame_id
        ]
        if transforms and self._publisher is not None:
            self._publisher.publish(TFMessage(transforms=transforms))


def _transform(
    object_id: int, point: tuple[float, float, float], header: Header
) -> TransformStamped:
    x, y, z = point
    return TransformStamped(
        header=header,
        child_frame_id=f"object_{object_id}",
        transform=Transform(
            translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=0.0, y=0.0, z=0.0, w=1.0)
        ),
    )

"""Points from one coordinate frame in another, by TF where tf2_ros is installed."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import PointStamped, Quaternion
from numpy.typing import NDArray
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.time import Time

from etam_ros.errors import PromptError
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.messages import stamp_ns

try:
    import tf2_ros
except ImportError:  # other frames than the camera's are refused then
    tf2_ros = None


class CoordinateFrames:
    """Listens to TF as long as its endpoints live.

    Args:
        endpoints: end it; their node gets the subscriptions.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._buffer = None
        if tf2_ros is not None:
            node = endpoints.node
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, node, spin_thread=False)
            # A bag that starts over under /clock: what comes would be older than all that is kept.
            back = JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
            )
            self._jumps = node.get_clock().create_jump_callback(back, post_callback=self._on_jump)
            endpoints.at_end(self._close)

    def point_in(
        self, frame_id: str, stamp: TimeMessage, point: PointStamped
    ) -> NDArray[np.float64]:
        """Where a point lies in another coordinate frame, (3,) metres.

        Args:
            frame_id: the frame that is asked for; empty where it has no name.
            stamp: when; where TF knows nothing of that time, its latest transform counts.
            point: in any frame; an empty one is the frame that is asked for.

        Raises:
            PromptError: it is not finite, or there is no transform.
        """
        source = point.header.frame_id
        xyz = np.array([point.point.x, point.point.y, point.point.z])
        if not np.isfinite(xyz).all():
            raise PromptError(
                f"clicked point {tuple(xyz.tolist())} is not finite, expected metres"
            )
        if source in ("", frame_id):
            return xyz
        if not frame_id:
            raise PromptError(
                f"clicked point is in frame {source!r:.80} and the image names no frame: let the "
                "camera fill in frame_id"
            )
        buffer = self._buffer
        if buffer is None:
            raise PromptError(
                f"clicked point is in frame {source!r:.80}, expected {frame_id!r:.80} as the "
                "image has: show that frame in RViz (Fixed Frame), or install tf2_ros "
                "(ros-$ROS_DISTRO-tf2-ros-py)"
            )
        try:
            try:
                when = Time(nanoseconds=max(stamp_ns(stamp), 0))
                found = buffer.lookup_transform(frame_id, source, when)
            except tf2_ros.ExtrapolationException:
                found = buffer.lookup_transform(frame_id, source, Time())
        except tf2_ros.TransformException as error:
            reason = " ".join(str(error).split())
            raise PromptError(
                f"clicked point is in frame {source!r:.80} and TF has no transform from there to "
                f"the camera's, {frame_id!r:.80} ({reason:.200}): publish one, or show the "
                "camera's frame in RViz (Fixed Frame)"
            ) from error
        moved = found.transform.translation
        turned = _rotated(xyz, found.transform.rotation)
        return turned + np.array([moved.x, moved.y, moved.z])

    def _close(self) -> None:
        self._jumps.unregister()
        self._listener.unregister()
        self._buffer = None

    def _on_jump(self, jump: object) -> None:
        buffer = self._buffer
        if buffer is not None:
            buffer.clear()  # static transforms stay


def _rotated(xyz: NDArray[np.float64], rotation: Quaternion) -> NDArray[np.float64]:
    """A (3,) vector turned by a unit quaternion."""
    axis = np.array([rotation.x, rotation.y, rotation.z])
    turned: NDArray[np.float64] = xyz + 2 * np.cross(axis, np.cross(axis, xyz) + rotation.w * xyz)
    return turned

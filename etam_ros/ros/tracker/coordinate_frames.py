"""Points from one coordinate frame in another, by TF where tf2_ros is installed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import PointStamped, Quaternion, TransformStamped
from numpy.typing import NDArray
from rclpy.callback_groups import CallbackGroup
from rclpy.subscription import Subscription
from rclpy.time import Time

from etam_ros.errors import PromptError
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.messages import NS_PER_S, stamp_ns
from etam_ros.ros.qos import STATIC_TRANSFORMS, TRANSFORMS

try:
    import tf2_ros
    from tf2_msgs.msg import TFMessage
except ImportError:  # other frames than the camera's are refused then
    tf2_ros = TFMessage = None

KEPT_NS: Final = 10 * NS_PER_S
"""For how long TF keeps a transform: an older one it ignores."""


class CoordinateFrames:
    """Transforms of TF, which arrives as long as the endpoints live.

    Robots move several hundred times a second, and an operator clicks once in a while: messages
    wait in the middleware until `catch_up` reads them, so that they cost nothing before.

    Args:
        endpoints: get the subscriptions.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._lock = threading.Lock()  # held while messages are read
        self._closed = False
        self._sources: list[tuple[Subscription, Callable[[TransformStamped, str], None]]] = []
        self._newest_ns: dict[str, int] = {}  # by the frame that moves
        if tf2_ros is None:
            return
        self._buffer = tf2_ros.BufferCore()
        endpoints.at_end(self._close)
        for topic, profile, keep in (
            ("/tf_static", STATIC_TRANSFORMS, self._buffer.set_transform_static),
            ("/tf", TRANSFORMS, self._keep),
        ):
            made = endpoints.subscribe(TFMessage, topic, _nobody_calls, profile, _NeverCalled())
            self._sources.append((made, keep))

    def catch_up(self) -> None:
        """Read what has arrived; takes up to a few tenths of a second, after a long time."""
        with self._lock:
            for subscription, keep in () if self._closed else self._sources:
                handle = subscription.handle
                with handle:
                    while (taken := handle.take_message(TFMessage, False)) is not None:
                        for transform in taken[0].transforms:
                            keep(transform, "")

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
            numbers = ", ".join(map(str, xyz.tolist()))
            raise PromptError(f"clicked point ({numbers}) is not finite, expected metres")
        if source in ("", frame_id):
            return xyz
        if not frame_id:
            raise PromptError(
                f"clicked point is in frame {source!r:.80}, but the image has an empty frame_id: "
                "let the camera driver set it"
            )
        if tf2_ros is None:
            raise PromptError(
                f"clicked point is in frame {source!r:.80}, expected {frame_id!r:.80} like the "
                "image: show that frame in RViz (Fixed Frame), or install tf2_ros "
                "(ros-$ROS_DISTRO-tf2-ros-py)"
            )
        try:
            found = self._transform(frame_id, source, stamp)
        except tf2_ros.TransformException as error:
            reason = " ".join(str(error).split())
            raise PromptError(
                f"clicked point is in frame {source!r:.80}, but TF has no transform from it to "
                f"the camera's, {frame_id!r:.80} ({reason:.200}): publish one, or show the "
                "camera's frame in RViz (Fixed Frame)"
            ) from error
        moved = found.transform.translation
        turned = _rotated(xyz, found.transform.rotation)
        return turned + np.array([moved.x, moved.y, moved.z])

    def _transform(self, frame_id: str, source: str, stamp: TimeMessage) -> TransformStamped:
        when = Time(nanoseconds=max(stamp_ns(stamp), 0))  # 0 is the latest, to TF
        try:
            return self._buffer.lookup_transform_core(frame_id, source, when)
        except tf2_ros.ExtrapolationException:
            return self._buffer.lookup_transform_core(frame_id, source, Time())

    def _keep(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform; where time went back, as when a bag starts over, after all others."""
        now_ns, child = stamp_ns(transform.header.stamp), transform.child_frame_id
        if now_ns < self._newest_ns.get(child, now_ns) - KEPT_NS:
            self._buffer.clear()  # static ones stay
            self._newest_ns.clear()
        self._newest_ns[child] = now_ns
        self._buffer.set_transform(transform, authority)

    def _close(self) -> None:
        with self._lock:
            self._closed = True


class _NeverCalled(CallbackGroup):
    """For subscriptions whose messages are taken by hand: no executor waits for them."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


def _nobody_calls(message: object) -> None:
    pass


def _rotated(xyz: NDArray[np.float64], rotation: Quaternion) -> NDArray[np.float64]:
    """A (3,) vector turned by a unit quaternion."""
    axis = np.array([rotation.x, rotation.y, rotation.z])
    turned: NDArray[np.float64] = xyz + 2 * np.cross(axis, np.cross(axis, xyz) + rotation.w * xyz)
    return turned

"""`~/tracked_detections`: the objects as boxes with ids, for those who know vision_msgs."""

from __future__ import annotations

from std_msgs.msg import Header

from etam_ros.records import FrameResult, ObjectState
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.qos import OBJECTS

try:
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose
except ImportError:  # nobody can subscribe then
    Detection2D = Detection2DArray = ObjectHypothesisWithPose = None


class TrackedDetections:
    """Publishes the boxes of each frame while somebody subscribes, where vision_msgs is installed.

    Args:
        endpoints: get the publisher.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._publisher = None
        if Detection2DArray is not None:
            self._publisher = endpoints.publisher(
                Detection2DArray, "~/tracked_detections", OBJECTS
            )

    def publish(self, result: FrameResult, header: Header) -> None:
        """Give out the visible objects of one frame.

        Args:
            result: of that frame.
            header: the frame's own.
        """
        if self._publisher is None or not self._publisher.get_subscription_count():
            return
        visible = (state for state in result.objects if not state.occluded)
        found = [_detection(state, header) for state in visible]
        self._publisher.publish(Detection2DArray(header=header, detections=found))


def _detection(state: ObjectState, header: Header) -> object:
    """The box of the main piece; the centre of a box of one pixel is that pixel's."""
    x0, y0, x1, y1 = state.box
    made = Detection2D(header=header, id=str(state.object_id))
    made.bbox.center.position.x = (x0 + x1 - 1) / 2
    made.bbox.center.position.y = (y0 + y1 - 1) / 2
    made.bbox.size_x, made.bbox.size_y = float(x1 - x0), float(y1 - y0)
    likeliest = ObjectHypothesisWithPose()
    likeliest.hypothesis.class_id = state.label
    likeliest.hypothesis.score = float(state.iou_score)
    made.results = [likeliest]
    return made

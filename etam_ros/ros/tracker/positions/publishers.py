"""Who is shown positions beside `~/objects`: RViz by markers, and TF."""

from __future__ import annotations

from collections.abc import Callable

from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.positions.markers import ObjectMarkers
from etam_ros.ros.tracker.positions.object_frames import ObjectFrames


class PositionPublishers:
    """`~/markers` and, with `tf.objects`, coordinate frames on /tf.

    Args:
        endpoints: get the publishers.
        settings: asked for the present ones.
        warn: told in words what cannot be published.
        on_fault: told what failed and by which error that nobody expected.

    Attributes:
        markers: to be offered every frame, and ended.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        settings: Callable[[], Settings],
        *,
        warn: Callable[[str], None],
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self.markers = ObjectMarkers(
            endpoints, lambda: settings().object_markers, on_fault=on_fault
        )
        self._frames = ObjectFrames(endpoints, warn) if settings().tf.objects else None

    @property
    def wanted(self) -> bool:
        """Whether somebody is to be told positions."""
        return self._frames is not None or self.markers.wanted

    def publish(self, processed: ProcessedFrame) -> None:
        """Give out the coordinate frames of one image; markers follow in their own thread."""
        if self._frames is not None:
            self._frames.publish(processed)

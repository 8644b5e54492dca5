"""Which markers RViz shows for one frame, and which pixel of it a click on one of them means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import Header

from etam_ros.errors import PromptError
from etam_ros.records import FrameResult, ObjectState
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.tracker.rviz.marker_server import ShownMarker
from etam_ros.ros.tracker.rviz.shapes import (
    MARK_DEPTH,
    MARK_SIZE,
    known_rays,
    mark_title,
    object_mark,
    pane,
    pane_triangles,
    picture_width_m,
)

PANE: Final = "picture"
UNNAMED_FRAME: Final = "camera_optical_frame"
"""Where images name no coordinate frame: RViz needs one."""
STEP_PX: Final = 0.5
"""A mark moves by such steps, so that one that stands still is not sent again."""


@dataclass(frozen=True, eq=False)
class Pane:
    """Where the picture is in space.

    Attributes:
        model: of the camera.
        frame_id: its optical frame.
        distance_m: of the plane on which the picture is shown.
        width_m: of the picture on that plane.
        marker: to click on; None where no part of the picture has a known direction.
    """

    model: CameraModel
    frame_id: str
    distance_m: float
    width_m: float
    marker: ShownMarker | None

    @classmethod
    def of(cls, model: CameraModel, frame_id: str, distance_m: float) -> Pane:
        """Lay the picture onto a plane before the camera."""
        triangles = pane_triangles(model, distance_m)
        marker = ShownMarker(
            PANE,
            frame_id,
            (0.0, 0.0, 0.0),
            triangles.tobytes(),
            partial(pane, PANE, frame_id, triangles),
        )
        width_m = picture_width_m(model, distance_m)
        return cls(model, frame_id, distance_m, width_m, marker if len(triangles) else None)

    def fits(self, model: CameraModel, frame_id: str, distance_m: float) -> bool:
        """Whether it would come out the same for these."""
        mine = self.model
        return (
            (self.frame_id, self.distance_m) == (frame_id, distance_m)
            and (mine.hw, mine.fisheye) == (model.hw, model.fisheye)
            and np.array_equal(mine.matrix, model.matrix)
            and np.array_equal(mine.distortion, model.distortion)
        )


@dataclass(frozen=True, eq=False)
class MarkerScene:
    """What RViz shows of one frame.

    Attributes:
        result: what the tracker says of it.
        header: the image's own.
        pane: where the picture is.
    """

    result: FrameResult
    header: Header
    pane: Pane

    def markers(self) -> list[ShownMarker]:
        """The pane, and a mark for each visible object."""
        visible = [state for state in self.result.objects if not state.occluded]
        marks = [self._mark(state) for state in visible]
        return [marker for marker in (self.pane.marker, *marks) if marker is not None]

    def object_of(self, name: str) -> ObjectState | None:
        """The object whose mark has that name; None for the pane.

        Raises:
            PromptError: nothing of that name is shown.
        """
        for state in self.result.objects:
            if not state.occluded and _name(state) == name:
                return state
        if name == PANE and self.pane.marker is not None:
            return None
        shown = ", ".join(marker.name for marker in self.markers()) or "none"
        raise PromptError(f"there is no marker {name!r:.80} to click on, expected one of: {shown}")

    def pixel(self, point: Point, frame_id: str) -> tuple[float, float]:
        """The pixel of the picture at which a point is seen, (x, y).

        Args:
            point: that was clicked on.
            frame_id: coordinate frame in which it is.

        Raises:
            PromptError: it is in another frame, not before the camera, or outside the picture.
        """
        if frame_id != self.pane.frame_id:
            raise PromptError(
                f"click is in frame {frame_id!r:.80}, expected {self.pane.frame_id!r:.80} like "
                "the markers"
            )
        where = (point.x, point.y, point.z)
        if not all(math.isfinite(value) for value in where) or point.z <= 0:
            raise PromptError(
                f"click is at ({point.x:g}, {point.y:g}, {point.z:g}) m, expected a point in "
                "front of the camera: click on the image"
            )
        ((x, y),) = self.pane.model.project(np.array([where])).tolist()
        height, width = self.result.image_hw
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise PromptError(
                f"click is at pixel ({x:g}, {y:g}), expected one in the frame of {width} x "
                f"{height}: click on the image"
            )
        return x, y

    def _mark(self, state: ObjectState) -> ShownMarker | None:
        """An object's mark on its centroid; None where the camera's model knows no direction."""
        x, y = (round(value / STEP_PX) * STEP_PX for value in state.centroid)
        ray = known_rays(self.pane.model, np.array([[x, y]]))[0]
        if not np.isfinite(ray).all():
            return None
        x_m, y_m, z_m = (ray * (self.pane.distance_m * MARK_DEPTH)).tolist()
        size_m = MARK_SIZE * self.pane.width_m
        make = partial(
            object_mark,
            _name(state),
            self.pane.frame_id,
            (x_m, y_m, z_m),
            object_id=state.object_id,
            label=state.label,
            size_m=size_m,
        )
        look = (mark_title(state.object_id, state.label), size_m)
        return ShownMarker(_name(state), self.pane.frame_id, (x_m, y_m, z_m), look, make)


def _name(state: ObjectState) -> str:
    return f"object_{state.object_id}"

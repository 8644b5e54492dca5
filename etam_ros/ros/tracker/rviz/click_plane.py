"""The image as a plane of coloured points before the camera, so that RViz can click on it.

RViz answers clicks only where something is drawn, and with the point in space that was hit; its
squares, of 8 mm in `config/tracker.rviz`, must leave no gaps.

Letters: h, w rows and columns of points, one for each cell of pixels; N points of them that are
left.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from etam_ros.config import ClickPlaneConfig
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.parameters import Settings
from etam_ros.ros.qos import RESULT_IMAGES
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.displays import Display
from etam_ros.ros.tracker.frames import ProcessedFrame

FIELDS: Final = ("x", "y", "z", "rgb")
PLANE_THREAD: Final = "click_plane"
SQUARE_M: Final = 0.008
"""Side of the squares with which `config/tracker.rviz` draws the points. Larger ones cover each
other, and move the picture by half of what they are too large."""
THROTTLE_S: Final = 1.0
"""Seconds between two log lines about gaps: the lens of a camera that zooms is always another."""
REMEMBERED: Final = 32
"""Planes of which is known when they were published: the last seconds."""
WIDEST: Final = math.tan(math.radians(80))
"""Points further off the camera's axis, times their distance, are left out."""
POINT: Final = np.dtype([(name, "<u4" if name == "rgb" else "<f4") for name in FIELDS])
"""One point; rgb is 0x00RRGGBB, in a field that is called a float, as RViz expects."""


@dataclass(frozen=True)
class ShownPlane:
    """A plane that was published.

    Attributes:
        header: of the image that is on it.
        model: by which its pixels became points.
        distance_m: from the camera, along its axis.
        published_ns: by the node's clock.
    """

    header: Header
    model: CameraModel
    distance_m: float
    published_ns: int


class PlaneCloud:
    """The points of pictures of one camera, in one message that every picture reuses.

    Args:
        model: of the camera.
        config: distance and number of the points.

    Attributes:
        spacing_m: the largest distance between two points side by side.
        gaps: share of the neighbours that are further apart than RViz's squares are wide.
    """

    def __init__(self, model: CameraModel, config: ClickPlaneConfig) -> None:
        height, width = model.hw
        step = math.ceil(width / config.columns)
        self._rows, ys = _cells(height, step)
        self._columns, xs = _cells(width, step)
        pixels = np.stack(np.meshgrid(xs, ys), axis=-1)  # (h, w, 2)
        rays = model.rays(pixels.reshape(-1, 2))  # (h * w, 3)
        with np.errstate(invalid="ignore"):
            kept = np.hypot(rays[:, 0], rays[:, 1]) <= WIDEST  # not those that are NaN
        rays[~kept] = np.nan
        points = rays.reshape(len(ys), len(xs), 3) * config.distance_m
        steps = _steps(points)
        self.spacing_m = float(steps.max(initial=0.0))
        self.gaps = float((steps > SQUARE_M).mean()) if len(steps) else 0.0
        self._kept = kept.nonzero()[0]  # (N,)
        self._message = _empty_cloud(len(self._kept))
        self._points: NDArray[np.void] = np.frombuffer(self._message.data, POINT)
        for axis, name in enumerate("xyz"):
            self._points[name] = points.reshape(-1, 3)[self._kept, axis]

    def filled(self, processed: ProcessedFrame, opacity: float) -> PointCloud2:
        """The message of a frame, overwritten by the next call.

        Args:
            processed: a frame of the size of the model's.
            opacity: of the masks' colours, 0..1.
        """
        from etam_ros.drawing.label_tint import tint_labels  # only where somebody subscribes

        picture = processed.image.take(self._rows, 0).take(self._columns, 1)  # (h, w, 3)
        labels = processed.result.label_image.take(self._rows, 0).take(self._columns, 1)
        tinted = tint_labels(picture, labels, opacity)
        colours = cv2.cvtColor(tinted, cv2.COLOR_RGB2BGRA).view("<u4").reshape(-1)  # (h * w,)
        np.bitwise_and(colours[self._kept], 0x00FFFFFF, out=self._points["rgb"])
        self._message.header = processed.header
        return self._message


class ClickPlanePublisher(Display[ProcessedFrame]):
    """`~/click_plane`, made in a thread of its own while somebody subscribes.

    Args:
        endpoints: get the publisher.
        camera: has the models.
        settings: asked for the present ones.
        on_fault: told, in the thread, what failed and by which error that nobody expected.

    """

    def __init__(
        self,
        endpoints: Endpoints,
        camera: Camera,
        settings: Callable[[], Settings],
        *,
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._node = endpoints.node
        self._camera = camera
        self._settings = settings
        self._publisher = endpoints.publisher(PointCloud2, "~/click_plane", RESULT_IMAGES)
        self._due_s = 0.0
        self._cloud: PlaneCloud | None = None  # of what follows
        self._cloud_of: tuple[CameraModel, ClickPlaneConfig] | None = None
        self._lock = threading.Lock()  # guards what follows
        self._shown: deque[ShownPlane] = deque(maxlen=REMEMBERED)
        super().__init__(PLANE_THREAD, self._publish, on_fault)

    def offer(self, processed: ProcessedFrame) -> None:
        """Have a frame shown if somebody subscribes and it is time; returns at once."""
        now_s = time.monotonic()
        if now_s >= self._due_s and self._publisher.get_subscription_count():
            period_s = 1 / self._settings().click_plane.max_rate_hz
            self._due_s = max(self._due_s + period_s, now_s)
            self._thread.offer(processed)

    def shown(self, at_ns: int) -> ShownPlane | None:
        """The plane that somebody saw at a time of the node's clock.

        Returns:
            the last one that was published until then. The very last one where that is not known:
            for time 0, for a clock that is far behind. None where nobody sees any.
        """
        if not self._publisher.get_subscription_count():
            return None
        with self._lock:
            planes = list(self._shown)
        until_then = [plane for plane in planes if plane.published_ns <= at_ns]
        return next(reversed(until_then or planes), None)

    def drain(self) -> None:
        """Publish nothing more of what was offered, and remember no plane."""
        super().drain()
        with self._lock:
            self._shown.clear()

    def _publish(self, processed: ProcessedFrame) -> None:
        settings, model = self._settings(), self._camera.model_for(processed.result.image_hw)
        cloud = self._cloud_for(model, settings.click_plane)
        self._publisher.publish(cloud.filled(processed, settings.overlay.opacity))
        published_ns = self._node.get_clock().now().nanoseconds
        distance_m = settings.click_plane.distance_m
        with self._lock:
            self._shown.append(ShownPlane(processed.header, model, distance_m, published_ns))

    def _cloud_for(self, model: CameraModel, config: ClickPlaneConfig) -> PlaneCloud:
        """The one before where nothing has changed."""
        if self._cloud is None or self._cloud_of != (model, config):
            self._cloud, self._cloud_of = PlaneCloud(model, config), (model, config)
            if self._cloud.gaps:
                self._node.get_logger().warning(
                    f"clicks can fall between the points of ~/click_plane: {self._cloud.gaps:.1%} "
                    f"of them are further than {1000 * SQUARE_M:.0f} mm from the next, up to "
                    f"{1000 * self._cloud.spacing_m:.0f} mm: set the size of RViz's squares to "
                    "that, lower click_plane.distance_m or raise click_plane.columns",
                    throttle_duration_sec=THROTTLE_S,
                )
        return self._cloud


def _cells(pixels: int, step: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """A pixel in each cell of `step`, the one nearest to its centre, and the centres."""
    first = np.arange(0, pixels, step)
    last = np.minimum(first + step, pixels) - 1  # the last cell may be smaller
    return (first + last) // 2, (first + last) / 2


def _steps(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances between neighbours in a row or column of (h, w, 3) points that are not NaN."""
    steps = [np.linalg.norm(np.diff(points, axis=axis), axis=-1).ravel() for axis in (0, 1)]
    lengths = np.concatenate(steps)
    return lengths[np.isfinite(lengths)]


def _empty_cloud(points: int) -> PointCloud2:
    message = PointCloud2(
        height=1,
        width=points,
        fields=[
            PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
            for index, name in enumerate(FIELDS)
        ],
        is_bigendian=False,
        point_step=POINT.itemsize,
        row_step=POINT.itemsize * points,
        is_dense=True,
    )
    message.data.frombytes(bytes(message.row_step))  # the setter would copy once more
    return message

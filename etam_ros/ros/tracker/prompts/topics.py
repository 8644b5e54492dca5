"""Prompts and clicks that come on topics: each becomes a request to the worker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from geometry_msgs.msg import Point, PointStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from etam_ros.msg import Prompt as PromptMessage
from etam_ros.records import BACKGROUND, FOREGROUND
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.parameters import Settings
from etam_ros.ros.qos import PROMPTS
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.coordinate_frames import CoordinateFrames
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.prompts.actions import (
    Click,
    apply_click,
    apply_detections,
    apply_prompt,
)
from etam_ros.ros.tracker.prompts.clicked_points import ClickedPoints
from etam_ros.ros.tracker.prompts.requests import ask
from etam_ros.ros.tracker.rviz.click_plane import ClickPlanePublisher
from etam_ros.ros.tracker.worker import Worker

try:
    from vision_msgs.msg import Detection2DArray
except ImportError:  # there are no detections then
    Detection2DArray = None


class PromptTopics:
    """`~/prompt` and everything that can be clicked on, while the node is active.

    Args:
        endpoints: get the subscriptions.
        worker: does what they ask.
        settings: asked for the present ones; sources are as they are now.
        on_refused: told the topic and, in words, what was not applied, in any thread.
        camera: sees what is clicked on in space.
        plane: may be what is clicked on.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        worker: Worker,
        settings: Callable[[], Settings],
        on_refused: Callable[[str, str], None],
        *,
        camera: Camera,
        plane: ClickPlanePublisher,
    ) -> None:
        self._worker = worker
        self._settings = settings
        self._on_refused = on_refused
        group = MutuallyExclusiveCallbackGroup()  # prompts keep their order
        sources = settings().sources
        if sources.clicked_point:
            self._points = ClickedPoints(camera, CoordinateFrames(endpoints), plane)
        overlay_mouse = endpoints.node.resolve_topic_name("~/overlay") + "_mouse_left"
        for wanted, message_type, topic, callback in (
            (sources.prompt, PromptMessage, "~/prompt", self.on_prompt),
            (sources.click, PointStamped, "~/click", partial(self.on_click, FOREGROUND)),
            (
                sources.click_background,
                PointStamped,
                "~/click_background",
                partial(self.on_click, BACKGROUND),
            ),
            (sources.mouse_left, Point, "mouse_left", self.on_mouse),
            (sources.overlay_mouse_left, Point, overlay_mouse, self.on_mouse),
            (sources.clicked_point, PointStamped, "clicked_point", self.on_clicked_point),
            (sources.detections, Detection2DArray, "detections", self.on_detections),
        ):
            if wanted and message_type is not None:
                endpoints.subscribe(message_type, topic, partial(callback, topic), PROMPTS, group)

    def on_prompt(self, topic: str, message: PromptMessage) -> None:
        """A prompt of any kind."""
        self._submit(topic, partial(apply_prompt, message, topic))

    def on_click(self, label: int, topic: str, message: PointStamped) -> None:
        """A click on the frame of its stamp."""
        point = (message.point.x, message.point.y)
        self._click(Click(point, topic, label, message.header))

    def on_mouse(self, topic: str, message: Point) -> None:
        """A click of rqt_image_view, which knows no stamp."""
        self._click(Click((message.x, message.y), topic, rounded=True))

    def on_clicked_point(self, topic: str, message: PointStamped) -> None:
        """A click of RViz in space."""
        self._points.frames.catch_up()  # here, and not in the worker's thread
        meaning = self._settings().clicks.meaning
        self._submit(topic, partial(self._points.apply, message, topic, meaning))

    def on_detections(self, topic: str, message: Detection2DArray) -> None:
        """Boxes that a detector found on the frame of their stamp."""
        config = self._settings().detections
        self._submit(topic, partial(apply_detections, message, topic, config))

    def _click(self, click: Click) -> None:
        meaning = self._settings().clicks.meaning
        self._submit(click.source, partial(apply_click, click, meaning))

    def _submit(self, topic: str, action: Callable[[Tracking], object]) -> None:
        ask(self._worker.submit, partial(self._on_refused, topic), action)

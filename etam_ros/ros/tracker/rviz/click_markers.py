"""`~/clicks`: the picture and its objects as interactive markers, whose clicks are prompts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from geometry_msgs.msg import Point32
from std_msgs.msg import Header
from visualization_msgs.msg import InteractiveMarkerFeedback as Feedback

from etam_ros.clicks import object_at
from etam_ros.errors import PromptError
from etam_ros.msg import Prompt as PromptMessage
from etam_ros.records import BACKGROUND, FOREGROUND, FrameResult
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.displays import Display
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.prompts.actions import (
    Click,
    apply_click,
    apply_prompt,
    remove_object,
    reset,
    select_object,
)
from etam_ros.ros.tracker.rviz.marker_server import MarkerServer, ShownMarker
from etam_ros.ros.tracker.rviz.scene import UNNAMED_FRAME, MarkerScene, Pane
from etam_ros.ros.tracker.rviz.shapes import MenuItem

NAMESPACE: Final = "~/clicks"
THREAD: Final = "click markers"
OF_NO_MEANING: Final = (
    Feedback.KEEP_ALIVE, Feedback.POSE_UPDATE, Feedback.MOUSE_DOWN, Feedback.MOUSE_UP,
)  # fmt: skip
"""Events that RViz sends around a click."""

Action = Callable[[Tracking], object]
Shown = tuple[FrameResult, Header]


class ClickMarkers(Display[Shown]):
    """Shows markers where somebody listens, and makes requests of what is done to them.

    Markers are made in a thread of their own, at most `markers.max_rate_hz` times a second; a
    frame takes the place of one that waits.

    Args:
        endpoints: get topics and service.
        camera: has the models.
        settings: asked for the present ones.
        ask: hands a request to the worker.
        on_refused: told in words what was not applied, in any thread.
        on_fault: told, in the thread, what failed and by which error that nobody expected.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        camera: Camera,
        settings: Callable[[], Settings],
        ask: Callable[[Action], None],
        on_refused: Callable[[str], None],
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._camera = camera
        self._settings = settings
        self._ask = ask
        self._on_refused = on_refused
        self._say = endpoints.node.get_logger().info
        self._newest: Shown | None = None
        self._pane: Pane | None = None
        self._scene: MarkerScene | None = None  # that was shown last
        self._ending = threading.Event()
        super().__init__(THREAD, self._show, on_fault)
        self._server = MarkerServer(endpoints, NAMESPACE, self._markers_now, self.on_feedback)

    def offer(self, processed: ProcessedFrame) -> None:
        """Have a frame's markers shown if somebody listens; returns at once."""
        self._newest = (processed.result, processed.header)
        if self._server.wanted:
            self._thread.offer(self._newest)

    def drain(self) -> None:
        """Publish nothing more of what was offered, nor of what comes after it."""
        self._ending.set()  # the thread may be waiting for its time
        super().drain()

    def stop(self) -> None:
        """Let the thread end; returns at once."""
        self._ending.set()
        super().stop()

    def on_feedback(self, message: Feedback) -> None:
        """Something was done to a marker."""
        if message.event_type in OF_NO_MEANING:
            return
        try:
            self._serve(message)
        except PromptError as error:
            self._on_refused(str(error))

    def _show(self, shown: Shown) -> None:
        self._server.show(self._lay_out(shown))
        self._ending.wait(1.0 / self._settings().markers.max_rate_hz)

    def _markers_now(self) -> Sequence[ShownMarker]:
        newest = self._newest
        return () if newest is None else self._lay_out(newest)

    def _lay_out(self, shown: Shown) -> Sequence[ShownMarker]:
        result, header = shown
        model = self._camera.model_for(result.image_hw)
        distance_m = self._settings().click_plane.distance_m
        frame_id = header.frame_id or UNNAMED_FRAME
        pane = self._pane
        if pane is None or not pane.fits(model, frame_id, distance_m):
            self._pane = pane = Pane.of(model, frame_id, distance_m)
        self._scene = scene = MarkerScene(result, header, pane)
        return scene.markers()

    def _serve(self, message: Feedback) -> None:
        scene = self._scene
        if scene is None:
            raise PromptError("there is no marker to click on before the first image arrives")
        state = scene.object_of(message.marker_name)
        item = _item_of(message)
        if state is None:
            self._on_pane(item, scene, message)
        else:
            self._on_object(item or MenuItem.SELECT, state.object_id, scene, message)

    def _on_pane(self, item: MenuItem | None, scene: MarkerScene, message: Feedback) -> None:
        """What was asked for at a place of the picture; None is a left click there."""
        if item is MenuItem.RESET:
            self._ask(partial(reset, NAMESPACE))
            return
        point = _pixel_of(message, scene)
        if item in (None, MenuItem.NEW, MenuItem.BACKGROUND):
            meaning = "new" if item is MenuItem.NEW else self._settings().clicks.meaning
            label = BACKGROUND if item is MenuItem.BACKGROUND else FOREGROUND
            click = Click(point, NAMESPACE, label, scene.header)
            self._ask(partial(apply_click, click, meaning))
            return
        object_id = object_at(point, scene.result)
        if not object_id:
            x, y = point
            verb = "select" if item is MenuItem.SELECT else "remove"
            raise PromptError(f"no object is at ({x:g}, {y:g}) to {verb}: click on its mask")
        self._on_object(item, object_id, scene, message)

    def _on_object(
        self, item: MenuItem | None, object_id: int, scene: MarkerScene, message: Feedback
    ) -> None:
        """What was asked for of one object."""
        if item is MenuItem.RESET:
            self._ask(partial(reset, NAMESPACE))
        elif item is MenuItem.REMOVE:
            self._ask(partial(remove_object, object_id, NAMESPACE))
        elif item is MenuItem.SELECT:
            self._ask(partial(_select, object_id, self._say))
        elif item is MenuItem.BACKGROUND:
            x, y = _pixel_of(message, scene)
            prompt = PromptMessage(
                header=scene.header,
                object_id=object_id,
                points=[Point32(x=x, y=y)],
                point_labels=[BACKGROUND],
                keep_previous=True,
            )
            self._ask(partial(apply_prompt, prompt, NAMESPACE))
        else:
            raise PromptError(
                f"the menu of an object has no {item.name if item else 'such'} entry"
            )


def _item_of(message: Feedback) -> MenuItem | None:
    """What a feedback asks for; None is a left click.

    Raises:
        PromptError: nothing that is on a menu.
    """
    if message.event_type == Feedback.BUTTON_CLICK:
        return None
    if message.event_type != Feedback.MENU_SELECT:
        raise PromptError(
            f"feedback has event type {message.event_type}, expected {Feedback.BUTTON_CLICK} "
            f"(click) or {Feedback.MENU_SELECT} (menu)"
        )
    try:
        return MenuItem(message.menu_entry_id)
    except ValueError:
        known = ", ".join(f"{item.value} ({item.name})" for item in MenuItem)
        raise PromptError(
            f"feedback has menu entry {message.menu_entry_id}, expected one of {known}"
        ) from None


def _pixel_of(message: Feedback, scene: MarkerScene) -> tuple[float, float]:
    if not message.mouse_point_valid:
        raise PromptError(
            "click has no valid point, expected one on the image: click on the image"
        )
    return scene.pixel(message.mouse_point, message.header.frame_id)


def _select(object_id: int, say: Callable[[str], Any], tracking: Tracking) -> None:
    select_object(object_id, tracking)
    say(f"object {object_id} is selected, from {NAMESPACE}")

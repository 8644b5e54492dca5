"""Clicks, prompts and the services: each becomes a request to the worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from geometry_msgs.msg import PointStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from etam_ros.errors import EtamError, ObjectError, PromptError
from etam_ros.msg import Prompt as PromptMessage
from etam_ros.msg import TrackedObject
from etam_ros.records import BACKGROUND, FOREGROUND, NEW_OBJECT, Prompt
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.messages import check_prompt_frame, prompt_from_message, tracked_object
from etam_ros.ros.qos import PROMPTS
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.requests import Answer, wait_for_answer
from etam_ros.ros.tracker.worker import Worker
from etam_ros.srv import AddPrompt, RemoveObject


def apply_prompt(message: PromptMessage, tracking: Tracking) -> tuple[TrackedObject, Header]:
    """Give the tracker a prompt; runs in the worker.

    Returns:
        the object on the newest frame, and that frame's header.
    """
    newest = check_prompt_frame(message.header, tracking.newest)
    state = tracking.tracker.add_prompt(prompt_from_message(message))
    return tracked_object(state, newest), newest


def apply_click(message: PointStamped, tracking: Tracking) -> None:
    """Start an object with one foreground click."""
    check_prompt_frame(message.header, tracking.newest)
    tracking.tracker.add_prompt(_click(message, NEW_OBJECT, FOREGROUND))


def apply_background_click(message: PointStamped, tracking: Tracking) -> None:
    """Refine the newest object with one background click."""
    check_prompt_frame(message.header, tracking.newest)
    newest_id = tracking.tracker.newest_object_id
    if newest_id is None:
        raise ObjectError("there is no object to take the background off: click on one first")
    tracking.tracker.add_prompt(_click(message, newest_id, BACKGROUND))


def _click(message: PointStamped, object_id: int, label: int) -> Prompt:
    point = (message.point.x, message.point.y)
    return Prompt(object_id, points=[point], point_labels=[label], keep_previous=True)


class PromptTopics:
    """`~/prompt`, `~/click` and `~/click_background`, while the node is active.

    Args:
        endpoints: get the subscriptions.
        worker: does what they ask.
        on_refused: told in words what was not applied, in any thread.
    """

    def __init__(
        self, endpoints: Endpoints, worker: Worker, on_refused: Callable[[str], None]
    ) -> None:
        self._worker = worker
        self._on_refused = on_refused
        group = MutuallyExclusiveCallbackGroup()  # prompts keep their order
        for message_type, topic, callback in (
            (PromptMessage, "~/prompt", self.on_prompt),
            (PointStamped, "~/click", self.on_click),
            (PointStamped, "~/click_background", self.on_click_background),
        ):
            endpoints.subscribe(message_type, topic, callback, PROMPTS, group)

    def on_prompt(self, message: PromptMessage) -> None:
        """A prompt of any kind."""
        self._submit(partial(apply_prompt, message))

    def on_click(self, message: PointStamped) -> None:
        """A click on something new."""
        self._submit(partial(apply_click, message))

    def on_click_background(self, message: PointStamped) -> None:
        """A click on what is not the newest object."""
        self._submit(partial(apply_background_click, message))

    def _submit(self, action: Callable[[Tracking], object]) -> None:
        try:
            self._worker.submit(action).add_done_callback(self._check)
        except EtamError as error:
            self._on_refused(str(error))

    def _check(self, future: Future[object]) -> None:
        if not future.cancelled() and isinstance(future.exception(), EtamError):
            self._on_refused(str(future.exception()))


class PromptServices:
    """`~/add_prompt`, `~/remove_object`, `~/reset` and `~/pause`, from configure to cleanup.

    Args:
        endpoints: get the services.
        worker: does what they ask.
        timeout_s: asked how long a service may wait for its answer.
        is_active: whether frames are followed at all.
        set_paused: told whether frames are to be ignored.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        worker: Worker,
        *,
        timeout_s: Callable[[], float],
        is_active: Callable[[], bool],
        set_paused: Callable[[bool], None],
    ) -> None:
        self._worker = worker
        self._timeout_s = timeout_s
        self._is_active = is_active
        self._set_paused = set_paused
        group = MutuallyExclusiveCallbackGroup()  # one of them waits at a time
        for service_type, name, callback in (
            (AddPrompt, "~/add_prompt", self.on_add_prompt),
            (RemoveObject, "~/remove_object", self.on_remove_object),
            (Trigger, "~/reset", self.on_reset),
            (SetBool, "~/pause", self.on_pause),
        ):
            endpoints.serve(service_type, name, callback, group)

    def on_add_prompt(
        self, request: AddPrompt.Request, response: AddPrompt.Response
    ) -> AddPrompt.Response:
        """Apply a prompt and answer with the object it made."""
        try:
            tracked, header = self._ask(partial(apply_prompt, request.prompt))
        except EtamError as error:
            return _refuse(response, error)
        response.success, response.object, response.frame = True, tracked, header
        response.message = f"following object {tracked.id}"
        return response

    def on_remove_object(
        self, request: RemoveObject.Request, response: RemoveObject.Response
    ) -> RemoveObject.Response:
        """Forget one object."""
        object_id = request.object_id
        try:
            self._ask(lambda tracking: tracking.tracker.remove(object_id))
        except EtamError as error:
            return _refuse(response, error)
        response.success, response.message = True, f"removed object {object_id}"
        return response

    def on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget everything."""
        try:
            self._ask(lambda tracking: tracking.tracker.reset())
        except EtamError as error:
            return _refuse(response, error)
        response.success, response.message = True, "forgot all objects"
        return response

    def on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Ignore frames, or follow them again."""
        try:
            self._check_active()
        except EtamError as error:
            return _refuse(response, error)
        self._set_paused(request.data)
        response.success = True
        response.message = "paused: frames are ignored" if request.data else "following frames"
        return response

    def _ask(self, action: Callable[[Tracking], Answer]) -> Answer:
        self._check_active()
        return wait_for_answer(self._worker.submit(action), self._timeout_s())

    def _check_active(self) -> None:
        if not self._is_active():
            raise PromptError("the tracker is inactive: activate it first")


Response = TypeVar("Response", AddPrompt.Response, RemoveObject.Response, Trigger.Response,
                   SetBool.Response)  # fmt: skip


def _refuse(response: Response, error: EtamError) -> Response:
    response.success, response.message = False, str(error)
    return response

"""The services: each becomes a request to the worker, and waits for its answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_srvs.srv import SetBool, Trigger

from etam_ros.errors import EtamError, PromptError
from etam_ros.records import label_in_words
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.messages import NS_PER_S, stamp_ns
from etam_ros.ros.qos import PROMPTS
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.object_watch import name_of
from etam_ros.ros.tracker.prompts.actions import (
    apply_prompt,
    only_names,
    remove_object,
    reset,
    select_object,
)
from etam_ros.ros.tracker.prompts.requests import INACTIVE, Answer, wait_for_answer
from etam_ros.ros.tracker.worker import Worker
from etam_ros.srv import AddPrompt, RemoveObject, SelectObject


class PromptServices:
    """Prompt, remove, reset, pause and select, from configure to cleanup.

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
            (SelectObject, "~/select", self.on_select),
        ):
            endpoints.serve(service_type, name, callback, PROMPTS, group)

    def on_add_prompt(
        self, request: AddPrompt.Request, response: AddPrompt.Response
    ) -> AddPrompt.Response:
        """Apply a prompt and answer with the object it made."""
        try:
            tracked, header = self._ask(partial(apply_prompt, request.prompt, "~/add_prompt"))
        except EtamError as error:
            return _refuse(response, error)
        response.success, response.object, response.frame = True, tracked, header
        response.message = f"following object {tracked.id}"
        if only_names(request.prompt):
            response.message = (
                f"{name_of(tracked.id, '')} is called {label_in_words(tracked.label)}"
            )
        elif stamp_ns(request.prompt.header.stamp):
            response.message += f", on the frame of {stamp_ns(header.stamp) / NS_PER_S:.6f} s"
        return response

    def on_remove_object(
        self, request: RemoveObject.Request, response: RemoveObject.Response
    ) -> RemoveObject.Response:
        """Forget one object."""
        object_id = request.object_id
        try:
            self._ask(partial(remove_object, object_id, "~/remove_object"))
        except EtamError as error:
            return _refuse(response, error)
        response.success, response.message = True, f"removed object {object_id}"
        return response

    def on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget everything."""
        try:
            self._ask(partial(reset, "~/reset"))
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

    def on_select(
        self, request: SelectObject.Request, response: SelectObject.Response
    ) -> SelectObject.Response:
        """Choose the object that bare clicks mean."""
        object_id = request.object_id
        try:
            self._ask(partial(select_object, object_id))
        except EtamError as error:
            return _refuse(response, error)
        response.success = True
        response.message = f"selected object {object_id}" if object_id else "no object is selected"
        return response

    def _ask(self, action: Callable[[Tracking], Answer]) -> Answer:
        self._check_active()
        busy_since_s, now_s = self._worker.busy_since_s, time.monotonic()
        waited_s = 0.0 if busy_since_s is None else now_s - busy_since_s
        return wait_for_answer(self._worker.submit(action), self._timeout_s(), waited_s=waited_s)

    def _check_active(self) -> None:
        if not self._is_active():
            raise PromptError(INACTIVE)


Response = TypeVar("Response", AddPrompt.Response, RemoveObject.Response, Trigger.Response,
                   SetBool.Response, SelectObject.Response)  # fmt: skip


def _refuse(response: Response, error: EtamError) -> Response:
    response.success, response.message = False, str(error)
    return response

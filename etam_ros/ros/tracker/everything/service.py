"""The service `~/segment`: a request that the worker serves between the frames."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # built in only from 3.11
from dataclasses import replace
from functools import partial
from typing import Final

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from etam_ros.config import EverythingConfig
from etam_ros.errors import EtamError, PromptError
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.parameters import Settings
from etam_ros.ros.qos import PROMPTS
from etam_ros.ros.tracker.everything.finding import Asked, Everything, find_everything
from etam_ros.ros.tracker.prompts.requests import INACTIVE
from etam_ros.ros.tracker.worker import Worker
from etam_ros.srv import Segment

NAME: Final = "~/segment"


class SegmentService:
    """Everything in one picture, from configure to cleanup; one request at a time.

    Args:
        endpoints: get the service.
        worker: does what it asks.
        settings: asked for those of now.
        is_active: whether frames are followed at all.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        worker: Worker,
        *,
        settings: Callable[[], Settings],
        is_active: Callable[[], bool],
    ) -> None:
        self._worker = worker
        self._settings = settings
        self._is_active = is_active
        group = MutuallyExclusiveCallbackGroup()  # apart from prompts, which do not wait for it
        endpoints.serve(Segment, NAME, self.on_segment, PROMPTS, group)

    def on_segment(self, request: Segment.Request, response: Segment.Response) -> Segment.Response:
        """Find everything, follow it on request, and answer with all of it."""
        settings = self._settings()
        try:
            if not self._is_active():
                raise PromptError(INACTIVE)
            asked = Asked(
                request.image,
                _grid(request, settings.everything),
                request.max_objects,
                request.track,
                settings.images,
            )
            find = partial(find_everything, asked, NAME)
            found = _waited_for(self._worker.submit_long(find), settings.everything.timeout_s)
        except EtamError as error:
            response.success, response.message = False, str(error)
            return response
        response.success, response.message = True, in_words(found)
        response.frame, response.objects = found.header, found.objects
        return response


def _grid(request: Segment.Request, config: EverythingConfig) -> EverythingConfig:
    """The parameters with what the request says in their place.

    Raises:
        ConfigError: it says something that is not allowed.
    """
    return replace(
        config,
        points_per_side=request.points_per_side or config.points_per_side,
        min_iou_score=request.min_iou_score or config.min_iou_score,
    )


def _waited_for(future: Future[Everything], timeout_s: float) -> Everything:
    """The answer, within so much time.

    Raises:
        EtamError: there is none.
    """
    try:
        return future.result(timeout_s)
    except FutureTimeoutError:
        future.cancel()
        raise PromptError(
            f"no answer within everything.timeout_s = {timeout_s:g} s, so it was aborted: "
            "request fewer points_per_side, or raise the timeout"
        ) from None
    except CancelledError:
        raise PromptError(
            "the tracker was deactivated during the request: activate it, and call again"
        ) from None


def in_words(found: Everything) -> str:
    """What was found, in a line."""
    count = len(found.objects)
    words = [f"found {count} object{'' if count == 1 else 's'}"]
    if found.followed:
        words.append(f"{found.followed} newly tracked")
    if found.known:
        words.append(f"{found.known} already tracked")
    if found.refused:
        words.append(f"{found.refused} not tracked because of tracker.max_objects")
    if found.too_small:
        words.append(f"{found.too_small} too small to be tracked")
    return ", ".join(words)

"""What takes so long that it is done in many steps between the frames."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from etam_ros.errors import EtamError
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.prompts.requests import failed

Answer = TypeVar("Answer")
Steps = Generator[bool, None, Answer]
"""Yields between two steps whether objects must stay on their frames until the next one; returns
the answer."""
SHARE: Final = 0.75
"""Of the time that frames take, while they wait, so that their rate stays at least half of what it
was: a step is not stopped in its middle, and frames take longer beside a search."""


@dataclass(eq=False)
class _LongRequest:
    """One of them, and how far it is."""

    action: Callable[[Tracking], Steps[Any]]
    future: Future[Any] = field(default_factory=Future)  # pending to its end: can be cancelled
    steps: Steps[Any] | None = None


class LongRequests:
    """Takes one after the other, a step at a time, in the worker's thread; any may add and clear.

    Attributes:
        holding: no object may catch up before the next step.
    """

    def __init__(self) -> None:
        self.holding = False
        self._waiting: deque[_LongRequest] = deque()
        self._allowance_s = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, action: Callable[[Tracking], Steps[Answer]]) -> Future[Answer]:
        """Have something done.

        Returns:
            the answer to come; cancel it to withdraw the request at any time.
        """
        request = _LongRequest(action)
        self._waiting.append(request)
        return request.future

    def clear(self) -> None:
        """Withdraw all of them."""
        for request in tuple(self._waiting):
            request.future.cancel()

    def take_turns(self, frame_s: float) -> None:
        """Earn the time for more steps, because a frame had so much."""
        debt_s = max(min(self._allowance_s, 0.0), -frame_s)
        self._allowance_s = debt_s + SHARE * frame_s

    def is_next(self, *, frame_waits: bool, catching_up: bool) -> bool:
        """Whether a step comes before the frame that waits, and before objects catch up."""
        return bool(self) and not catching_up and (not frame_waits or self._allowance_s > 0)

    def advance(self, tracking: Tracking) -> Exception | None:
        """Take the next step; whoever asked gets what went wrong.

        Returns:
            what nobody expects of a request, which is no EtamError; None where all is well.
        """
        unexpected = None
        began_s = time.monotonic()
        request = self._waiting[0]
        try:
            self.holding = self._step(request, tracking)
            return None
        except StopIteration as end:
            with suppress(InvalidStateError):  # withdrawn meanwhile
                request.future.set_result(end.value)
        except EtamError as error:
            with suppress(InvalidStateError):
                request.future.set_exception(error)
        except Exception as error:
            unexpected = error
            with suppress(InvalidStateError):
                request.future.set_exception(failed(error))
        finally:
            self._allowance_s -= time.monotonic() - began_s
        self._waiting.popleft()
        self.holding = False
        return unexpected

    @staticmethod
    def _step(request: _LongRequest, tracking: Tracking) -> bool:
        if request.future.cancelled():
            if request.steps is not None:
                request.steps.close()
            raise StopIteration
        if request.steps is None:
            request.steps = request.action(tracking)
        return next(request.steps)

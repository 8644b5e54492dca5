"""What other threads ask of the tracker, and how they wait for the answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # built in only from 3.11
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from etam_ros.errors import EtamError, PromptError
from etam_ros.ros.guarding import in_words
from etam_ros.ros.tracker.loading import Tracking

Answer = TypeVar("Answer")
INACTIVE: Final = "the tracker is inactive: wait if it is still starting, otherwise activate it"


@dataclass(frozen=True)
class Request:
    """Something to do with the tracker between two frames.

    Attributes:
        action: does it, in the worker's thread.
        future: of its answer; whoever asked may cancel it before it begins.
    """

    action: Callable[[Tracking], Any]
    future: Future[Any] = field(default_factory=Future)

    def serve(self, tracking: Tracking) -> Exception | None:
        """Do what was asked, unless it was withdrawn; whoever asked gets what went wrong.

        Returns:
            what nobody expects of a request, which is no EtamError; None where all is well.
        """
        if not self.future.set_running_or_notify_cancel():
            return None
        try:
            self.future.set_result(self.action(tracking))
        except EtamError as error:
            self.future.set_exception(error)
        except Exception as error:
            self.future.set_exception(failed(error))
            return error
        return None


def failed(error: Exception) -> PromptError:
    """What whoever asked is told of an error that nobody expects."""
    return PromptError(f"it failed and nothing was changed ({in_words(error)}): try another")


def ask(
    submit: Callable[[Callable[[Tracking], object]], Future[object]],
    on_refused: Callable[[str], None],
    action: Callable[[Tracking], object],
) -> None:
    """Have something done to which nobody waits for an answer.

    Args:
        submit: hands it to the worker.
        on_refused: told in words what was not applied, in any thread.
        action: does it.
    """
    try:
        submit(action).add_done_callback(partial(_tell, on_refused))
    except EtamError as error:
        on_refused(str(error))


def _tell(on_refused: Callable[[str], None], future: Future[object]) -> None:
    if not future.cancelled() and isinstance(future.exception(), EtamError):
        on_refused(str(future.exception()))


def wait_for_answer(future: Future[Answer], timeout_s: float, *, waited_s: float = 0.0) -> Answer:
    """Wait for the answer to a request, and withdraw it when there is none in time.

    Args:
        future: of the answer.
        timeout_s: to wait at most.
        waited_s: for how long the worker has been busy with something else. It counts, so that of
            requests that queue behind it none waits for the timeouts of those before.

    Raises:
        EtamError: the request was refused, timed out, or the node ends.
    """
    try:
        return future.result(max(timeout_s - waited_s, 0.0))
    except FutureTimeoutError:
        outcome = "it was not applied" if future.cancel() else "it may still be applied"
        raise PromptError(
            f"no answer within prompt_timeout_s = {timeout_s:g} s, {outcome}: the frame takes "
            "longer than that, or the node is busy"
        ) from None
    except CancelledError:
        raise PromptError("the node is shutting down: the request was not applied") from None

"""Callbacks that may fail without ending the process.

Whatever arrives is answered or forgotten: an executor that is `Guarded` lets no exception out of
a callback, be it of ours or of rclpy's own services and subscriptions. It tells whoever called a
service, logs, and counts in `Faults`, which diagnostics show.
"""

from __future__ import annotations

import functools
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.executors import Executor, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.logging import get_logger
from rclpy.service import Service

if TYPE_CHECKING:
    from rclpy.node import Node

THROTTLE_S: Final = 5.0
POLL_S: Final = 0.005
MOST_TRACES: Final = 32
"""So many faults of different kinds are logged with where they happened."""
LONGEST_REASON: Final = 300
MOST_PARAMETERS: Final = 512
"""In one request: each takes milliseconds, and meanwhile nobody else can set or ask for any."""
_GONE: Final = rclpy_implementation.InvalidHandle
"""What raises it, was destroyed between being ready and being served."""
_RCLPY: Final = str(Path(rclpy.__file__).parent)
_PYTHON: Final = sysconfig.get_path("stdlib")


class Faults:
    """What went wrong in callbacks; any thread may call.

    Args:
        name: of the logger.

    Attributes:
        count: callbacks that failed.
        last: the last of them and its error in words; empty where none failed.
    """

    def __init__(self, name: str) -> None:
        self.count = 0
        self.last = ""
        self._name = name
        self._lock = threading.Lock()
        self._traced: set[tuple[str, type[BaseException]]] = set()
        self._quiet_until_s = 0.0
        self._reported = 0
        self._ended = False

    def end(self) -> None:
        """Log nothing more, because all is being taken down."""
        self._ended = True

    def report(self) -> tuple[dict[str, str], bool]:
        """What diagnostics say: values by their names, and whether something is new in them."""
        with self._lock:
            is_new, self._reported = self.count > self._reported, self.count
            values = {
                "failed_callbacks": str(self.count),
                "last_failed_callback": self.last,
            }
            return values, is_new

    def tell(self, place: str, error: BaseException) -> str:
        """Count and log an error; what it was, in words.

        Args:
            place: what failed, such as "/tracker/set_parameters".
            error: what it raised.
        """
        reason = in_words(error)
        now_s = time.monotonic()
        with self._lock:
            self.count += 1
            self.last = f"{place}: {reason}"
            kind = (place, type(error))
            is_new = kind not in self._traced and len(self._traced) < MOST_TRACES
            quiet = not is_new and now_s < self._quiet_until_s
            if is_new:
                self._traced.add(kind)
            if not quiet:
                self._quiet_until_s = now_s + THROTTLE_S
        if not quiet and not self._ended:
            logger = get_logger(self._name)
            logger.error(f"{place} failed and was given up: {reason}")
            if is_new and _is_ours(error):  # else it is what rclpy has against a message
                logger.error("".join(traceback.format_exception(error)))
        return reason


def in_words(error: BaseException) -> str:
    """An error of any kind on one line, not too long."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST_REASON]


def _is_ours(error: BaseException) -> bool:
    """Whether it came through more than rclpy, which has its own ideas of what may arrive."""
    places = {frame.filename for frame in traceback.extract_tb(error.__traceback__)} - {__file__}
    return not all(
        place.startswith(_RCLPY) or (place.startswith(_PYTHON) and "-packages" not in place)
        for place in places
    )


def faults_of(node: Node) -> Faults:
    """What went wrong in the callbacks of a node so far."""
    executor = node.executor
    return executor.faults if isinstance(executor, Guarded) else Faults("")


class Guarded(Executor):
    """An executor none of whose callbacks ends the process; mixed into rclpy's own.

    Attributes:
        faults: what went wrong so far.
    """

    faults: Faults

    def can_execute(self, entity: Any) -> bool:
        """Called by rclpy for everything that it waits for, before the first callback."""
        callback = getattr(entity, "callback", None)
        if callback is not None and not hasattr(callback, "guarded_for"):
            wrap = _guarded_service if isinstance(entity, Service) else _guarded
            entity.callback = wrap(callback, entity, self.faults)
        return super().can_execute(entity)

    def _make_handler(self, entity: Any, node: Any, take: Callable[[Any], Any], *rest: Any) -> Any:
        """To rclpy, what cannot be taken keeps its entity busy for ever: let nothing be there."""

        def take_if_possible(entity: Any) -> Any:
            try:
                return take(entity)
            except Exception as error:
                self.faults.tell(place_of(entity), error)
                return None

        return super()._make_handler(entity, node, take_if_possible, *rest)

    def leave(self) -> None:
        """Make `spin_once` return soon in the thread that waits in it; any thread may call."""
        self.create_task(lambda: None)

    def finish(self, timeout_s: float) -> bool:
        """Let the callbacks of other threads come to their end, once nobody spins any more.

        rclpy's own `shutdown` destroys what they use while they run, and prints what they raise.

        Returns:
            False if one still runs after `timeout_s`.
        """
        end_s = time.monotonic() + timeout_s
        for task in getattr(self, "_futures", ()):
            while not task.done():
                if time.monotonic() > end_s:
                    return False
                time.sleep(POLL_S)
            task.exception()  # rclpy prints what nobody has looked at
        return True


class GuardedThread(Guarded, SingleThreadedExecutor):
    """Runs callbacks in the thread that spins."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        super().__init__()


class GuardedThreads(Guarded, MultiThreadedExecutor):
    """Runs callbacks in several threads."""

    def __init__(self, faults: Faults, threads: int) -> None:
        self.faults = faults
        super().__init__(threads)

    def shutdown(self, timeout_sec: float | None = None, **_: bool) -> bool:
        """At once: from Kilted on, rclpy's own waits for as long as any callback takes."""
        return Executor.shutdown(self, timeout_sec)


def place_of(entity: Any) -> str:
    """What people call the entity of a callback: its topic or service, or what is called."""
    for name in ("topic_name", "srv_name", "service_name"):
        if getattr(entity, name, None):
            return str(getattr(entity, name))
    called = getattr(entity, "callback", None) or type(entity)
    return f"callback {getattr(called, '__qualname__', called)}"


def _guarded(callback: Callable[..., Any], entity: Any, faults: Faults) -> Callable[..., Any]:
    place = place_of(entity)

    # rclpy asks how many arguments it takes, and from Kilted on names the TimerInfo of a timer.
    @functools.wraps(callback)
    def guarded(*arguments: Any, **named: Any) -> Any:
        try:
            return callback(*arguments, **named)
        except _GONE:
            return None
        except Exception as error:
            faults.tell(place, error)
            return None

    guarded.guarded_for = faults  # type: ignore[attr-defined]
    return guarded


def _guarded_service(
    callback: Callable[[Any, Any], Any], service: Service, faults: Faults
) -> Callable[..., Any]:
    place = place_of(service)
    kind: Any = service.srv_type

    def answered(request: Any, response: Any) -> Any:
        try:
            answer = callback(request, response)
            if not isinstance(answer, kind.Response):
                raise TypeError(f"{kind.__name__} returned {type(answer).__name__}")
        except _GONE:
            raise  # nobody can be answered
        except Exception as error:
            return refused(kind, faults.tell(place, error))
        return answer

    def one_by_one(request: SetParameters.Request, response: Any) -> Any:
        """Each parameter has a result of its own, whatever becomes of the others."""
        if (count := len(request.parameters)) > MOST_PARAMETERS:
            response.results = [too_many(count)] * count
            return response
        for parameter in request.parameters:
            alone = answered(SetParameters.Request(parameters=[parameter]), kind.Response())
            response.results.append(alone.results[0])
        return response

    guarded = functools.wraps(callback)(one_by_one if kind is SetParameters else answered)
    guarded.guarded_for = faults  # type: ignore[attr-defined]
    return guarded


def too_many(count: int) -> SetParametersResult:
    """The answer to a parameter of a request with more of them than any node has."""
    return SetParametersResult(
        successful=False,
        reason=f"the request sets {count} parameters, expected at most {MOST_PARAMETERS} and none "
        "was set: send them in several requests",
    )


def refused(kind: Any, reason: str) -> Any:
    """The answer to a service call that failed, with the reason where there is room for one.

    Args:
        kind: type of the service.
        reason: in words.
    """
    response = kind.Response()
    words = f"the call failed ({reason}): check what was sent; the node goes on"
    if kind is SetParameters:
        response.results.append(SetParametersResult(successful=False, reason=words))
    elif kind is SetParametersAtomically:
        response.result = SetParametersResult(successful=False, reason=words)
    elif hasattr(response, "message"):
        response.message = words
    return response

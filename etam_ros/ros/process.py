"""The process around a node: how every executable starts, spins and ends.

SIGINT, SIGTERM and SIGHUP (unless nohup has it ignored) end it cleanly with exit code 0,
whenever they come and however often: the main thread does nothing but wait for them, everything
else runs in other threads. Nothing heavy is imported here, so that signals are served almost from
the start.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from etam_ros.ending_signals import ending_signals
from etam_ros.errors import EtamError
from etam_ros.host_memory import limit_heaps
from etam_ros.paths import share_file
from etam_ros.ros.shared_memory import FOLDER, reclaim
from etam_ros.ros.startup import init, node_refusal, require_rclpy
from etam_ros.ros.transport import PROFILE, apply_profile, in_words, is_fast_dds

if TYPE_CHECKING:
    from rclpy.node import Node

    from etam_ros.ros.guarding import Guarded

PATIENCE_S: Final = 0.7
"""How long the end may wait for a thread that computes or reads."""
SIGNAL_CHECK_S: Final = 0.2
MOST_FAILURES: Final = 100
"""So many in a row, with nothing served between them, and there is no point in going on."""

Finish = Callable[["int | BaseException"], None]
"""Called from any thread with an exit code, or with an error to raise, when the process is to
end."""


class Application(Protocol):
    """A node and the threads it has beside its callbacks."""

    @property
    def node(self) -> Node:
        """What is spun, and destroyed at the end."""

    def end(self, timeout_s: float) -> bool:
        """Release everything that waits; False if a thread still computes after `timeout_s`."""


@runtime_checkable
class Accompanied(Application, Protocol):
    """An application that has a second node beside its own."""

    @property
    def companion(self) -> Node:
        """It is spun and destroyed with the other one."""


def main_exit_code(name: str, run: Callable[[], int]) -> int:
    """The exit code of `run`, or 2 and one line on stderr for what the user can mend."""
    try:
        return run()
    except EtamError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2


def run_node(
    name: str,
    make: Callable[[Finish], Application],
    ros_arguments: Sequence[str],
    *,
    threads: int = 1,
    transport_profile: bool = True,
) -> int:
    """Run a node until a signal, the node itself or an error ends it.

    Args:
        name: of the executable, for its log.
        make: makes the node once ROS is initialised.
        ros_arguments: from `--ros-args` on.
        threads: how many callbacks may run at once.
        transport_profile: use the profile for large images.

    Returns:
        exit code: 0 after a signal, otherwise what the node finished with, 1 where nothing can be
        served any more. Does not return where a thread computes on in C: then the process exits
        at once with that code.

    Raises:
        EtamError: ROS is missing, an argument or parameter is invalid, or the node finished with
            that error.
    """
    # SimpleQueue and not Event: a signal handler may interrupt its own thread inside the queue.
    endings: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()
    signals = ending_signals()
    for number in signals:
        signal.signal(number, lambda *_: endings.put(0))
    limit_heaps()
    try:
        notes = _prepare_shared_memory(transport_profile)
        return _run(name, make, ros_arguments, threads, endings, notes)
    finally:
        # While Python takes itself down, a second signal would kill it with another exit code.
        for number in signals:
            signal.signal(number, signal.SIG_IGN)


def _run(
    name: str,
    make: Callable[[Finish], Application],
    ros_arguments: Sequence[str],
    threads: int,
    endings: queue.SimpleQueue[int | BaseException],
    notes: Sequence[str],
) -> int:
    rclpy = require_rclpy()
    init(rclpy, ros_arguments)
    try:
        from etam_ros.ros.guarding import Faults, GuardedThread, GuardedThreads

        application = _made(make, endings.put)
        for note in notes:
            application.node.get_logger().info(note)
        faults = Faults(name)
        executor = GuardedThread(faults) if threads == 1 else GuardedThreads(faults, threads)
        nodes = [application.node]
        if isinstance(application, Accompanied):
            nodes.append(application.companion)
        for node in nodes:
            executor.add_node(node)
        spinning = threading.Event()
        spinning.set()
        spinner = threading.Thread(
            target=_spin, args=(name, executor, spinning, endings.put), daemon=True
        )
        spinner.start()
        ending = _wait_for(endings)
        spinning.clear()
        ended = application.end(PATIENCE_S)
        faults.end()
        executor.leave()
        spinner.join(PATIENCE_S)
        ended = executor.finish(PATIENCE_S) and ended and not spinner.is_alive()
        executor.shutdown()
        for node in reversed(nodes):
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
    if isinstance(ending, BaseException):
        raise ending
    if not ended:
        # What loads, computes or reads in C can neither be interrupted nor survive Python's own
        # end. All that outlives a process, the middleware's shared memory, is given back by now.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ending)
    return ending


def _prepare_shared_memory(transport_profile: bool) -> list[str]:
    """Make room for images before ROS starts; what was done, for the log."""
    if not is_fast_dds():
        return []
    taken = reclaim()
    notes = [str(taken)] if taken.segments else []
    if transport_profile and apply_profile() not in (None, share_file(PROFILE)):
        notes.append(f"{FOLDER} has little room: {in_words()}")
    return notes


def _made(make: Callable[[Finish], Application], finish: Finish) -> Application:
    try:
        return make(finish)
    except Exception as error:
        refused = node_refusal(error)
        if refused is None:
            raise
        raise refused from error


def _wait_for(endings: queue.SimpleQueue[int | BaseException]) -> int | BaseException:
    """The first ending, looked for now and then.

    A signal that comes just before the wait begins does not interrupt it: its handler would not
    run until something else wakes this thread.
    """
    while True:
        try:
            return endings.get(timeout=SIGNAL_CHECK_S)
        except queue.Empty:  # noqa: PERF203
            continue


def _spin(name: str, executor: Guarded, spinning: threading.Event, finish: Finish) -> None:
    """Serve callbacks until the node ends; only an executor that fails on and on ends the process.

    What callbacks raise is told by the executor; here comes what rclpy raises around them, for
    instance where an answer cannot be sent because whoever asked is gone.
    """
    from rclpy.impl.implementation_singleton import rclpy_implementation
    from rclpy.logging import get_logger

    failures = 0
    while spinning.is_set():
        try:
            executor.spin_once()
            failures = 0
        except rclpy_implementation.InvalidHandle:  # noqa: PERF203
            continue  # a subscription or service went away between being ready and being served
        except Exception as error:
            if not spinning.is_set():
                return
            executor.faults.tell("serving a callback", error)
            failures += 1
            if failures == MOST_FAILURES:
                get_logger(name).fatal(f"ended by {type(error).__name__}: {error}")
                get_logger(name).fatal(traceback.format_exc())
                finish(1)
                return

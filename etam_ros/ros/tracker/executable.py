"""The executable `tracker_node`: the process around the node, and how it ends.

SIGINT and SIGTERM end it cleanly with exit code 0, whenever they come and however often: the main
thread does nothing but wait for them, everything else runs in other threads. Nothing heavy is
imported here, so that the signals are served almost from the start.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from etam_ros.errors import EtamError
from etam_ros.ros.transport import apply_profile

if TYPE_CHECKING:
    from rclpy.executors import Executor

EXECUTOR_THREADS: Final = 8
"""One per callback group that may block, and some for parameters and states meanwhile."""
PATIENCE_S: Final = 0.7
"""How long the end may wait for a thread that computes."""


def main() -> int:
    """Run the node with the arguments of this process; its exit code, 2 for wrong arguments."""
    try:
        return run(sys.argv[1:])
    except EtamError as error:
        print(f"tracker_node: {error}", file=sys.stderr)
        return 2


def run(args: Sequence[str]) -> int:
    """Run the node until a signal or an error ends it.

    Args:
        args: ROS arguments, from `--ros-args` on.

    Returns:
        exit code: 0 after a signal, 1 when starting or tracking failed. Does not return where a
        thread computes on in C: then the process exits at once with that code.

    Raises:
        EtamError: ROS is missing, or an argument or parameter cannot be.
    """
    # SimpleQueue and not Event: a signal handler may interrupt its own thread inside the queue.
    endings: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: endings.put(0))
    try:
        return _run(args, endings)
    finally:
        # While Python takes itself down, a second signal would kill it with another exit code.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def _run(args: Sequence[str], endings: queue.SimpleQueue[int]) -> int:
    apply_profile()
    rclpy = _init(args)
    try:
        from rclpy.executors import MultiThreadedExecutor

        from etam_ros.ros.tracker.node import TrackerNode

        tracker = TrackerNode(endings.put)
        executor = MultiThreadedExecutor(EXECUTOR_THREADS)
        executor.add_node(tracker.node)
        ending = threading.Event()
        spinner = threading.Thread(target=_spin, args=(executor, ending, endings), daemon=True)
        spinner.start()
        code = endings.get()
        ending.set()
        ended = tracker.end(PATIENCE_S)
        executor.shutdown()
        spinner.join(PATIENCE_S)
        ended = ended and not spinner.is_alive()
        tracker.node.destroy_node()
    finally:
        rclpy.try_shutdown()
    if not ended:
        # Loading or computing in C can neither be interrupted nor survive Python's own end. All
        # that outlives a process, the middleware's shared memory, is given back by now.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _init(args: Sequence[str]) -> Any:
    try:
        import rclpy.utilities
        from rclpy.signals import SignalHandlerOptions
    except ImportError as error:
        raise EtamError(
            f"rclpy cannot be imported ({error}): source a ROS 2 workspace, or install "
            "ros-jazzy-rclpy and ros-jazzy-rmw-fastrtps-cpp from PyPI"
        ) from error
    if strangers := rclpy.utilities.remove_ros_args(list(args)):
        raise EtamError(
            f"arguments are {' '.join(strangers)!r}, expected ROS's own alone: put them behind "
            "--ros-args"
        )
    try:
        rclpy.init(args=list(args), signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        raise EtamError(f"ROS arguments are refused: {error}") from error
    return rclpy


def _spin(executor: Executor, ending: threading.Event, endings: queue.SimpleQueue[int]) -> None:
    """Serve callbacks until the node ends; an exception in one of them ends the process."""
    from rclpy.impl.implementation_singleton import rclpy_implementation
    from rclpy.logging import get_logger

    while not ending.is_set():
        try:
            executor.spin_once()
        except rclpy_implementation.InvalidHandle:  # noqa: PERF203
            continue  # a subscription or service went away between being ready and being served
        except Exception as error:
            if not ending.is_set():
                get_logger("tracker_node").fatal(f"ended by {type(error).__name__}: {error}")
                get_logger("tracker_node").fatal(traceback.format_exc())
                endings.put(1)
            return


if __name__ == "__main__":
    sys.exit(main())

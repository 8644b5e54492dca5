"""The executable `player`: the process around the node, and how it ends.

SIGINT and SIGTERM end it with exit code 0: the main thread only waits for them, and for the end
of the source. Nothing heavy is imported here, so that signals are served almost from the start.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from etam_ros.config import PlayerConfig
from etam_ros.errors import ConfigError, EtamError
from etam_ros.ros.transport import apply_profile

if TYPE_CHECKING:
    from rclpy.executors import Executor

    from etam_ros.ros.player.node import PlayerNode

PATIENCE_S: Final = 1.0
"""How long the end may wait for a frame that is being read."""

_Endings = queue.SimpleQueue["BaseException | None"]


def main(args: Sequence[str] | None = None) -> int:
    """Play what the ROS parameters say, until the end of the source or a signal.

    Args:
        args: ROS arguments; by default those of this process.

    Returns:
        exit code: 0 at the end and after a signal, 2 for what the user can mend.
    """
    try:
        play(PlayerConfig(), sys.argv[1:] if args is None else args)
    except EtamError as error:
        print(f"player: {error}", file=sys.stderr)
        return 2
    return 0


def play(
    config: PlayerConfig,
    ros_arguments: Sequence[str] = (),
    *,
    transport_profile: bool = True,
    on_frame: Callable[[int, int | None], None] | None = None,
) -> None:
    """Play a source until its end or a signal.

    Args:
        config: what to play and how; ROS parameters among the arguments go before it.
        ros_arguments: from `--ros-args` on.
        transport_profile: use the profile for large images.
        on_frame: called in another thread after each frame with the number of frames published
            and of those in all, the latter None where nobody knows.

    Raises:
        EtamError: an argument, the source or a frame of it cannot be.
    """
    # SimpleQueue and not Event: a signal handler may interrupt its own thread inside the queue.
    endings: _Endings = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: endings.put(None))
    try:
        if transport_profile:
            apply_profile()
        _play(config, ros_arguments, endings, on_frame)
    finally:
        # While Python takes itself down, a second signal would kill it with another exit code.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def _play(
    config: PlayerConfig,
    ros_arguments: Sequence[str],
    endings: _Endings,
    on_frame: Callable[[int, int | None], None] | None,
) -> None:
    rclpy = _init(ros_arguments)
    node: PlayerNode | None = None
    stop = threading.Event()
    threads: list[threading.Thread] = []
    try:
        from rclpy.executors import SingleThreadedExecutor

        from etam_ros.ros.player.node import PlayerNode

        node = PlayerNode(config)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        jobs: list[Callable[[], Any]] = [
            lambda: _spin(executor, stop),  # parameters, and the clock of a simulation
            lambda: endings.put(_failure(node, stop, on_frame)),
        ]
        threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        failure = endings.get()
        stop.set()
        executor.shutdown()
        for thread in threads:
            thread.join(PATIENCE_S / 2)
    finally:
        stuck = any(thread.is_alive() for thread in threads)
        if node is not None and not stuck:
            node.close()
        rclpy.try_shutdown()
    if failure is not None:
        raise failure
    if stuck:  # a camera that gives no frame cannot be interrupted
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _failure(
    node: PlayerNode, stop: threading.Event, on_frame: Callable[[int, int | None], None] | None
) -> BaseException | None:
    """Play to the end, and hand over what went wrong."""
    try:
        node.play(stop, on_frame)
    except BaseException as error:
        return error
    return None


def _init(ros_arguments: Sequence[str]) -> Any:
    try:
        import rclpy
        from rclpy.signals import SignalHandlerOptions
    except ImportError as error:
        raise EtamError(
            f"rclpy cannot be imported ({error}): source a ROS 2 workspace, or install "
            "ros-jazzy-rclpy and ros-jazzy-rmw-fastrtps-cpp from PyPI"
        ) from error
    try:
        rclpy.init(args=list(ros_arguments), signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"ROS arguments are refused: {reason}") from error
    return rclpy


def _spin(executor: Executor, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            executor.spin_once(timeout_sec=0.5)
        except Exception:  # noqa: PERF203
            if not stop.is_set():
                raise


if __name__ == "__main__":
    sys.exit(main())

"""The executable `console`: the page's server in a thread beside the node."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from etam_ros.console.config import WebConfig
from etam_ros.host_memory import keep_large_blocks
from etam_ros.ros.process import Finish, main_exit_code, run_node

if TYPE_CHECKING:
    from etam_ros.ros.console.application import ConsoleApplication

EXECUTOR_THREADS: Final = 1
"""Nothing here waits: callbacks are short, and pictures are made in a thread of their own."""
AFTER_THE_ROBOT: Final = 5
"""How nice the process is: on a busy machine the page gets fewer pictures, and the tracker goes on
as it did."""


def main() -> int:
    """Run the node with the arguments of this process; its exit code, 2 for wrong arguments."""
    return main_exit_code("console", lambda: run(WebConfig(), sys.argv[1:]))


def run(config: WebConfig, args: Sequence[str]) -> int:
    """Serve the page until a signal or an error ends it.

    Args:
        config: where, and to whom; ROS parameters among the arguments go before it.
        args: ROS arguments, from `--ros-args` on.

    Returns:
        exit code: 0 after a signal.

    Raises:
        EtamError: ROS or a library is missing, an argument or parameter is invalid, or the port
            is taken.
    """

    def make(_: Finish) -> ConsoleApplication:
        import cv2

        from etam_ros.ros.console.application import ConsoleApplication

        cv2.setNumThreads(1)  # a second thread would wait for work by spinning, 1 ms a picture
        keep_large_blocks()
        os.nice(AFTER_THE_ROBOT)
        return ConsoleApplication(config)

    return run_node("console", make, args, threads=EXECUTOR_THREADS)


if __name__ == "__main__":
    sys.exit(main())

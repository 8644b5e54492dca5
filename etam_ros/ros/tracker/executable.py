"""The executable `tracker_node`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from etam_ros.ros.process import Finish, main_exit_code, run_node

if TYPE_CHECKING:
    from etam_ros.ros.tracker.node import TrackerNode

EXECUTOR_THREADS: Final = 8
"""One per callback group that may block, and some for parameters and states meanwhile."""


def main() -> int:
    """Run the node with the arguments of this process; its exit code, 2 for wrong arguments."""
    return main_exit_code("tracker_node", lambda: run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run the node until a signal or an error ends it.

    Args:
        args: ROS arguments, from `--ros-args` on.

    Returns:
        exit code: 0 after a signal, 1 when starting or tracking failed.

    Raises:
        EtamError: ROS is missing, or an argument or parameter is invalid.
    """
    return run_node("tracker_node", _make, args, threads=EXECUTOR_THREADS)


def _make(finish: Finish) -> TrackerNode:
    from etam_ros.ros.tracker.node import TrackerNode

    return TrackerNode(finish)


if __name__ == "__main__":
    sys.exit(main())

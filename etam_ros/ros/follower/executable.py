"""The executable `follower`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from etam_ros.ros.process import Finish, main_exit_code, run_node

if TYPE_CHECKING:
    from etam_ros.ros.follower.node import FollowerNode

EXECUTOR_THREADS: Final = 4
"""Results, commands, a service that waits for the last command, and parameters."""


def main() -> int:
    """Run the node with the arguments of this process; its exit code, 2 for wrong arguments."""
    return main_exit_code("follower", lambda: run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Run the node until a signal or an error ends it; the robot then stands.

    Args:
        args: ROS arguments, from `--ros-args` on.

    Returns:
        exit code: 0 after a signal, 1 when starting failed.

    Raises:
        EtamError: ROS is missing, or an argument or parameter is invalid.
    """
    return run_node("follower", _make, args, threads=EXECUTOR_THREADS)


def _make(finish: Finish) -> FollowerNode:
    from etam_ros.ros.follower.node import FollowerNode

    return FollowerNode(finish)


if __name__ == "__main__":
    sys.exit(main())

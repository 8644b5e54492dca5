"""The executable `tracker_node`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from etam_ros.ros.process import Finish, main_exit_code, run_node

if TYPE_CHECKING:
    from etam_ros.console.config import WebConfig
    from etam_ros.ros.tracker.node import TrackerNode

EXECUTOR_THREADS: Final = 8
"""One per callback group that may block, and some for parameters and states meanwhile."""


def main() -> int:
    """Run the node with the arguments of this process; its exit code, 2 for wrong arguments."""
    return main_exit_code("tracker_node", lambda: run(sys.argv[1:]))


def run(args: Sequence[str], web: WebConfig | None = None) -> int:
    """Run the node until a signal or an error ends it.

    Args:
        args: ROS arguments, from `--ros-args` on.
        web: serve the page in the browser from this process, too.

    Returns:
        exit code: 0 after a signal, 1 when starting or tracking failed.

    Raises:
        EtamError: ROS is missing, or an argument or parameter is invalid.
    """
    if web is None:
        return run_node("tracker_node", _make, args, threads=EXECUTOR_THREADS)
    threads = EXECUTOR_THREADS + 1
    return run_node("tracker_node", lambda finish: _WithPage(finish, web), args, threads=threads)


def _make(finish: Finish) -> TrackerNode:
    from etam_ros.ros.tracker.node import TrackerNode

    return TrackerNode(finish)


class _WithPage:
    """The tracker, and the node /console beside it for this tracker alone."""

    def __init__(self, finish: Finish, web: WebConfig) -> None:
        from etam_ros.ros.console.application import ConsoleApplication

        self._tracker = _make(finish)
        self.node = self._tracker.node
        name = self.node.get_fully_qualified_name()
        self._page = ConsoleApplication(web, name)
        self.companion = self._page.node

    def end(self, timeout_s: float) -> bool:
        page_ended = self._page.end(timeout_s / 2)
        return self._tracker.end(timeout_s) and page_ended


if __name__ == "__main__":
    sys.exit(main())

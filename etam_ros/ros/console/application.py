"""The node and the server of the page, as one process has them."""

from __future__ import annotations

import sys

from etam_ros.console.config import WebConfig
from etam_ros.console.hub import Hub
from etam_ros.console.invitation import invite
from etam_ros.console.server import Server, require_libraries
from etam_ros.ros.console.node import ConsoleNode
from etam_ros.ros.console.packed import prepare


class ConsoleApplication:
    """What `run_node` runs.

    Args:
        config: defaults of the node's parameters.
        tracker: full name of the tracker in whose process it runs; empty: it has its own.

    Raises:
        ConfigError: a parameter is invalid, a library is missing, or the port is taken.
    """

    def __init__(self, config: WebConfig, tracker: str = "") -> None:
        require_libraries("rosbags")
        prepare()
        hub = Hub()
        self.node = ConsoleNode(config, hub, tracker)
        try:
            self._server = Server(self.node.config, hub, self.node)
        except BaseException:
            self.node.destroy_node()
            raise
        invite(self._server.access, sys.stdout)

    def end(self, timeout_s: float) -> bool:
        """Show everybody out; False where the server does not end in time."""
        self._server.stop()
        self.node.end()
        return self._server.join(timeout_s)

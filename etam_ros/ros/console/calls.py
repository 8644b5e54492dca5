"""Calls of services that nobody waits for: each is answered, or given up after a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rclpy.callback_groups import CallbackGroup
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from etam_ros.errors import EtamError
from etam_ros.ros.qos import PROMPTS

PATIENCE_S: Final = 30.0
"""Longer than a tracker waits itself, so that its own words come."""

Take = Callable[[Any], None]
"""Given the response, or an EtamError in its place."""


class Calls:
    """All that are under way; used in one callback group alone.

    Args:
        node: has the clients.
        post: has something called in that group, whatever thread an answer comes in.
        group: of the clients.
    """

    def __init__(
        self, node: Node, post: Callable[[Callable[[], None]], None], group: CallbackGroup
    ) -> None:
        self._node, self._post, self._group = node, post, group
        self._clients: dict[str, Client] = {}
        self._waiting: dict[Future, tuple[float, str, Take]] = {}

    def ask(self, kind: Any, name: str, request: Any, take: Take) -> None:
        """Call a service.

        Args:
            kind: its type.
            name: its full name.
            request: what is asked.
            take: called once, here or later, with what comes of it.
        """
        client = self._clients.get(name)
        if client is None:
            client = self._node.create_client(
                kind, name, qos_profile=PROMPTS, callback_group=self._group
            )
            self._clients[name] = client
        if not client.service_is_ready():
            take(EtamError(f"there is no service {name}: is its node running and configured?"))
            return
        future = client.call_async(request)
        self._waiting[future] = (time.monotonic() + PATIENCE_S, name, take)
        future.add_done_callback(lambda done: self._post(lambda: self._on_done(done)))

    def check(self) -> None:
        """Give up what takes too long."""
        now_s = time.monotonic()
        for future, (until_s, name, take) in list(self._waiting.items()):
            if now_s > until_s:
                del self._waiting[future]
                client = self._clients.pop(name, None)
                if client is not None:
                    self._node.destroy_client(client)  # and what it waits for
                take(EtamError(f"{name} has not answered for {PATIENCE_S:g} s: look at its node"))

    def _on_done(self, future: Future) -> None:
        found = self._waiting.pop(future, None)
        if found is None:
            return
        error = future.exception()
        if error is not None:
            found[2](EtamError(f"{found[1]} failed: {type(error).__name__}: {error}"))
        else:
            found[2](future.result())

"""Takes what comes often in a thread of its own, past the executor.

For each message rclpy's executor asks everything that the node has whether it is ready, which
takes about a millisecond of Python: at fifteen pictures a second, three messages each, that was
more than making the pictures. Here a wait set has a few subscriptions alone.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any, Final

from rclpy.callback_groups import CallbackGroup
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription

from etam_ros.ros.guarding import faults_of, place_of
from etam_ros.ros.messages import NS_PER_S

LOOK_AGAIN_S: Final = 0.1
"""A new subscription is heard from then on at the latest."""


class Receiver(CallbackGroup):
    """A callback group that no executor serves: its own thread does, one callback at a time.

    Args:
        node: has the subscriptions, which may come and go.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="receiver", daemon=True).start()

    def can_execute(self, entity: Any) -> bool:
        """Asked by executors, who leave alone what is in this group."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Likewise."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Never called, because nothing begins."""

    def end(self) -> None:
        """Let the thread end; returns at once, and a callback may still be under way."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            ours = [each for each in self._node.subscriptions if each.callback_group is self]
            if not ours or not self._node.context.ok():
                self._ended.wait(LOOK_AGAIN_S)
                continue
            try:
                self._receive(ours)
            except rclpy_implementation.InvalidHandle:
                self._ended.wait(LOOK_AGAIN_S)  # all is being taken down
            except Exception as error:
                faults_of(self._node).tell("receiving pictures", error)
                self._ended.wait(LOOK_AGAIN_S)

    def _receive(self, subscriptions: list[Subscription]) -> None:
        """Wait for messages, and serve one of each subscription that has some."""
        context = self._node.context.handle
        if context is None:
            raise rclpy_implementation.InvalidHandle
        with ExitStack() as held:  # what is held is not destroyed meanwhile
            held.enter_context(context)
            here = [each for each in subscriptions if _is_held(each, held)]
            wait_set = rclpy_implementation.WaitSet(len(here), 0, 0, 0, 0, 0, context)
            wait_set.clear_entities()
            for each in here:
                wait_set.add_subscription(each.handle)
            wait_set.wait(int(LOOK_AGAIN_S * NS_PER_S))
            ready = wait_set.get_ready_entities("subscription")
            for each in here:
                if each.handle.pointer in ready and not self._ended.is_set():
                    self._serve(each)

    def _serve(self, subscription: Subscription) -> None:
        try:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if taken is not None:
                subscription.callback(taken[0])
        except Exception as error:
            faults_of(self._node).tell(place_of(subscription), error)


def _is_held(subscription: Subscription, held: ExitStack) -> bool:
    try:
        held.enter_context(subscription.handle)
    except rclpy_implementation.InvalidHandle:
        return False
    return True

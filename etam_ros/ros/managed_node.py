"""A lifecycle node whose transitions are plain functions that may raise.

rclpy swallows what a transition raises, and raises itself where an impossible transition is asked
for: both become one log line and an answer here.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any, Final

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import CallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.timer import Timer

from etam_ros.errors import EtamError
from etam_ros.host_memory import give_back, settle

SUCCESS: Final = TransitionCallbackReturn.SUCCESS
FAILURE: Final = TransitionCallbackReturn.FAILURE


@dataclass(frozen=True)
class Transitions:
    """What to do on the way from one state to the next.

    One that raises leaves the state as it is, and must have undone what it began.

    Attributes:
        configure: from unconfigured to inactive.
        activate: from inactive to active.
        deactivate: from active to inactive.
        cleanup: from inactive to unconfigured; also called, after `deactivate` where that is
            due, before the node is finalized.
    """

    configure: Callable[[], None]
    activate: Callable[[], None]
    deactivate: Callable[[], None]
    cleanup: Callable[[], None]


class ManagedNode(LifecycleNodeMixin, Node):
    """A node with the lifecycle services; its states are those of ROS 2.

    Attributes:
        state: unconfigured, inactive, active or finalized: the one last reached.
        changing: name of the transition that is under way, or empty.
    """

    def __init__(self, name: str, transitions: Transitions) -> None:
        Node.__init__(self, name)
        self.state = "unconfigured"
        self.changing = ""
        self._transitions = transitions
        self._one_at_a_time = threading.Lock()
        # Reentrant, so that the state can be asked for during a long transition.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        for service in self.services:
            if service.srv_type is ChangeState:
                service.callback = self._guarded(service.callback)

    def every(self, period_s: float, callback: Callable[[], None], group: CallbackGroup) -> Timer:
        """Call something at a steady rate, also where /clock stands still."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        return self.create_timer(period_s, callback, callback_group=group, clock=steady)

    def destroy_node(self) -> None:
        """Give everything back, the shared memory of the middleware included."""
        super().destroy_node()
        # rclpy forgets it, and it keeps the node alive.
        self._state_machine.destroy_when_not_in_use()

    def bring_up_or(self, on_failed: Callable[[], None]) -> None:
        """Configure and activate, unless somebody began already.

        Args:
            on_failed: called when a step failed, whether by its answer or by an error, which then
                goes on.
        """
        up = False
        try:
            with self._one_at_a_time:
                up = self.state != "unconfigured" or (
                    self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS
                )
        finally:
            if not up:
                on_failed()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy."""
        done = self._change("configure", "inactive", self._transitions.configure)
        settle()
        return done

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy."""
        return self._change("activate", "active", self._transitions.activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy."""
        return self._change("deactivate", "inactive", self._transitions.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy."""
        done = self._change("cleanup", "unconfigured", self._transitions.cleanup)
        give_back()
        return done

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy."""

        def leave() -> None:
            if self.state == "active":
                self._transitions.deactivate()
            if self.state != "unconfigured":
                self._transitions.cleanup()

        return self._change("shutdown", "finalized", leave)

    def _change(
        self, name: str, target: str, action: Callable[[], None]
    ) -> TransitionCallbackReturn:
        self.changing = name
        try:
            action()
        except CancelledError:  # the process ends, and says so itself
            return FAILURE
        except EtamError as error:
            self.get_logger().error(f"{name} failed: {error}")
            return FAILURE
        except Exception as error:
            self.get_logger().error(f"{name} failed: {type(error).__name__}: {error}")
            self.get_logger().debug("".join(traceback.format_exception(error)))
            return FAILURE
        finally:
            self.changing = ""
        self.state = target
        self.get_logger().info(f"{name}: {target}")
        return SUCCESS

    def _guarded(self, change_state: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """One transition at a time, and an answer where rclpy would raise."""

        def guarded(
            request: ChangeState.Request, response: ChangeState.Response
        ) -> ChangeState.Response:
            asked = request.transition
            response.success = False
            if not self._one_at_a_time.acquire(blocking=False):
                self._refuse(asked, "another is under way")
                return response
            try:
                if not self._is_possible(asked):
                    self._refuse(asked, f"impossible while {self.state}")
                    return response
                return change_state(request, response)
            finally:
                self._one_at_a_time.release()

        return guarded

    def _is_possible(self, asked: Transition) -> bool:
        """Whether there is such a transition from the present state; its label goes first."""
        possible = [way[:2] for way in self._state_machine.available_transitions]
        return any(
            asked.label == label if asked.label else asked.id == number
            for number, label in possible
        )

    def _refuse(self, asked: Transition, reason: str) -> None:
        self.get_logger().warning(f"refused transition {asked.label or asked.id}: {reason}")

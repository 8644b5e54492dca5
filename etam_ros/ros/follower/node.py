"""The node: what exists in which state of its lifecycle, and what is wired to what.

    unconfigured  --configure-->  inactive          --activate-->  active
    diagnostics                   publishers, ~/enable             objects, camera_info, commands

Results come in one thread and commands go out in another, by a steady clock: a robot that hears
nothing of its target hears that it is to stand.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import SetBool

from etam_ros.following.config import SELECTED, FollowerSettings
from etam_ros.following.control import Command, FollowControl, Phase
from etam_ros.following.speeds import STANDING
from etam_ros.msg import TrackedObjectArray
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.follower.calibration import Calibration
from etam_ros.ros.follower.diagnostics import FollowerDiagnostics
from etam_ros.ros.follower.outputs import Outputs
from etam_ros.ros.follower.selection import Selection
from etam_ros.ros.follower.sighting import StampAges, seen_frame, target_pose
from etam_ros.ros.follower.time_source import Moment, TimeSource
from etam_ros.ros.managed_node import ManagedNode, Transitions
from etam_ros.ros.parameters import NodeParameters
from etam_ros.ros.qos import CAMERA_INFO, OBJECTS, PROMPTS

IDLE_ZEROS_S: Final = 0.5
"""After it was disabled it says zero for so long, and then nothing: others may drive."""


class FollowerNode:
    """`/follower`: wires `FollowControl` to topics, a service and parameters.

    Args:
        finish: called from any thread with an exit code when the process is to end.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(self, finish: Callable[[int], None]) -> None:
        self._finish = finish
        self._ending = False
        self._lock = threading.Lock()  # held by whoever decides or publishes
        self._outputs: Outputs | None = None
        self._timer: Timer | None = None
        self._ages = StampAges()
        self._trouble = 0  # how often time was not to be trusted
        self._command: Command | None = None
        self._problem = ""  # of those who listen, as last told
        self._zeros_until_s = 0.0
        self._configured, self._activated = ExitStack(), ExitStack()  # how to undo the two
        self.node = ManagedNode(
            "follower",
            Transitions(
                self._configure, self._activate, self._activated.close, self._configured.close
            ),
        )
        self._parameters = NodeParameters(
            self.node,
            lambda: self.node.state == "unconfigured" and not self.node.changing,
            lambda _: None,
            self._on_settings,
            FollowerSettings,
        )
        self._calibration = Calibration(self.node.get_logger().warning)
        self._control = FollowControl(self.settings)
        self._time = TimeSource(self.node, lambda: self.settings.node.clock_timeout_s)
        topic = self.node.resolve_topic_name("objects")
        self._selection = Selection(
            self.node, topic, self.on_selected, MutuallyExclusiveCallbackGroup()
        )
        self._diagnostics = FollowerDiagnostics(self.node)
        group = MutuallyExclusiveCallbackGroup()
        node = self.settings.node
        self._report_timer = self.node.every(node.diagnostics_period_s, self.on_report, group)
        if node.autostart:
            self._start_timer = self.node.every(
                0.0, self.on_start, MutuallyExclusiveCallbackGroup()
            )

    @property
    def settings(self) -> FollowerSettings:
        """The present values of the parameters."""
        return self._parameters.settings

    def on_start(self) -> None:
        """Bring the node up by itself, once it spins."""
        self._start_timer.cancel()
        self.node.bring_up_or(self._on_failed_start)

    def _on_failed_start(self) -> None:
        if not self._ending:
            self._finish(1)

    def on_report(self) -> None:
        """Publish diagnostics, and say in the log who cannot hear the commands."""
        command = self._command if self.node.state == "active" else None
        state = self.node.state if command is None else command.state
        with self._lock:
            outputs = self._outputs
        listeners = None if outputs is None else outputs.listeners()
        problem = "" if listeners is None else listeners.problem
        if problem and problem != self._problem:
            self.node.get_logger().warning(problem)
        self._problem = problem
        self._diagnostics.publish(state, self.settings.node.target, command, listeners)

    def on_objects(self, message: TrackedObjectArray) -> None:
        """Learn a result, and say where the target is."""
        with self._lock:
            moment, rule = self._look_at_the_clock(), self.settings.node.stamp_age
            age_s, trouble = self._ages.age_s(message, moment.ros_ns, rule), self._trouble
        frame = seen_frame(  # commands go out meanwhile, however many objects there are
            message,
            arrived_s=moment.now_s,
            age_s=age_s,
            camera=self._calibration.camera,
            rule=rule,
        )
        with self._lock:
            if self._timer is None or self._outputs is None or self._trouble != trouble:
                return
            target = self._control.target_of(frame) if self._control.take(frame) else None
            if target is None:
                return
            item = next(each for each in message.objects if each.id == target.object_id)
            pose = target_pose(item, target.bearing)
            if pose is not None and math.isfinite(target.distance_m):
                self._outputs.pose(pose)

    def _look_at_the_clock(self) -> Moment:
        moment = self._time.read()
        if moment.trouble:
            self._control.interrupt(moment.now_s, moment.trouble)
            self._ages.forget()
            self._trouble += 1
        return moment

    def on_selected(self, object_id: int | None) -> None:
        """Learn which object ~/select of the tracker chose."""
        with self._lock:
            self._control.selected = object_id

    def on_tick(self) -> None:
        """Decide and tell the robot; the watchdog of everything."""
        with self._lock:
            if self._ending or self._timer is None or self._outputs is None:
                return
            try:
                moment = self._look_at_the_clock()
                self._tell(self._outputs, self._control.command(moment.now_s))
            except Exception:  # whatever went wrong, no robot drives on
                self._outputs.command(STANDING, self.settings.node.base_frame)
                raise

    def _tell(self, outputs: Outputs, command: Command) -> None:
        self._command = command
        if command.phase is not Phase.DISABLED or time.monotonic() < self._zeros_until_s:
            outputs.command(command.speeds, self.settings.node.base_frame)
        self._say(outputs, command.state, urgent=command.phase is Phase.LOST)

    def _say(self, outputs: Outputs, state: str, *, urgent: bool = False) -> None:
        if not outputs.state(state):
            return
        if urgent:
            self.node.get_logger().warning(state)
        else:
            self.node.get_logger().info(state)

    def on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Serve ~/enable."""
        with self._lock:
            state = self.node.state
            if state == "active" and self._timer is None:  # it is being deactivated
                state = "inactive"
            response.success = state == "active" and not self._ending
            if not response.success or self._outputs is None:
                response.message = f"the follower is {state}: activate it first"
            else:
                self._enable(self._outputs, request.data)
                response.message = "enabled" if request.data else "disabled"
        return response

    def _enable(self, outputs: Outputs, enabled: bool) -> None:
        self._control.enable(enabled)
        if not enabled:
            self._zeros_until_s = time.monotonic() + IDLE_ZEROS_S
            self._tell(outputs, Command(STANDING, Phase.DISABLED, ""))

    def _on_settings(self, settings: FollowerSettings) -> None:
        with self._lock:
            self._control.settings = settings
            self._report_timer.timer_period_ns = int(settings.node.diagnostics_period_s * 1e9)
            if self._timer is not None:
                self._timer.timer_period_ns = int(1e9 / settings.node.rate_hz)
                self._selection.listen(settings.node.target == SELECTED)

    def _configure(self) -> None:
        with ExitStack() as undo:
            endpoints = undo.enter_context(Endpoints(self.node))
            undo.callback(self._forget_outputs)
            self._outputs = Outputs(endpoints, stamped=self.settings.node.stamped)
            group = MutuallyExclusiveCallbackGroup()
            endpoints.serve(SetBool, "~/enable", self.on_enable, PROMPTS, group)
            self._say(self._outputs, "inactive")
            self._configured.push(undo.pop_all())

    def _forget_outputs(self) -> None:
        with self._lock:
            self._outputs = None

    def _activate(self) -> None:
        with ExitStack() as undo:
            endpoints = undo.enter_context(Endpoints(self.node))
            group, timing = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
            endpoints.subscribe(TrackedObjectArray, "objects", self.on_objects, OBJECTS, group)
            on_info = self._calibration.on_info
            endpoints.subscribe(CameraInfo, "camera_info", on_info, CAMERA_INFO, group)
            undo.callback(self._selection.listen, False)
            self._selection.listen(self.settings.node.target == SELECTED)
            self._timer = self.node.every(1.0 / self.settings.node.rate_hz, self.on_tick, timing)
            undo.callback(self._end_commands, self._timer)
            self._activated.push(undo.pop_all())

    def _end_commands(self, timer: Timer) -> None:
        """Let the last thing that the robot hears be that it is to stand."""
        with self._lock:
            self._timer = None
            self._stand()
            if self._outputs is not None:
                self._say(self._outputs, "inactive")
        self.node.destroy_timer(timer)

    def _stand(self) -> None:
        if self._control.enabled and self._outputs is not None:  # else others may drive
            self._outputs.stop(self.settings.node.base_frame)
        self._control.enable(False)
        self._command = None

    def end(self, timeout_s: float) -> bool:
        """Tell the robot to stand, because the process ends."""
        with self._lock:
            self._ending = True
            self._report_timer.cancel()
            if self._timer is not None:
                self._timer.cancel()  # nothing may be under way when the node goes away
                self._stand()
        return True

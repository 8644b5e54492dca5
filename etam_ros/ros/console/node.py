"""The node: finds trackers, shows those that somebody looks at, and does what viewers ask.

Everything of ROS happens in one callback group; what the server's thread asks for waits in a
queue until a guard condition wakes the executor.
"""

from __future__ import annotations

import queue
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import String

from etam_ros.console.commands import Command
from etam_ros.console.config import WebConfig
from etam_ros.console.desk import Answer, Reply
from etam_ros.console.hub import Hub
from etam_ros.console.shown import ShownFrames
from etam_ros.errors import ConfigError
from etam_ros.following.sight import id_in
from etam_ros.options import option_of
from etam_ros.ros.console.calls import Calls
from etam_ros.ros.console.feed import PLAIN_AFTER_S, TrackerFeed
from etam_ros.ros.console.graph import follower_of, trackers
from etam_ros.ros.console.operating import Operating
from etam_ros.ros.console.showing import Look
from etam_ros.ros.parameters import warn_of_unknown
from etam_ros.ros.qos import DIAGNOSTICS, STATE

CHECK_S: Final = 0.25
LOOK_AROUND_S: Final = 1.0
TRACKER: Final = "tracker"
NOT_PARAMETERS: Final = ("token", "allow_host")
"""A token that anybody may ask for with `ros2 param get` is none."""
GONE: Final = "the tracker is gone: waiting for it to come back"


@dataclass
class Watched:
    """A tracker that somebody looks at.

    Attributes:
        feed: shows it.
        operating: asks it.
        state: of it in its own words, empty where it has not said.
        camera: the topic of its images.
        follower_state: what its follower says.
        follower_heard: the subscription to that.
    """

    feed: TrackerFeed
    operating: Operating
    state: str = ""
    camera: str = ""
    follower_state: str = ""
    follower_heard: Subscription | None = None


class ConsoleNode(Node):
    """`/console`.

    Args:
        defaults: values of parameters that the ROS arguments do not set.
        hub: where trackers are shown.
        tracker: full name of the one that it is for, in whose process it runs; ROS arguments are
            that one's then. Empty: it is a node of its own.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(self, defaults: WebConfig, hub: Hub, tracker: str = "") -> None:
        super().__init__("console", use_global_arguments=not tracker)
        self._hub = hub
        self._wanted = ""
        self.config = self._declare(defaults)
        self._wanted = tracker or self._wanted
        self._group = MutuallyExclusiveCallbackGroup()
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._waker = self.create_guard_condition(self.on_asked, self._group)
        self._calls = Calls(self, self._post, self._group)
        self._watched: dict[str, Watched] = {}
        self._shown: defaultdict[str, ShownFrames] = defaultdict(ShownFrames)
        self._look_around_s = 0.0
        self._ended = False
        self._names: list[str] = []
        self.create_subscription(
            DiagnosticArray,
            "/diagnostics",
            self.on_diagnostics,
            DIAGNOSTICS,
            callback_group=self._group,
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(CHECK_S, self.on_check, callback_group=self._group, clock=steady)

    def watch(self, name: str) -> None:
        """Begin to show a tracker; from any thread, as all of the desk."""
        self._post(partial(self._watch, name))

    def leave(self, name: str) -> None:
        """Show a tracker no longer."""
        self._post(partial(self._leave, name))

    def do(self, name: str, command: Command, reply: Reply) -> None:
        """Do something with a tracker."""
        self._post(partial(self._do, name, command, reply))

    def end(self) -> None:
        """Do nothing more."""
        self._ended = True

    def on_asked(self) -> None:
        """Do what the server's thread has asked for."""
        while not self._ended:
            try:
                action = self._asked.get_nowait()
            except queue.Empty:
                return
            action()

    def on_check(self) -> None:
        """Look who is there, and say how they are."""
        self.on_asked()
        self._calls.check()
        now_s = time.monotonic()
        is_due = now_s >= self._look_around_s
        if is_due:
            self._look_around_s = now_s + LOOK_AROUND_S
            self._look_around()
        for name, watched in self._watched.items():
            watched.feed.check()
            if is_due:
                watched.feed.look_through(watched.camera or self.resolve_topic_name("image"))
            self._say(name, watched)

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """What trackers say of themselves."""
        for status in message.status:
            watched = self._watched.get(status.hardware_id)
            if watched is None:
                continue
            values = {pair.key: pair.value for pair in status.values}
            part = status.name.rpartition(": ")[2]
            if part == "images" and values.get("topic", "none") != "none":
                watched.camera = values["topic"]
                watched.feed.look_through(watched.camera)
            elif part == "tracking":
                watched.operating.selected = id_in(values.get("selected", "")) or 0
            elif part == "engine":
                watched.state = values.get("state", "")
                paused = watched.state == "paused"
                watched.operating.paused = watched.feed.paused = paused

    def _declare(self, defaults: WebConfig) -> WebConfig:
        taken = [item for item in fields(WebConfig) if item.name not in NOT_PARAMETERS]
        declarations: list[Any] = [
            (
                item.name,
                getattr(defaults, item.name),
                ParameterDescriptor(description=option_of(item).full_description, read_only=True),
            )
            for item in taken
        ]
        described = "Full name of the tracker to show; empty: those that are found."
        declarations.append(
            (TRACKER, "", ParameterDescriptor(description=described, read_only=True))
        )
        try:
            declared = self.declare_parameters("", declarations)
        except ParameterException as error:
            raise ConfigError(" ".join(str(error).split())) from error
        warn_of_unknown(self)
        values = {parameter.name: parameter.value for parameter in declared}
        self._wanted = values.pop(TRACKER)
        return replace(defaults, **values)

    def _post(self, action: Callable[[], None]) -> None:
        if not self._ended:
            self._asked.put(action)
            self._waker.trigger()

    def _watch(self, name: str) -> None:
        if name in self._watched:
            return
        channel = self._hub.channel(name)
        look = Look.of(self.config)
        feed = TrackerFeed(self, name, channel, look, self._shown[name], self._group)
        operating = Operating(name, feed, self._calls, partial(self._say_again, name))
        self._watched[name] = Watched(feed, operating)
        self._look_around_s = 0.0

    def _leave(self, name: str) -> None:
        if self._hub.channel(name).watched:  # somebody has come meanwhile
            return
        watched = self._watched.pop(name, None)
        if watched is not None:
            watched.feed.end()
            self._hear_follower(watched, "")

    def _do(self, name: str, command: Command, reply: Reply) -> None:
        watched = self._watched.get(name)
        if watched is None:
            reply(Answer(False, f"{name} is no longer shown: nothing was done"))
        else:
            watched.operating.do(command, reply)

    def _look_around(self) -> None:
        found = [self._wanted] if self._wanted else trackers(self)
        self._names = [*found, *(name for name in self._names if name not in found)]
        self._hub.offer(self._names)
        for name, watched in self._watched.items():
            follower = follower_of(self, name)
            if follower != watched.operating.follower:
                self._hear_follower(watched, follower)

    def _hear_follower(self, watched: Watched, follower: str) -> None:
        """Listen to what a follower says of itself; empty: to none."""
        if watched.follower_heard is not None:
            self.destroy_subscription(watched.follower_heard)
            watched.follower_heard = None
        watched.operating.follower, watched.follower_state = follower, ""
        if not follower:
            return

        def on_state(message: String) -> None:
            watched.follower_state = message.data

        watched.follower_heard = self.create_subscription(
            String, f"{follower}/state", on_state, STATE, callback_group=self._group
        )

    def _say_again(self, name: str) -> None:
        watched = self._watched.get(name)
        if watched is not None:
            self._say(name, watched)

    def _say(self, name: str, watched: Watched) -> None:
        """Tell viewers how a tracker is."""
        operating = watched.operating
        there = self.count_publishers(f"{name}/objects") > 0
        silent = time.monotonic() - watched.feed.results_s > PLAIN_AFTER_S
        state = "paused" if operating.paused else watched.state or "active"
        veil = ""
        if not there:
            veil, state = GONE, "gone"
        elif operating.paused:
            veil = "paused: the tracker ignores frames"
        elif watched.state not in ("", "active", "paused"):
            veil = f"the tracker is {watched.state}"
        elif silent and watched.feed.results_s:
            veil = "no result comes from the tracker"
        follower = None
        if operating.follower:
            said = watched.follower_state or "no message yet"
            follower = {"state": said, "on": said != "disabled" and bool(watched.follower_state)}
        self._hub.channel(name).say(
            {
                "mode": "live",
                "state": state,
                "selected": operating.selected,
                "paused": operating.paused,
                "veil": veil,
                "follower": follower,
            }
        )

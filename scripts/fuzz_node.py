"""A tracker node in a process of its own, to which everything is sent that it listens to.

Topics get the bytes as they are, so that the node's own middleware reads them too; a service gets
what its client can read. After each input the node has to answer a call of ~/reset. Of a topic
nobody answers: what was not taken there counts as taken, too.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fuzz_changes import TYPES, change_field, read_message, type_of
from fuzz_files import Seeds, Target
from fuzz_seeds import (
    camera_seeds,
    click_seeds,
    depth_seeds,
    header,
    image_seeds,
    parameter_seeds,
    prompt_seeds,
    prompts,
    seeds_of,
)

NAME: Final = "/tracker"
ANSWER_S: Final = 50.0
AGAIN_S: Final = 20.0
TOPICS: Final = {
    ".image": "/image",
    ".depth": "/depth",
    ".camera_info": "/camera_info",
    ".click": "/tracker/click",
    ".click_background": "/tracker/click_background",
    ".clicked_point": "/clicked_point",
    ".mouse_left": "/mouse_left",
    ".prompt": "/tracker/prompt",
}
SMALL: Final = ("model:=tiny_test", "weights:=random:0", "everything.points_per_side:=2")
UP: Final = {"unconfigured": 1, "inactive": 3}  # the transition that leads on


def node_seeds(_folder: Path) -> Seeds:
    """Something for each topic and service."""
    from etam_ros.srv import AddPrompt, RemoveObject, Segment, SelectObject
    from geometry_msgs.msg import Point, PointStamped
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState
    from rcl_interfaces.srv import (
        DescribeParameters,
        GetParameters,
        GetParameterTypes,
        ListParameters,
    )
    from std_srvs.srv import SetBool

    names = ["tracker.max_objects", "use_sim_time"]
    clicks, parameters = click_seeds(), parameter_seeds()
    atomic = [(".set_parameters_atomically", content) for _, content in parameters[::8]]
    point = Point(x=0.1, y=0.1, z=2.0)
    return [
        *image_seeds(), *depth_seeds(), *camera_seeds(), *prompt_seeds(), *clicks,
        *((".click_background", content) for _, content in clicks),
        *parameters[::4], *atomic,
        *seeds_of(
            (".clicked_point", PointStamped(header=header(), point=point)),
            (".mouse_left", point),
            *((".add_prompt", AddPrompt.Request(prompt=each)) for each in prompts()),
            (".remove_object", RemoveObject.Request(object_id=1)),
            (".select", SelectObject.Request(object_id=1)),
            (".segment", Segment.Request(points_per_side=1, track=True)),
            (".pause", SetBool.Request(data=True)),
            (".get_parameters", GetParameters.Request(names=names)),
            (".get_parameter_types", GetParameterTypes.Request(names=names)),
            (".describe_parameters", DescribeParameters.Request(names=names)),
            (".list_parameters", ListParameters.Request(prefixes=["tracker"], depth=1)),
            (".change_state", ChangeState.Request(transition=Transition(id=4))),
        ),
    ]  # fmt: skip


class Session:
    """A node, and everything that talks to it; starts another one when the first has ended."""

    def __init__(self, stack: ExitStack) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node

        from etam_ros.ros.harness.isolation import isolated_domain

        self._environment = stack.enter_context(isolated_domain())
        self._environment.setdefault("OMP_NUM_THREADS", "1")
        os.environ.update(self._environment)
        if not rclpy.ok():
            rclpy.init(args=[])
            stack.callback(rclpy.try_shutdown)
        self._node = Node("fuzzer", use_global_arguments=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._clients: dict[str, Any] = {}
        self._publishers = {
            suffix: self._node.create_publisher(type_of(suffix), topic, 10)
            for suffix, topic in TOPICS.items()
        }
        self._read = 0
        self.process: subprocess.Popen[bytes] | None = None
        stack.callback(self.end)

    def start(self) -> None:
        """Have a node that is active and has seen a frame."""
        if self.process is None or self.process.poll() is not None:
            parameters = [word for each in SMALL for word in ("-p", each)]
            module = "etam_ros.ros.tracker.executable"
            self._read = 0
            with (self._folder / "log").open("wb") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", module, "--ros-args", *parameters],
                    stdout=log, stderr=subprocess.STDOUT, env=self._environment,
                )  # fmt: skip
        self._make_active()
        self._wait(self._publishers[".image"].get_subscription_count, "a subscription to images")
        self._publishers[".image"].publish(image_seeds()[0][1])

    def end(self) -> None:
        """End the node; it must end well."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            code = self.process.wait(ANSWER_S)
            if code != 0:
                raise AssertionError(f"the node ended with {code}")

    def send(self, path: Path) -> Any:
        """Send an input; the answer of a service."""
        from rclpy._rclpy_pybind11 import RCLError

        from etam_ros.errors import EtamError

        if path.suffix in TOPICS:
            try:
                self._publishers[path.suffix].publish(path.read_bytes())
            except RCLError as error:  # of our own middleware: too short for a header
                raise EtamError(str(error)) from error
            return None
        return self.call(path.suffix, read_message(path))

    def call(self, suffix: str, request: Any) -> Any:
        """The answer of a service; asked for again where it got lost."""
        module, _, name = TYPES[suffix].partition(".srv.")
        kind = getattr(__import__(f"{module}.srv", fromlist=["x"]), name.removesuffix(".Request"))
        return self._call(kind, suffix[1:], request)

    def reset(self) -> None:
        """The node answers."""
        from std_srvs.srv import Trigger

        self._call(Trigger, "reset", Trigger.Request())

    def news(self) -> str:
        """What the node has logged since it was last asked for."""
        with (self._folder / "log").open("rb") as log:
            log.seek(self._read)
            said = log.read()
        self._read += len(said)
        return said.decode(errors="replace")

    def _make_active(self) -> None:
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState, GetState

        end = time.monotonic() + 3 * ANSWER_S  # torch is loaded
        while time.monotonic() < end:
            state = self._call(GetState, "get_state", GetState.Request()).current_state.label
            if state == "active":
                return
            if state == "finalized":
                self.end()
                self.process = None
                self.start()
                return
            if state in UP and self._read:  # it has been up before
                request = ChangeState.Request(transition=Transition(id=UP[state]))
                self._call(ChangeState, "change_state", request)
            self._executor.spin_once(timeout_sec=0.05)
        raise AssertionError("the node does not become active")

    def _call(self, kind: Any, name: str, request: Any) -> Any:
        if name not in self._clients:
            self._clients[name] = self._node.create_client(kind, f"{NAME}/{name}")
        client = self._clients[name]
        self._wait(client.service_is_ready, f"service {name}")
        asked = [client.call_async(request)]
        again = time.monotonic() + AGAIN_S

        def answered() -> Any:
            nonlocal again
            if time.monotonic() > again:
                again += AGAIN_S
                asked.append(client.call_async(request))
            return next((future for future in asked if future.done()), None)

        return self._wait(answered, f"the answer of {name}").result()

    def _wait(self, condition: Any, what: str) -> Any:
        end = time.monotonic() + ANSWER_S
        while not (value := condition()):
            assert self.process is not None
            code = self.process.poll()
            if code is not None:
                raise AssertionError(f"the node ended with {code}: {self.news()[-600:]}")
            if time.monotonic() > end:
                raise AssertionError(f"gave up waiting for {what}: {self.news()[-600:]}")
            self._executor.spin_once(timeout_sec=0.02)
        return value


@lru_cache(maxsize=1)
def _session() -> Session:
    stack = ExitStack()
    atexit.register(stack.close)
    return Session(stack)


@lru_cache(maxsize=1)
def _defaults() -> dict[str, Any]:
    """Requests that set each parameter as it was."""
    from rclpy.serialization import deserialize_message

    kind = type_of(".set_parameters")
    requests = [deserialize_message(content, kind) for _, content in parameter_seeds()]
    found = {request.parameters[0].name: request.parameters[0] for request in requests}
    for each in SMALL:
        found.pop(each.partition(":=")[0])
    return found


def take_anything(path: Path) -> None:
    """Send it, and see that the node is as well as it was."""
    from etam_ros.errors import EtamError

    session = _session()
    session.start()
    answer, refusal = None, None
    try:
        answer = session.send(path)
    except EtamError as error:
        refusal = error
    if path.suffix.startswith(".set_parameters") and answer is not None:
        _set_back(session, path)
    if path.suffix == ".change_state":
        session.start()
    if path.suffix == ".pause":
        session.call(".pause", type_of(".pause")(data=False))
    session.reset()
    said = session.news()
    if "Traceback" in said:
        raise AssertionError(said)
    if refusal is not None:
        raise refusal
    reason = _reason(answer)
    if reason:  # of rclpy too, which repeats any name that was sent
        raise EtamError(reason[:1000])


def _set_back(session: Session, path: Path) -> None:
    names = {each.name for each in read_message(path).parameters}
    parameters = [_defaults()[name] for name in sorted(names & _defaults().keys())]
    session.call(".set_parameters", type_of(".set_parameters")(parameters=parameters))


def _reason(answer: Any) -> str:
    """Why a service refused what was asked; empty where it did not."""
    with contextlib.suppress(AttributeError):
        return "" if answer.success else answer.message or "refused"
    with contextlib.suppress(AttributeError):
        return next((each.reason for each in answer.results if not each.successful), "")
    with contextlib.suppress(AttributeError):
        return "" if answer.result.successful else str(answer.result.reason)
    return ""


NODE: Final = Target("node", node_seeds, take_anything, change_field)

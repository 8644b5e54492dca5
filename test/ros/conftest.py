"""Real nodes in processes of their own, and a client that talks to them over real DDS."""

import os
import re
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from etam_ros.msg import Prompt, TrackedObjectArray  # noqa: E402
from etam_ros.srv import AddPrompt, RemoveObject  # noqa: E402
from geometry_msgs.msg import Point32, PointStamped  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterValue  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter as RclpyParameter  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

from etam_ros.ros.harness.isolation import isolated_domain  # noqa: E402
from etam_ros.ros.transport import VARIABLES  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from warm_python import warm_python  # noqa: E402

DEADLINE_S = 60.0
TINY = ("-p", "model:=tiny_test", "-p", "weights:=random:0", "-p", "diagnostics.period_s:=0.1")
TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}


COMMANDS = {"web node": ("etam_ros.cli.main", "node", "--web", "--port", "0")}
"""Of what is no executable of its own."""


class NodeProcess:
    """A node as a process; what it logs goes to a file."""

    def __init__(
        self, node: str, environment: dict[str, str], log: Path, *ros_arguments: str
    ) -> None:
        self.log_path = log
        self._segments_of_others = set(Path("/dev/shm").glob("fast*_*"))
        module, *words = COMMANDS.get(node, (f"etam_ros.ros.{node}.executable",))
        with log.open("wb") as output:
            self.process = warm_python().start(
                module, *words, "--ros-args", *ros_arguments,
                environment=environment, stdout=output.fileno(), stderr=output.fileno(),
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, words: str) -> None:
        """Wait until the process has logged something."""
        end = time.monotonic() + DEADLINE_S
        while words not in self.log:
            assert time.monotonic() < end, f"gave up waiting for {words!r} in:\n{self.log}"
            time.sleep(0.01)

    def shared_memory(self) -> set[Path]:
        """The segments that the middleware of this process has made and uses."""
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        found = re.findall(r"/dev/shm/fast(?:rtps|dds)_[0-9a-f]{16}\b", maps)
        return {Path(path) for path in found} - self._segments_of_others

    def end(self, *signals: signal.Signals) -> int:
        """Send signals, SIGINT by default; the exit code."""
        for number in signals or (signal.SIGINT,):
            self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


class Client:
    """Camera, operator and listener of one tracker, spun by the test's own thread."""

    def __init__(self, context: Context, namespace: str = "", name: str = "tracker") -> None:
        self.node = Node(
            "client", context=context, namespace=namespace, use_global_arguments=False
        )
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.tracker = f"{namespace}/{name}"
        self.camera = self.node.create_publisher(Image, f"{namespace}/image", 1)
        self.objects: list[TrackedObjectArray] = []
        self.diagnostics: dict[str, object] = {}
        self.diagnostics_stamp: Time | None = None
        self.sent = 0
        self._clients: dict[str, object] = {}
        self.listen(TrackedObjectArray, "objects", self.objects)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics_stamp = message.header.stamp
        for status in message.status:
            if status.hardware_id == self.tracker:
                values = {value.key: value.value for value in status.values}
                self.diagnostics[status.name.rpartition(" ")[2]] = (status, values)

    def listen(self, message_type: type, topic: str, into: list):
        """Collect what the tracker publishes on one of its topics."""
        return self.node.create_subscription(
            message_type, f"{self.tracker}/{topic}", into.append, 10
        )

    def wait_until(self, condition: Callable[[], object], what: str = "") -> object:
        """Spin until the condition holds; its value."""
        end = time.monotonic() + DEADLINE_S
        while not (value := condition()):
            assert time.monotonic() < end, f"gave up waiting for {what or condition}"
            self.executor.spin_once(timeout_sec=0.02)
        return value

    def offers(self, name: str) -> bool:
        """Whether the tracker has a service that was called before."""
        return self._clients[name].service_is_ready()

    def call(self, service_type: type, name: str, request: object):
        """Call a service of the tracker; its response."""
        if name not in self._clients:
            path = f"{self.tracker}/{name}"
            self._clients[name] = self.node.create_client(service_type, path)
        client = self._clients[name]
        self.wait_until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        self.wait_until(future.done, f"answer of {name}")
        return future.result()

    def state(self) -> str:
        """The lifecycle state; asked again where the answer to a first call gets lost.

        A service drops its answer when it discovers the client too slowly, as a node that has
        just been started on a busy machine may.
        """
        client = self._clients.get("get_state") or self.node.create_client(
            GetState, f"{self.tracker}/get_state"
        )
        self._clients["get_state"] = client
        self.wait_until(client.service_is_ready, "service get_state")
        asked = [client.call_async(GetState.Request())]
        again = time.monotonic() + 3.0

        def answer() -> GetState.Response | None:
            nonlocal again
            if time.monotonic() > again:
                again += 3.0
                asked.append(client.call_async(GetState.Request()))
            return next((future.result() for future in asked if future.done()), None)

        return self.wait_until(answer, "the state").current_state.label

    def change_state(self, transition: str) -> bool:
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
        return self.call(ChangeState, "change_state", request).success

    def wait_for_state(self, state: str) -> None:
        self.wait_until(lambda: self.state() == state, f"state {state}")

    def wait_for_camera(self) -> None:
        """Wait until the tracker is active and everything between us is matched."""
        self.wait_for_state("active")
        self.wait_until(self.camera.get_subscription_count, "subscription to the images")
        objects = f"{self.tracker}/objects"
        self.wait_until(lambda: self.node.count_publishers(objects), "publisher of objects")

    def reset(self) -> None:
        assert self.call(Trigger, "reset", Trigger.Request()).success

    def pause(self, paused: bool) -> SetBool.Response:
        return self.call(SetBool, "pause", SetBool.Request(data=paused))

    def set_parameter(self, name: str, value: object):
        """Set one parameter; the result with `successful` and `reason`."""
        encoded: ParameterValue = RclpyParameter(name, value=value).get_parameter_value()
        request = SetParameters.Request(parameters=[Parameter(name=name, value=encoded)])
        return self.call(SetParameters, "set_parameters", request).results[0]

    def next_header(self, frame_id: str = "camera") -> Header:
        """A header whose stamp is later than any before."""
        self.sent += 1
        return Header(stamp=Time(sec=1000 + self.sent, nanosec=7), frame_id=frame_id)

    def send(self, image: Image) -> None:
        self.camera.publish(image)

    def track(self, image: Image) -> TrackedObjectArray:
        """Send one image, again while it gets lost, and wait for its objects."""
        seen = len(self.objects)

        def answer() -> TrackedObjectArray | None:
            for message in self.objects[seen:]:
                if message.header == image.header:
                    return message
            return None

        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            self.send(image)
            again = time.monotonic() + 5.0
            while time.monotonic() < again:
                if found := answer():
                    return found
                self.executor.spin_once(timeout_sec=0.02)
        raise AssertionError("no objects for the image")

    def add_prompt(self, **fields: object) -> AddPrompt.Response:
        prompt = make_prompt(**fields)
        return self.call(AddPrompt, "add_prompt", AddPrompt.Request(prompt=prompt))

    def remove(self, object_id: int) -> RemoveObject.Response:
        request = RemoveObject.Request(object_id=object_id)
        return self.call(RemoveObject, "remove_object", request)

    def publisher(self, message_type: type, topic: str):
        """A publisher on one of the tracker's topics, once it is matched."""
        publisher = self.node.create_publisher(message_type, f"{self.tracker}/{topic}", 10)
        self.wait_until(publisher.get_subscription_count, f"subscription to {topic}")
        return publisher

    def status(self, part: str, condition: Callable[[object, dict], object]) -> tuple:
        """Wait for a diagnostics entry that fits; the entry and its values."""

        def fits() -> tuple | None:
            entry = self.diagnostics.get(part)
            return entry if entry and condition(*entry) else None

        self.diagnostics.clear()
        return self.wait_until(fits, f"diagnostics of {part}")

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()


def make_prompt(
    *, points=(), labels=(), box=(), mask=None, header=None, **fields: object
) -> Prompt:
    prompt = Prompt(header=header or Header(), **fields)
    prompt.points = [Point32(x=float(x), y=float(y)) for x, y in points]
    prompt.point_labels = list(labels)
    prompt.box = [float(value) for value in box]
    if mask is not None:
        prompt.mask = mask
    return prompt


def make_click(x: float, y: float, header: Header | None = None) -> PointStamped:
    click = PointStamped(header=header or Header())
    click.point.x, click.point.y = float(x), float(y)
    return click


def make_image(header: Header, height: int = 96, width: int = 128, seed: int = 0) -> Image:
    """A blocky random rgb8 picture."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    pixels = np.kron(blocks, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)
    return Image(
        header=header,
        height=height,
        width=width,
        encoding="rgb8",
        step=width * 3,
        data=array("B", pixels.tobytes()),
    )


@pytest.fixture(scope="session")
def ros_environment():
    """The environment of this session's ROS processes, in force in this process too."""
    with isolated_domain() as environment:
        environment.setdefault("OMP_NUM_THREADS", "1")
        before = dict(os.environ)
        os.environ.update(environment)
        yield environment
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def ros_context(ros_environment):
    context = Context()
    rclpy.init(context=context, args=[], domain_id=int(ros_environment["ROS_DOMAIN_ID"]))
    yield context
    context.try_shutdown()


def started(node: str, ros_environment: dict[str, str], folder: Path):
    """A function that starts nodes of one kind; they are ended at last, and must end well."""
    running = []

    def start(*ros_arguments: str) -> NodeProcess:
        log = folder / f"{len(running)}.log"
        process = NodeProcess(node, ros_environment, log, *ros_arguments)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.process.poll() is None:
            code = process.end()
            assert code == 0, f"exit code {code}, log:\n{process.log}"


@pytest.fixture(scope="module")
def start_tracker(ros_environment, tmp_path_factory):
    """Start trackers; they are ended with the module."""
    yield from started("tracker", ros_environment, tmp_path_factory.mktemp("tracker_logs"))


@pytest.fixture(scope="module")
def start_follower(ros_environment, tmp_path_factory):
    """Start followers; they are ended with the module."""
    yield from started("follower", ros_environment, tmp_path_factory.mktemp("follower_logs"))


@pytest.fixture(scope="module")
def start_console(ros_environment, tmp_path_factory):
    """Start consoles; they are ended with the module."""
    yield from started("console", ros_environment, tmp_path_factory.mktemp("console_logs"))


@pytest.fixture(scope="module")
def start_web_node(ros_environment, tmp_path_factory):
    """Start trackers with the page in their process; they are ended with the module."""
    yield from started("web node", ros_environment, tmp_path_factory.mktemp("web_node_logs"))


@pytest.fixture
def start_camera(ros_environment):
    """Start ordinary cameras, without our transport profile; they end with the test."""
    environment = {k: v for k, v in ros_environment.items() if k not in VARIABLES}
    running = []

    def start(topic: str, transport: str, reliability: str, width: int, height: int) -> None:
        script = Path(__file__).with_name("plain_camera.py")
        command = [sys.executable, script, topic, transport, reliability, str(width), str(height)]
        running.append(subprocess.Popen(command, env=environment))

    yield start
    for camera in running:
        camera.send_signal(signal.SIGINT)
        camera.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def make_client(ros_context):
    """Make clients of trackers; they are closed with the module."""
    with ExitStack() as stack:

        def make(namespace: str = "", name: str = "tracker") -> Client:
            client = Client(ros_context, namespace, name)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture(scope="session")
def ros():
    """What tests make messages and processes of."""

    class Tools:
        tiny = TINY
        deadline_s = DEADLINE_S
        image = staticmethod(make_image)
        prompt = staticmethod(make_prompt)
        click = staticmethod(make_click)
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)

    return Tools

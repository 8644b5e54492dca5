"""What the node adds to the network: a camera and a listener that time a real tracker node.

`python -m etam_ros.ros.harness.overhead_probe '{...}'` starts a node and plays pictures to it, one
after the other; it prints a JSON object a line: a count after each frame, and the node's own
numbers at the end. `measure_overhead` runs it in a domain of its own.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point32
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.benchmark.workload import FILLING_FRAMES, clicks, synthetic_pictures
from etam_ros.errors import EtamError
from etam_ros.msg import Prompt, TrackedObjectArray
from etam_ros.ros.harness.isolation import isolated_domain
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.image_conversion import image_message
from etam_ros.ros.qos import DIAGNOSTICS, OBJECTS, RESULT_IMAGES, keep_last
from etam_ros.srv import AddPrompt

PATIENCE_S: Final = 120.0
REPEAT_S: Final = 10.0
MODULE: Final = "etam_ros.ros.harness.overhead_probe"
TRACKER: Final = "tracker"


@dataclass(frozen=True)
class ProbePlan:
    """What to measure.

    Attributes:
        model, weights, backend, precision, device: as the node's parameters.
        width, height: of the pictures, rgb8.
        frames: measured frames; FILLING_FRAMES come before.
    """

    model: str
    weights: str
    backend: str
    precision: str
    device: str
    width: int
    height: int
    frames: int


def measure_overhead(plan: ProbePlan, on_frame: Callable[[], None]) -> dict[str, float]:
    """Run the probe as a process and wait for its numbers.

    Args:
        plan: what to measure.
        on_frame: called after each frame, filling ones too.

    Returns:
        milliseconds by the names of the node's diagnostics: overhead_p50_ms (received to
        published, without the stages), latency_p50_ms, latency_p99_ms and each stage's.

    Raises:
        EtamError: the node did not start, or ended early.
    """
    command = [sys.executable, "-m", MODULE, json.dumps(asdict(plan))]
    last: dict[str, float | str] = {}
    with (
        isolated_domain() as environment,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as probe,
    ):
        assert probe.stdout is not None
        try:
            for line in probe.stdout:
                last = json.loads(line)
                if "frame" in last:
                    on_frame()
        finally:
            probe.send_signal(signal.SIGINT)
    if "overhead_p50_ms" not in last:
        raise EtamError(f"the node could not be measured: {last.get('error', 'the probe ended')}")
    return {name: float(value) for name, value in last.items()}


class Probe(Node):
    """Camera, operator and listener of one tracker node."""

    def __init__(self, processes: ProcessGroup) -> None:
        super().__init__("overhead_probe")
        self._processes = processes
        self._answered = {"objects": -1, "label_image": -1}
        self.reported: dict[str, str] = {}
        self.camera = self.create_publisher(Image, "image", keep_last(1))
        self.prompting = self.create_client(AddPrompt, "tracker/add_prompt")
        self.create_subscription(
            TrackedObjectArray, "tracker/objects", partial(self._on_answer, "objects"), OBJECTS
        )
        self.create_subscription(
            Image, "tracker/label_image", partial(self._on_answer, "label_image"), RESULT_IMAGES
        )
        self.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, DIAGNOSTICS
        )

    def _on_answer(self, topic: str, message: TrackedObjectArray | Image) -> None:
        self._answered[topic] = message.header.stamp.sec

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.reported |= {pair.key: pair.value for pair in status.values}

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Spin until the condition holds.

        Raises:
            EtamError: the node ended, or it took too long.
        """
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            self._processes.check(TRACKER)
            if time.monotonic() > end_s:
                raise EtamError(f"no {what} within {PATIENCE_S:g} s")
            rclpy.spin_once(self, timeout_sec=0.01)

    def play(self, message: Image, second: int) -> None:
        """Publish one picture and wait for all that comes of it."""
        message.header.stamp.sec = second

        def answered() -> bool:
            return set(self._answered.values()) == {second}

        end_s = time.monotonic() + PATIENCE_S
        while not answered():  # a frame may get lost while the node matches its subscription
            self.camera.publish(message)
            again_s = min(time.monotonic() + REPEAT_S, end_s)
            self.wait_until(lambda: answered() or time.monotonic() > again_s, "answer")  # noqa: B023
            if time.monotonic() > end_s:
                raise EtamError(f"no result for a frame within {PATIENCE_S:g} s")

    def click(self, x: float, y: float) -> None:
        """Start an object on the newest frame."""
        prompt = Prompt(points=[Point32(x=x, y=y)], point_labels=[Prompt.FOREGROUND])
        answer = self.prompting.call_async(AddPrompt.Request(prompt=prompt))
        self.wait_until(answer.done, "answer to a click")
        if not answer.result().success:
            raise EtamError(answer.result().message)


def node_arguments(plan: ProbePlan) -> list[str]:
    """ROS arguments of the node under test."""
    parameters = asdict(plan) | {
        "diagnostics.window": max(10, plan.frames),
        "diagnostics.period_s": 0.5,
    }
    for name in ("width", "height", "frames"):
        del parameters[name]
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
    return ["--ros-args", *given, "--log-level", "error"]


def run(plan: ProbePlan) -> dict[str, float]:
    """Measure in this process's domain; prints a line after each frame.

    Raises:
        EtamError: the node did not start, or ended early.
    """
    messages = [
        image_message(picture, "rgb8", Header())
        for picture in synthetic_pictures((plan.height, plan.width), objects=1)
    ]
    rclpy.init()
    log_dir = Path(tempfile.mkdtemp(prefix="etam_bench_"))  # stays where something fails
    with ProcessGroup(os.environ, log_dir) as processes:
        processes.start(TRACKER, "etam_ros.ros.tracker.executable", node_arguments(plan))
        _yield_to_others()
        probe = Probe(processes)
        probe.wait_until(probe.prompting.service_is_ready, "service of the tracker")
        probe.wait_until(probe.camera.get_subscription_count, "subscription to the images")
        for topic in ("tracker/objects", "tracker/label_image"):
            probe.wait_until(partial(probe.count_publishers, topic), f"publisher of {topic}")
        probe.play(messages[0], 1)
        probe.click(*clicks((plan.height, plan.width), objects=1)[0])
        for index in range(FILLING_FRAMES + plan.frames):
            probe.play(messages[index % len(messages)], index + 2)
            print(json.dumps({"frame": index}), flush=True)
        total = FILLING_FRAMES + plan.frames + 1
        probe.wait_until(
            lambda: int(probe.reported.get("frames", 0)) >= total, "report of the node"
        )
        numbers = {}
        for name, value in probe.reported.items():
            with suppress(ValueError):
                if name.endswith("_ms") and math.isfinite(float(value)):
                    numbers[name] = float(value)
        probe.destroy_node()
    shutil.rmtree(log_dir, ignore_errors=True)
    rclpy.shutdown()
    return numbers


def _yield_to_others() -> None:
    """Let this process never take a core away from the node that it measures.

    Where there are few cores, a listener that wakes for one message would hold up the next.
    """
    with suppress(AttributeError, OSError):  # Linux alone has it, and may forbid it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main() -> int:
    """Measure what the one argument says; prints numbers, or an error, as JSON."""
    try:
        print(json.dumps(run(ProbePlan(**json.loads(sys.argv[1])))), flush=True)
    except EtamError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Who prompts, changes and restarts a soaked node: all that its services and topics offer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np

ANSWER_S: Final = 30.0
UP: Final = {"unconfigured": 1, "inactive": 3}  # the transition that leads on
SMALLEST_HW: Final = (48, 64)
PARAMETERS: Final[dict[str, tuple[Any, ...]]] = {
    "overlay.opacity": (0.2, 0.45, 0.9),
    "overlay.outline_px": (0, 1, 2),
    "overlay.show_labels": (True, False),
    "tracker.overlap": ("settle", "keep"),
    "tracker.recent_memories": (2, 4, 6),
    "tracker.conditioning_memories": (1, 4),
    "tracker.max_objects": (2, 4),
    "clicks.meaning": ("auto", "new", "target"),
    "history.seconds": (0.0, 2.0),
    "history.max_mib": (1, 8),
}


class Operator:
    """Talks to a tracker; everything it does follows from its random numbers.

    Args:
        rng: the schedule.

    Attributes:
        heard: results so far.
        calls, unanswered: so far.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        import rclpy
        from etam_ros.msg import Prompt, TrackedObjectArray
        from geometry_msgs.msg import PointStamped
        from rclpy.executors import SingleThreadedExecutor

        self._rng = rng
        self._node = rclpy.create_node("operator")
        self._clients: dict[str, Any] = {}
        self.heard = self.calls = self.unanswered = 0
        self._newest: Any = None
        self._node.create_subscription(TrackedObjectArray, "/tracker/objects", self._on_result, 10)
        self._prompts = self._node.create_publisher(Prompt, "/tracker/prompt", 10)
        self._clicks = self._node.create_publisher(PointStamped, "/tracker/click", 10)
        self._backgrounds = self._node.create_publisher(
            PointStamped, "/tracker/click_background", 10
        )
        self._ended = threading.Event()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def end(self) -> None:
        self._ended.set()
        self._thread.join(5)
        self._executor.shutdown()
        self._node.destroy_node()

    def actions(self) -> dict[Callable[[], None], int]:
        """What it can do, and how often of them all."""
        return {
            self.prompt: 12, self.click: 8, self.late_prompt: 3, self.remove: 4, self.reset: 2,
            self.select: 2, self.pause: 1, self.segment: 2, self.set_parameter: 4,
            self.deactivate: 1, self.cleanup: 1,
        }  # fmt: skip

    def state(self) -> str:
        """Of the node's lifecycle; empty if it does not answer."""
        from lifecycle_msgs.srv import GetState

        answer = self._call(GetState, "get_state", GetState.Request())
        return "" if answer is None else str(answer.current_state.label)

    def make_active(self, wait: Callable[[float], bool]) -> None:
        """Lead the node to where it follows; give up when `wait` says that time is up."""
        while (state := self.state()) != "active":
            if state in UP:
                self._change(UP[state])
            if wait(0.2):
                return

    def prompt(self) -> None:
        """A click, a box, a mask, clicks and a box, by the service."""
        from etam_ros.srv import AddPrompt

        self._call(AddPrompt, "add_prompt", AddPrompt.Request(prompt=self._any_prompt()))

    def late_prompt(self) -> None:
        """By the topic, for a frame that was a moment ago."""
        prompt = self._any_prompt()
        if self._newest is not None:
            prompt.header = self._newest.header
        self._prompts.publish(prompt)

    def click(self) -> None:
        """In front or behind, by the topics."""
        from geometry_msgs.msg import Point, PointStamped

        publisher = self._clicks if self._rng.random() < 0.7 else self._backgrounds
        x, y = self._point()
        publisher.publish(PointStamped(point=Point(x=x, y=y)))

    def remove(self) -> None:
        from etam_ros.srv import RemoveObject

        self._call(RemoveObject, "remove_object", RemoveObject.Request(object_id=self._an_id()))

    def reset(self) -> None:
        from std_srvs.srv import Trigger

        self._call(Trigger, "reset", Trigger.Request())

    def select(self) -> None:
        from etam_ros.srv import SelectObject

        self._call(SelectObject, "select", SelectObject.Request(object_id=self._an_id()))

    def pause(self) -> None:
        from std_srvs.srv import SetBool

        for paused in (True, False):
            for _ in range(3):
                if self._call(SetBool, "pause", SetBool.Request(data=paused)) is not None:
                    break

    def segment(self) -> None:
        """Everything in the newest frame, followed or not."""
        from etam_ros.srv import Segment

        track = bool(self._rng.random() < 0.3)
        request = Segment.Request(points_per_side=2, max_objects=2, track=track)
        self._call(Segment, "segment", request)

    def set_parameter(self) -> None:
        name = sorted(PARAMETERS)[self._rng.integers(len(PARAMETERS))]
        self._set({name: PARAMETERS[name][self._rng.integers(len(PARAMETERS[name]))]})

    def set_first_parameters(self) -> None:
        """All of them, to the first of their values."""
        self._set({name: values[0] for name, values in PARAMETERS.items()})

    def deactivate(self) -> None:
        self._change(4)

    def cleanup(self) -> None:
        self._change(4)
        self._change(2)

    def _on_result(self, message: Any) -> None:
        self.heard += 1
        self._newest = message

    def _any_prompt(self) -> Any:
        from etam_ros.msg import Prompt
        from geometry_msgs.msg import Point32
        from sensor_msgs.msg import Image

        kind = int(self._rng.integers(4))
        object_id = self._an_id() if self._rng.random() < 0.4 else 0
        prompt = Prompt(object_id=object_id, label="thing")
        if kind in (0, 3):
            for label in (1, 0)[: int(self._rng.integers(1, 3))]:
                x, y = self._point()
                prompt.points.append(Point32(x=x, y=y))
                prompt.point_labels.append(label)
        if kind in (1, 3):
            x, y = self._point()
            prompt.box = [x / 2, y / 2, x / 2 + 20.0, y / 2 + 20.0]
        if kind == 2:  # of one size among others: refused where the camera has another
            height, width = SMALLEST_HW
            mask = np.zeros((height, width), np.uint8)
            mask[8:30, 10:30] = 255
            prompt.mask = Image(height=height, width=width, encoding="mono8", step=width)
            prompt.mask.data.frombytes(mask.tobytes())
        return prompt

    def _point(self) -> tuple[float, float]:
        height, width = SMALLEST_HW
        return float(self._rng.integers(width)), float(self._rng.integers(height))

    def _an_id(self) -> int:
        ids = [] if self._newest is None else [each.id for each in self._newest.objects]
        place = int(self._rng.integers(1000))  # drawn whatever there is
        return int(ids[place % len(ids)]) if ids else 1

    def _set(self, values: dict[str, Any]) -> None:
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        self._call(SetParameters, "set_parameters", SetParameters.Request(parameters=parameters))

    def _change(self, transition: int) -> None:
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request(transition=Transition(id=transition))
        self._call(ChangeState, "change_state", request)

    def _call(self, kind: Any, name: str, request: Any) -> Any:
        if name not in self._clients:
            self._clients[name] = self._node.create_client(kind, f"/tracker/{name}")
        client = self._clients[name]
        self.calls += 1
        # While a node is unconfigured it has no services but those of its states and parameters.
        if not client.wait_for_service(ANSWER_S):
            self.unanswered += 1
            return None
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(ANSWER_S):
            client.remove_pending_request(future)
            self.unanswered += 1
            return None
        return future.result()

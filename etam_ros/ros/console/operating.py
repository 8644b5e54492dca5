"""What viewers ask of one tracker: calls of its services, each with an answer in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from geometry_msgs.msg import Point32
from rcl_interfaces.srv import GetParameters
from std_srvs.srv import SetBool, Trigger

from etam_ros.console.commands import Command, Order, Pointed
from etam_ros.console.desk import Answer, Reply
from etam_ros.console.shown import ShownFrame, whose
from etam_ros.errors import EtamError
from etam_ros.msg import Prompt as PromptMessage
from etam_ros.records import FOREGROUND, Prompt
from etam_ros.ros.console.calls import Calls
from etam_ros.ros.console.feed import TrackerFeed
from etam_ros.ros.console.showing import mask_in_box, shown_object
from etam_ros.ros.messages import header_of, prompt_message
from etam_ros.ros.tracker.object_watch import name_of
from etam_ros.srv import AddPrompt, RemoveObject, SelectObject

MOST_UNDONE: Final = 50
MEANING: Final = "clicks.meaning"
NOT_HERE: Final = "that is for recordings: here the camera is live"


@dataclass(frozen=True)
class Step:
    """A prompt that can be taken back.

    Attributes:
        object_id: that it was for.
        started: it began the object.
        before: the frame as it was before, None where nobody knows.
    """

    object_id: int
    started: bool
    before: ShownFrame | None


class Operating:
    """Asks one tracker, and its follower, in the executor's thread.

    Args:
        name: full name of the tracker.
        feed: knows what was on the screens.
        calls: make the calls.
        on_change: called when something about the tracker is likely to have changed.

    Attributes:
        selected: id of the object that was chosen, 0 for none.
        paused: the tracker ignores frames.
        follower: full name of the follower, empty for none.
    """

    def __init__(
        self, name: str, feed: TrackerFeed, calls: Calls, on_change: Callable[[], None]
    ) -> None:
        self.selected = 0
        self.paused = False
        self.follower = ""
        self._name, self._feed, self._calls, self._on_change = name, feed, calls, on_change
        self._steps: list[Step] = []

    def do(self, command: Command, reply: Reply) -> None:
        """Do what a viewer asks."""
        if isinstance(command, Pointed):
            self._ask_meaning(lambda meaning: self._point(command, meaning, reply))
            return
        actions: dict[str, Callable[[Order, Reply], None]] = {
            "select": self._select,
            "rename": self._rename,
            "remove": self._remove,
            "reset": self._reset,
            "pause": self._pause,
            "follow": self._follow,
            "undo": self._undo,
        }
        action = actions.get(command.what)
        if action is None:
            reply(Answer(False, NOT_HERE))
        else:
            action(command, reply)

    def _ask_meaning(self, then: Callable[[str], None]) -> None:
        """What bare clicks mean to the tracker now; auto where it does not say."""

        def take(response: Any) -> None:
            values = [] if isinstance(response, EtamError) else response.values
            then((values[0].string_value if values else "") or "auto")

        request = GetParameters.Request(names=[MEANING])
        self._calls.ask(GetParameters, f"{self._name}/get_parameters", request, take)

    def _point(self, said: Pointed, meaning: str, reply: Reply) -> None:
        frame = self._feed.shown.find(said.stamp_ns)
        try:
            object_id = whose(said, frame, meaning, self.selected)
        except EtamError as error:
            reply(Answer(False, str(error)))
            return
        message = PromptMessage(
            header=header_of(said.stamp_ns, ""),
            object_id=object_id,
            points=[Point32(x=x, y=y) for x, y in said.points],
            point_labels=[said.label] * len(said.points),
            box=[] if said.box is None else list(said.box),
            keep_previous=True,
        )
        what = "box" if said.box else "click" if said.label == FOREGROUND else "background click"

        def on_done(response: AddPrompt.Response) -> str:
            done = Step(response.object.id, not object_id, frame)
            self._steps = [*self._steps[-MOST_UNDONE:], done]
            name = name_of(response.object.id, response.object.label)
            return f"{what}: following {name}" if not object_id else f"{what}: corrected {name}"

        self._prompt(message, frame, on_done, reply)

    def _prompt(
        self,
        message: PromptMessage,
        frame: ShownFrame | None,
        on_done: Callable[[AddPrompt.Response], str],
        reply: Reply,
    ) -> None:
        """Send a prompt; what comes of it is on the screen at once, if the frame still is."""

        def take(response: Any) -> None:
            if isinstance(response, EtamError) or not response.success:
                reply(Answer(False, _words_of(response)))
                return
            words = on_done(response)
            item, known = response.object, frame and self._feed.shown.find(frame.stamp_ns)
            if known and item.mask.step:
                shown = shown_object(item)
                self._feed.show_again(known.with_object(shown, mask_in_box(item)))
            if item.occluded:
                words += "; the model sees nothing of it there: click again, or draw a box"
            reply(Answer(True, words, item.id))

        request = AddPrompt.Request(prompt=message)
        self._calls.ask(AddPrompt, f"{self._name}/add_prompt", request, take)

    def _undo(self, order: Order, reply: Reply) -> None:
        if not self._steps:
            reply(Answer(False, "there is nothing to undo: no click was made on this page"))
            return
        step = self._steps.pop()
        if step.started:
            self._remove(Order(order.number, "remove", step.object_id), reply)
            return
        mask = step.before.mask_of(step.object_id) if step.before else None
        if mask is None or step.before is None:
            words = f"the correction of object {step.object_id} cannot be undone: it had no mask"
            reply(Answer(False, f"{words} on that frame; correct it by a click"))
            return
        header = header_of(step.before.stamp_ns, "")
        message = prompt_message(Prompt(step.object_id, mask=mask), step.object_id, header)
        words = f"undone: object {step.object_id} has its earlier mask again"
        self._prompt(message, step.before, lambda _: words, reply)

    def _select(self, order: Order, reply: Reply) -> None:
        def on_done() -> None:
            self.selected = order.object_id

        request = SelectObject.Request(object_id=order.object_id)
        self._simple(SelectObject, "select", request, reply, on_done)

    def _rename(self, order: Order, reply: Reply) -> None:
        if not order.label or not order.object_id:
            reply(Answer(False, "the name is empty: type one"))
            return
        message = PromptMessage(object_id=order.object_id, label=order.label)

        def take(response: Any) -> None:
            done = not isinstance(response, EtamError) and response.success
            reply(Answer(done, _words_of(response), order.object_id))

        request = AddPrompt.Request(prompt=message)
        self._calls.ask(AddPrompt, f"{self._name}/add_prompt", request, take)

    def _remove(self, order: Order, reply: Reply) -> None:
        request = RemoveObject.Request(object_id=order.object_id)
        gone = order.object_id
        self._simple(
            RemoveObject, "remove_object", request, reply, lambda: self._show_without(gone)
        )

    def _reset(self, order: Order, reply: Reply) -> None:
        def on_done() -> None:
            self.selected = 0
            self._show_without(0)

        self._simple(Trigger, "reset", Trigger.Request(), reply, on_done)

    def _pause(self, order: Order, reply: Reply) -> None:
        def on_done() -> None:
            self.paused = self._feed.paused = order.on

        self._simple(SetBool, "pause", SetBool.Request(data=order.on), reply, on_done)

    def _follow(self, order: Order, reply: Reply) -> None:
        if not self.follower:
            reply(Answer(False, "no follower is connected to this tracker: start one"))
            return
        request = SetBool.Request(data=order.on)
        self._call(SetBool, f"{self.follower}/enable", request, reply)

    def _simple(
        self, kind: Any, name: str, request: Any, reply: Reply, on_done: Callable[[], None]
    ) -> None:
        """Call a service of the tracker that answers with success and message."""
        self._call(kind, f"{self._name}/{name}", request, reply, on_done)

    def _call(
        self,
        kind: Any,
        name: str,
        request: Any,
        reply: Reply,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        def take(response: Any) -> None:
            done = not isinstance(response, EtamError) and response.success
            if done:
                on_done()
                self._on_change()
            reply(Answer(done, _words_of(response)))

        self._calls.ask(kind, name, request, take)

    def _show_without(self, object_id: int) -> None:
        """Let an object be gone from the screen; 0: all."""
        self._steps = [each for each in self._steps if object_id not in (0, each.object_id)]
        self._feed.show_without(object_id)


def _words_of(response: Any) -> str:
    """What a service says, or why it does not."""
    if isinstance(response, EtamError):
        return str(response)
    return str(response.message)

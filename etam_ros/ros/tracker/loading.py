"""Getting the tracker ready: load the network, run it once, start afresh."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from etam_ros.config import NodeConfig, TrackerConfig
from etam_ros.idle_threads import let_idle_threads_sleep
from etam_ros.msg import Prompt as PromptMessage
from etam_ros.records import FOREGROUND, NEW_OBJECT, Frame, ObjectState, Prompt
from etam_ros.ros.messages import NO_POSITION, ObjectPosition
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.object_watch import ObjectWatch

if TYPE_CHECKING:
    from etam_ros.runtime import TimedStages
    from etam_ros.tracking import History, Tracker

_BUILD: Final = re.compile("`(etam build [^`]+)`")

Locate = Callable[[Sequence[ObjectState], tuple[int, int], Header], Mapping[int, ObjectPosition]]
"""Where the objects of a frame are, by its size and header."""


@dataclass
class Tracking:
    """What the worker thread owns; no other thread touches it, `check` and `history` excepted.

    Attributes:
        tracker: follows the objects.
        stages: the network it runs on, with a clock for each stage.
        history: the frames that the tracker can go back to; any thread may add to it.
        newest: header of the newest processed frame, None before the first.
        newest_frame: that frame, whose picture may be a view of its message.
        selected: id of the object that was chosen for bare clicks, None without one.
        watch: notices what becomes of the objects.
        locate: says where objects are in space.
        applied: prompts as they were applied, which nobody was told of yet.
        resets: how often everything was forgotten, and ids have begun anew.
        check: raises ConfigError for what the stages cannot serve; any thread may call it. None
            where they serve everything.
    """

    tracker: Tracker
    stages: TimedStages
    history: History
    newest: Header | None = None
    newest_frame: Frame | None = None
    selected: int | None = None
    watch: ObjectWatch = field(default_factory=ObjectWatch)
    locate: Locate | None = None
    applied: list[PromptMessage] = field(default_factory=list)
    resets: int = 0
    check: Callable[[TrackerConfig], None] | None = None

    def use(self, settings: Settings) -> None:
        """Work by these settings from now on."""
        self.tracker.config, self.history.config = settings.tracker, settings.history
        self.watch.config = settings.events

    def look(
        self,
        picture: NDArray[np.uint8] | None = None,
        *,
        cause: str = "",
        prompted: int = NEW_OBJECT,
    ) -> None:
        """Have it noticed what changed; `ObjectWatch.look` knows the arguments."""
        result = self.tracker.result
        if result is not None and self.newest is not None:
            self.watch.look(
                result,
                self.newest,
                followed=self.tracker.object_ids,
                catching_up=self.tracker.catching_up_ids,
                picture=picture,
                cause=cause,
                prompted=prompted,
            )

    def position_of(self, state: ObjectState, header: Header) -> ObjectPosition:
        """Where an object of the newest frame is in space, by that frame's header."""
        result = self.tracker.result
        if self.locate is None or result is None:
            return NO_POSITION
        return self.locate([state], result.image_hw, header).get(state.object_id, NO_POSITION)

    def take_applied(self) -> list[PromptMessage]:
        """The prompts that were applied since the last call of this, in order."""
        taken, self.applied = self.applied, []
        return taken

    def unselect_what_is_gone(self) -> None:
        """Let no later object of that id inherit the selection of one that is not followed."""
        if self.selected not in self.tracker.object_ids:
            self.selected = None

    def close(self) -> None:
        """Free the network."""
        self.stages.close()


def load_tracking(
    settings: Settings,
    stopping: Callable[[], bool],
    on_step: Callable[[str], None] = lambda _: None,
    locate: Locate | None = None,
) -> Tracking:
    """Load the network and warm it up; takes seconds.

    Args:
        settings: model, weights, backend, ...
        stopping: asked between the steps.
        on_step: is told what is being done when an engine has to be built.
        locate: says where objects are in space.

    Raises:
        EtamError: the network cannot be loaded.
        CancelledError: `stopping` said so.
    """

    def go_on() -> None:
        if stopping():
            raise CancelledError("the node is shutting down")

    def said(step: str) -> None:
        go_on()
        on_step(step)

    go_on()
    let_idle_threads_sleep()
    # Here and not at the top: torch takes seconds to import, in which signals must be served.
    from etam_ros.runtime import TimedStages
    from etam_ros.tracking import History, Tracker, open_stages

    node = settings.node
    stages = open_stages(
        node.model,
        weights=node.weights,
        backend=node.backend,
        precision=node.precision,
        device=node.device,
        engine_dir=node.engine_dir,
        build_engines=node.build_engines,
        on_step=said,
    )
    try:
        go_on()
        timed = TimedStages(stages)
        history = History(settings.history)
        tracker = Tracker(timed, settings.tracker, history=history)
        timed.warm_up(settings.tracker.max_objects)
        _warm_up(Tracker(timed), timed.sizes.image_size, go_on)
    except BaseException:
        stages.close()
        raise
    return Tracking(tracker, timed, history, locate=locate, check=timed.check_serves)


def faster_engine(node: NodeConfig, loaded: str) -> str:
    """What could be built to be faster than what backend `auto` found, in words; empty if nothing.

    Args:
        node: what was asked for.
        loaded: name of what came of it.
    """
    if node.backend != "auto" or node.weights or node.engine_dir or " on torch" not in loaded:
        return ""
    from etam_ros.runtime.engines import explain_auto

    command = _BUILD.search(explain_auto(node.model))
    if command is None:
        return ""
    return (
        f"auto runs {loaded}: `{command[1]}` builds a faster engine once, in about a minute, and "
        "the next start takes it"
    )


def _warm_up(tracker: Tracker, size: int, go_on: Callable[[], None]) -> None:
    """Run every stage once, so that the first camera frame does not pay for it."""
    frame = Frame(np.zeros((size, size, 3), np.uint8))
    tracker.step(frame)
    go_on()
    tracker.add_prompt(Prompt(points=[(size / 2, size / 2)], point_labels=[FOREGROUND]))
    go_on()
    tracker.step(frame)

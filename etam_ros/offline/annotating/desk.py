"""The desk behind the page for a recording: one thread owns session and tracker."""

from __future__ import annotations

import itertools
import math
import queue
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

from etam_ros.console.commands import Command, Order, Pointed
from etam_ros.console.config import WebConfig
from etam_ros.console.desk import Answer, Reply
from etam_ros.console.hub import Hub
from etam_ros.console.label_runs import LabelRuns
from etam_ros.console.pictures import ShownObject, jpeg_of, pack, shrunk
from etam_ros.errors import EtamError
from etam_ros.offline.annotating.saving import Recording
from etam_ros.offline.annotating.session import AnnotationSession
from etam_ros.offline.prompts_output import PROMPTS
from etam_ros.records import ObjectState
from etam_ros.runtime import Stages

NS_PER_S: Final = 1e9
NOT_HERE: Final = "that is for live trackers: this is a recording"
CHANGED: Final = "the picture has changed meanwhile: click on what is shown now"
BUSY: Final = "still busy with what was asked before: wait for it"
MOST_WAITING: Final = 20
"""Things that were asked and are not done."""
SHOW_EVERY_S: Final = 0.15
"""On the way to a frame, and while it is saved."""

Action = Callable[[], None]


class RecordedDesk:
    """Shows a recording on one channel, and does what viewers ask, one thing after the other.

    Args:
        hub: where it is shown.
        session: at its first frame.
        recording: says where it is saved.
        stages: of the network, also for saving.
        config: how pictures are made.
    """

    def __init__(
        self,
        hub: Hub,
        session: AnnotationSession,
        recording: Recording,
        stages: Stages,
        config: WebConfig,
        *,
        frames: int | None,
        fps: float,
    ) -> None:
        self._session, self._recording, self._stages = session, recording, stages
        self._config, self._frames, self._fps = config, frames, fps
        self._name = recording.source
        self._channel = hub.channel(self._name)
        self._numbers = itertools.count(1)
        self._queue: queue.SimpleQueue[Action] = queue.SimpleQueue()
        self._selected = 0
        self._playing = self._ended = False
        self._saving = ""
        self._shown_s = 0.0
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        hub.offer([self._name])
        self._thread.start()

    def watch(self, name: str) -> None:
        """Somebody looks."""
        self._queue.put(self._show)

    def leave(self, name: str) -> None:
        """Nobody looks any more."""

    def do(self, name: str, command: Command, reply: Reply) -> None:
        """Do something; what is playing stops first."""
        if isinstance(command, Order) and command.what == "play" and not command.on:
            self._playing = False
        if self._queue.qsize() >= MOST_WAITING:
            reply(Answer(False, BUSY))
            return
        self._queue.put(lambda: self._do(command, reply))

    def end(self, timeout_s: float) -> bool:
        """End the thread; False where it computes on."""
        self._ended, self._playing = True, False
        self._queue.put(lambda: None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due_s = 0.0
        while not self._ended:
            wait_s = max(0.0, due_s - time.monotonic()) if self._playing else None
            try:
                action = self._queue.get(timeout=wait_s)
            except queue.Empty:
                due_s = time.monotonic() + 1.0 / self._fps
                action = self._play_on
            try:
                action()
            except Exception as error:  # the next thing that is asked for may go well
                self._playing = False
                self._channel.report({"at": time.time(), "words": _in_words(error)})

    def _play_on(self) -> None:
        session = self._session
        session.seek(session.index + 1)
        self._playing = self._playing and not session.failed
        self._show()

    def _do(self, command: Command, reply: Reply) -> None:
        if not (isinstance(command, Order) and command.what in ("play", "select", "rename")):
            self._playing = False
        try:
            answer = self._point(command) if isinstance(command, Pointed) else self._obey(command)
        except EtamError as error:
            answer = Answer(False, str(error))
        except Exception as error:
            answer = Answer(False, _in_words(error))
        try:
            self._show()
        finally:
            reply(answer)

    def _point(self, said: Pointed) -> Answer:
        session = self._session
        if said.stamp_ns != session.frame.stamp_ns:
            return Answer(False, CHANGED)
        session.point(said.points, said.label, said.box, said.object_id)
        return self._answer()

    def _obey(self, order: Order) -> Answer:
        session = self._session
        if order.what == "select":
            self._selected = order.object_id
            target = f"object {order.object_id}" if order.object_id else "no object"
            return Answer(True, f"selected {target}", order.object_id)
        if order.what == "rename":
            session.rename(order.object_id, order.label)
        elif order.what in ("remove", "reset"):
            session.end_object(order.object_id if order.what == "remove" else 0, self._on_frame)
        elif order.what == "undo":
            session.undo(self._on_frame)
        elif order.what == "seek":
            session.seek(order.frame, self._on_way)
        elif order.what == "play":
            self._playing = order.on
            return Answer(True, "playing" if order.on else "stopped")
        elif order.what == "save":
            return self._save()
        else:
            return Answer(False, NOT_HERE)
        return self._answer()

    def _answer(self) -> Answer:
        """What the session has to say."""
        session = self._session
        words = session.message or session.where
        if not session.failed:
            self._channel.report({"at": time.time(), "words": f"frame {session.index}: {words}"})
        return Answer(not session.failed, words)

    def _save(self) -> Answer:
        session = self._session
        if not session.ready():
            return Answer(False, session.message)
        done = itertools.count(1)

        def on_frame() -> None:
            last = f" of {self._frames}" if self._frames else ""
            self._saving = f"saving {next(done)}{last}"
            if time.monotonic() - self._shown_s > SHOW_EVERY_S:
                self._say()
                self._shown_s = time.monotonic()

        try:
            summary = self._recording.save(
                session.prompts, self._stages, on_frame=on_frame, stop=lambda: self._ended
            )
        finally:
            self._saving = ""
            session.again()
        folder = self._recording.folder
        cut = f"; {summary.cut}" if summary.cut else ""
        return Answer(
            not summary.cut,
            f"saved masks of {summary.frames} frames and {PROMPTS} in {folder}{cut}",
        )

    def _on_way(self) -> bool:
        """Show frames on the way to another now and then; whether to go on."""
        self._on_frame()
        return not self._ended and self._queue.empty()

    def _on_frame(self) -> None:
        if time.monotonic() - self._shown_s > SHOW_EVERY_S:
            self._show()

    def _show(self) -> None:
        session, config = self._session, self._config
        self._shown_s = time.monotonic()
        result, frame = session.result, session.frame
        states = result.objects if result is not None else ()
        labels = None
        if result is not None:
            labels = LabelRuns.of(shrunk(result.label_image, config.picture_width))
        objects = [shown_state(state) for state in states]
        if self._selected not in {each.object_id for each in objects}:
            self._selected = 0
        self._channel.show(
            pack(
                next(self._numbers),
                frame.stamp_ns,
                jpeg=jpeg_of(frame.image, config.picture_width, config.jpeg_quality),
                hw=frame.hw,
                labels=labels,
                objects=objects,
                more={"frame": session.index},
            )
        )
        self._say()

    def _say(self) -> None:
        session = self._session
        self._channel.say(
            {
                "mode": "recorded",
                "state": self._saving or session.where,
                "selected": self._selected,
                "frames": self._frames or session.seen + 2,
                "playing": self._playing,
                "saving": self._saving,
                "veil": "",
            }
        )


def _in_words(error: Exception) -> str:
    """What nobody expected, such as a disk that is full; with where it happened on stderr."""
    if not isinstance(error, OSError):
        traceback.print_exception(error)
    return f"that failed: {type(error).__name__}: {' '.join(str(error).split())}"[:300]


def shown_state(state: ObjectState) -> ShownObject:
    """An object as the page lists it."""
    return ShownObject(
        object_id=state.object_id,
        label=state.label,
        occluded=state.occluded,
        visibility=state.visibility,
        iou_score=state.iou_score,
        centroid=state.centroid if not state.occluded else (math.nan, math.nan),
        box=state.box,
        unseen_s=state.time_since_seen_ns / NS_PER_S,
    )

"""What becomes of the objects, noticed by comparing each result with the one before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from etam_ros.config import EventsConfig
from etam_ros.msg import TrackEvent
from etam_ros.records import NEW_OBJECT, FrameResult, ObjectState, label_in_words
from etam_ros.ros.messages import NS_PER_S, LastSeen
from etam_ros.ros.tracker.doubts import Doubts, observe

KINDS_IN_WORDS: Final = {
    TrackEvent.ADDED: "added",
    TrackEvent.REFINED: "refined",
    TrackEvent.OCCLUDED: "occluded",
    TrackEvent.SEEN_AGAIN: "seen again",
    TrackEvent.DOUBTFUL: "doubtful",
    TrackEvent.REMOVED: "removed",
    TrackEvent.FORGOTTEN: "forgotten",
}


@dataclass(frozen=True)
class _Known:
    """What is kept of an object for the next comparison."""

    label: str
    occluded: bool
    time_since_seen_ns: int
    last_seen: LastSeen
    doubts: Doubts = field(default_factory=Doubts)

    @classmethod
    def after(cls, old: _Known | None, state: ObjectState, doubts: Doubts) -> _Known:
        """What is known of an object now.

        Args:
            old: what was known of it; None if it is new.
            state: of it now.
            doubts: about it now.
        """
        last_seen = LastSeen() if old is None else old.last_seen
        if not state.occluded:
            last_seen = LastSeen(state.box, state.centroid)
        return cls(state.label, state.occluded, state.time_since_seen_ns, last_seen, doubts)


class ObjectWatch:
    """Looks at every result; the worker's thread alone calls it.

    Attributes:
        config: when an object is doubtful; may be replaced.
        last_seen: by id, where each object was seen last; another mapping after each look.
    """

    def __init__(self) -> None:
        self.config = EventsConfig()
        self.last_seen: Mapping[int, LastSeen] = {}
        self._known: dict[int, _Known] = {}
        self._events: list[TrackEvent] = []

    def look(
        self,
        result: FrameResult,
        header: Header,
        *,
        followed: Collection[int],
        catching_up: Collection[int] = (),
        picture: NDArray[np.uint8] | None = None,
        cause: str = "",
        prompted: int = NEW_OBJECT,
    ) -> None:
        """Notice what changed since the look before.

        Args:
            result: the newest frame's, with all prompts and removals.
            header: of that frame; the events get it.
            followed: ids of all objects, also of those that are in no result yet.
            catching_up: ids of those that are on their way from a past frame.
            picture: (H, W, 3) uint8 RGB of a frame that is new; None where it was looked at
                before.
            cause: in words, where somebody asked for a change.
            prompted: id of the object for which there was a prompt.
        """
        there = {state.object_id: state for state in result.objects}
        on_their_way = {}
        for object_id, known in self._known.items():
            if object_id in result.forgotten_ids:
                reason = "not seen for longer than tracker.forget_after_s"
                self._tell(TrackEvent.FORGOTTEN, object_id, known.label, reason, header)
            elif object_id not in followed:
                self._tell(TrackEvent.REMOVED, object_id, known.label, cause, header)
            elif object_id not in there:
                on_their_way[object_id] = known
        names = {each: name_of(each, state.label) for each, state in there.items()}
        observations = {} if picture is None else observe(picture, result.objects, names)
        before, self._known = self._known, on_their_way
        for object_id, state in there.items():
            old, is_prompted = before.get(object_id), object_id == prompted
            afresh = old is None or is_prompted or object_id in catching_up
            doubts = Doubts() if old is None or afresh else old.doubts
            new = _Known.after(old, state, doubts.hidden() if state.occluded else doubts)
            for kind, reason in _changes(old, new, state, cause if is_prompted else ""):
                self._tell(kind, object_id, state.label, reason, header)
            observation = observations.get(object_id)
            if observation is not None and object_id not in catching_up:
                new = replace(new, doubts=doubts.after(observation, self.config))
                for reason in new.doubts.news(doubts, observation):
                    self._tell(TrackEvent.DOUBTFUL, object_id, state.label, reason, header)
            self._known[object_id] = new
        self._note_last_seen()

    def look_back(self, state: ObjectState, header: Header, *, cause: str) -> LastSeen:
        """Notice an object that was prompted on a past frame, and is on its way from there.

        Args:
            state: of it on that frame.
            header: of that frame; the event gets it.
            cause: the prompt in words.

        Returns:
            where it was seen last, as of that frame.
        """
        old = self._known.get(state.object_id)
        then = _Known.after(old, state, Doubts())
        self._known[state.object_id] = then if old is None else replace(old, doubts=Doubts())
        kind = TrackEvent.ADDED if old is None else TrackEvent.REFINED
        self._tell(kind, state.object_id, state.label, cause, header)
        self._note_last_seen()
        return then.last_seen

    def _note_last_seen(self) -> None:
        self.last_seen = {each: known.last_seen for each, known in self._known.items()}

    def take_events(self) -> list[TrackEvent]:
        """What happened since the last call of this, in order."""
        taken, self._events = self._events, []
        return taken

    def _tell(self, kind: int, object_id: int, label: str, reason: str, header: Header) -> None:
        self._events.append(
            TrackEvent(header=header, object_id=object_id, label=label, kind=kind, reason=reason)
        )


def _changes(
    old: _Known | None, new: _Known, state: ObjectState, cause: str
) -> Iterator[tuple[int, str]]:
    """Kind and reason of all that happened to one object that is there.

    Args:
        old: what was known of it; None if it is new.
        new: what is known now.
        state: of it now.
        cause: what it was prompted with, in words; empty if it was not.
    """
    if cause:
        yield (TrackEvent.ADDED if old is None else TrackEvent.REFINED), cause
    was_occluded = old is not None and old.occluded
    visibility = f"visibility is {state.visibility:.2f}"
    if new.occluded and not was_occluded:
        nothing_left = state.object_score_logit > 0
        yield TrackEvent.OCCLUDED, "no pixel of it is left" if nothing_left else visibility
    elif old is not None and was_occluded and not new.occluded:
        hidden_s = old.time_since_seen_ns / NS_PER_S
        hidden = f", it was hidden for {hidden_s:.1f} s" if hidden_s else ""
        yield TrackEvent.SEEN_AGAIN, visibility + hidden


def name_of(object_id: int, label: str) -> str:
    """An object as people read of it: its id, and its label where it has one."""
    words = label_in_words(label)
    return f"object {object_id} ({words})" if words else f"object {object_id}"


def in_words(event: TrackEvent) -> str:
    """An event as one line of a log."""
    return f"{name_of(event.object_id, event.label)} {KINDS_IN_WORDS[event.kind]}: {event.reason}"

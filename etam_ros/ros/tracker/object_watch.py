"""What becomes of the objects, noticed by comparing each result with the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from std_msgs.msg import Header

from etam_ros.msg import TrackEvent
from etam_ros.records import NEW_OBJECT, FrameResult, ObjectState
from etam_ros.ros.messages import NS_PER_S, LastSeen

KINDS_IN_WORDS: Final = {
    TrackEvent.ADDED: "added",
    TrackEvent.REFINED: "refined",
    TrackEvent.OCCLUDED: "occluded",
    TrackEvent.SEEN_AGAIN: "seen again",
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


class ObjectWatch:
    """Looks at every result; the worker's thread alone calls it.

    Attributes:
        last_seen: by id, where each object was seen last; another mapping after each look.
    """

    def __init__(self) -> None:
        self.last_seen: Mapping[int, LastSeen] = {}
        self._known: dict[int, _Known] = {}
        self._events: list[TrackEvent] = []

    def look(
        self, result: FrameResult, header: Header, *, cause: str = "", prompted: int = NEW_OBJECT
    ) -> None:
        """Notice what changed since the look before.

        Args:
            result: the newest frame's, with all prompts and removals.
            header: of that frame; the events get it.
            cause: in words, where somebody asked for a change.
            prompted: id of the object for which there was a prompt.
        """
        there = {state.object_id: state for state in result.objects}
        for object_id, known in self._known.items():
            if object_id in result.forgotten_ids:
                reason = "not seen for longer than tracker.forget_after_s"
                self._tell(TrackEvent.FORGOTTEN, object_id, known.label, reason, header)
            elif object_id not in there:
                self._tell(TrackEvent.REMOVED, object_id, known.label, cause, header)
        for object_id, state in there.items():
            before = self._known.get(object_id)
            for kind, reason in _changes(before, state, cause, object_id == prompted):
                self._tell(kind, object_id, state.label, reason, header)
        self._known = {
            object_id: _known(state, self._known.get(object_id))
            for object_id, state in there.items()
        }
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
    before: _Known | None, state: ObjectState, cause: str, prompted: bool
) -> Iterator[tuple[int, str]]:
    """Kind and reason of all that happened to one object that is there."""
    if before is None:
        yield TrackEvent.ADDED, cause
    elif prompted:
        yield TrackEvent.REFINED, cause
    was_occluded = before is not None and before.occluded
    if state.occluded and not was_occluded:
        nothing_left = state.object_score_logit > 0
        yield (
            TrackEvent.OCCLUDED,
            "no pixel of it is left" if nothing_left else f"visibility is {state.visibility:.2f}",
        )
    elif before is not None and was_occluded and not state.occluded:
        hidden_s = before.time_since_seen_ns / NS_PER_S
        yield (
            TrackEvent.SEEN_AGAIN,
            f"visibility is {state.visibility:.2f}"
            + (f", it was hidden for {hidden_s:.1f} s" if hidden_s else ""),
        )


def _known(state: ObjectState, before: _Known | None) -> _Known:
    if not state.occluded:
        last_seen = LastSeen(state.box, state.centroid)
    else:
        last_seen = LastSeen() if before is None else before.last_seen
    return _Known(state.label, state.occluded, state.time_since_seen_ns, last_seen)


def name_of(object_id: int, label: str) -> str:
    """An object as people read of it: its id, and its label where it has one."""
    return f"object {object_id} ({label})" if label else f"object {object_id}"


def in_words(event: TrackEvent) -> str:
    """An event as one line of a log."""
    return f"{name_of(event.object_id, event.label)} {KINDS_IN_WORDS[event.kind]}: {event.reason}"

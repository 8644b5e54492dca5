"""What becomes of the objects, noticed by comparing each result with the one before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from std_msgs.msg import Header

from etam_ros.config import EventsConfig
from etam_ros.msg import TrackEvent
from etam_ros.records import NEW_OBJECT, FrameResult, ObjectState
from etam_ros.ros.messages import NS_PER_S, LastSeen

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
class _Doubt:
    """How far an object is doubtful.

    Attributes:
        low_frames: frames in a row on which the IoU estimate was low.
        told: it became doubtful; it cannot again before the estimate was high.
    """

    low_frames: int = 0
    told: bool = False

    def after(self, iou_score: float, config: EventsConfig) -> _Doubt:
        """As of a frame later."""
        low_frames = self.low_frames + 1 if iou_score < config.doubtful_below else 0
        still = self.told and iou_score <= max(config.sure_above, config.doubtful_below)
        return _Doubt(low_frames, still or low_frames >= config.doubtful_frames)


@dataclass(frozen=True)
class _Known:
    """What is kept of an object for the next comparison."""

    label: str
    occluded: bool
    time_since_seen_ns: int
    last_seen: LastSeen
    doubt: _Doubt

    @classmethod
    def after(
        cls, old: _Known | None, state: ObjectState, config: EventsConfig | None, *, prompted: bool
    ) -> _Known:
        """What is known of an object now.

        Args:
            old: what was known of it; None if it is new.
            state: of it now.
            config: when it is doubtful; None where no new frame can say so.
            prompted: somebody prompted it since.
        """
        last_seen = LastSeen() if old is None else old.last_seen
        if not state.occluded:
            last_seen = LastSeen(state.box, state.centroid)
        doubt = _Doubt()
        if old is not None and not prompted and not state.occluded:
            doubt = old.doubt.after(state.iou_score, config) if config else old.doubt
        return cls(state.label, state.occluded, state.time_since_seen_ns, last_seen, doubt)


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
        self._frame_number = 0

    def look(
        self,
        result: FrameResult,
        header: Header,
        *,
        followed: Collection[int],
        cause: str = "",
        prompted: int = NEW_OBJECT,
    ) -> None:
        """Notice what changed since the look before.

        Args:
            result: the newest frame's, with all prompts and removals.
            header: of that frame; the events get it.
            followed: ids of all objects, also of those that are in no result yet.
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
        config = self.config if result.frame_number != self._frame_number else None
        self._frame_number = result.frame_number
        before, self._known = self._known, on_their_way
        for object_id, state in there.items():
            old, is_prompted = before.get(object_id), object_id == prompted
            new = _Known.after(old, state, config, prompted=is_prompted)
            self._known[object_id] = new
            for kind, reason in _changes(old, new, state, cause if is_prompted else ""):
                self._tell(kind, object_id, state.label, reason, header)
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
        then = _Known.after(old, state, None, prompted=True)
        self._known[state.object_id] = then if old is None else replace(old, doubt=_Doubt())
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
    if new.doubt.told and not (old is not None and old.doubt.told):
        yield TrackEvent.DOUBTFUL, f"the model's own IoU estimate is {state.iou_score:.2f}"


def name_of(object_id: int, label: str) -> str:
    """An object as people read of it: its id, and its label where it has one."""
    return f"object {object_id} ({label})" if label else f"object {object_id}"


def in_words(event: TrackEvent) -> str:
    """An event as one line of a log."""
    return f"{name_of(event.object_id, event.label)} {KINDS_IN_WORDS[event.kind]}: {event.reason}"

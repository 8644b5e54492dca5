"""Recorded prompts: those that a tracker applied, or those that were sent to it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from etam_ros.config import HistoryConfig
from etam_ros.errors import PromptError
from etam_ros.media.bags.definitions import PROMPT, TRACK_EVENT
from etam_ros.media.bags.reader import Bag
from etam_ros.media.bags.stamps import stamp_of
from etam_ros.media.bags.topics import APPLIED_PROMPTS, tracker_name
from etam_ros.media.bags.whole_part import StoredMessage
from etam_ros.media.prompt_messages import prompt_of_message
from etam_ros.records import Prompt

_GONE: Final = {6: "removed", 7: "forgotten"}
"""Value of TrackEvent.kind."""


@dataclass(frozen=True, eq=False)
class RecordedPrompt:
    """A prompt for one object on one frame, or the removal of an object.

    Attributes:
        place: where it was recorded, for error messages.
        stamp_ns: of that frame, in nanoseconds.
        received_ns: when the recorder received it.
        object_id: of the object; 0 for a new one.
        prompt: the prompt; None if the object was removed.
    """

    place: str
    stamp_ns: int
    received_ns: int
    object_id: int
    prompt: Prompt | None


def recorded_prompts(bag: Bag, camera: str, tracker: str = "") -> list[RecordedPrompt]:
    """All prompts in a bag, in the order in which they were given.

    Prompts that a tracker applied have the ids and frames to which it applied them, and include
    removals of objects. If there are none, prompts that were sent on a topic are used, for the
    frame that a tracker would choose: that of their stamp, else the newest one.

    Args:
        camera: topic of the images.
        tracker: full name of the tracker; empty if the bag has only one.

    Raises:
        SourceError: the bag is damaged, or has several trackers.
        PromptError: a prompt contradicts itself.
    """
    name = tracker_name(bag, tracker)
    if name is not None and f"{name}/{APPLIED_PROMPTS}" in bag.topics:
        return prompts_of_tracker(bag, name, camera)
    topics = [
        topic.name
        for topic in bag.topics.values()
        if topic.type == PROMPT and topic.name.rpartition("/")[2] != APPLIED_PROMPTS
    ]
    sent = list(_prompts(bag, topics))
    return list(_on_their_frames(bag, camera, sent, always=True)) if sent else []


def prompts_of_tracker(bag: Bag, tracker: str, camera: str = "") -> list[RecordedPrompt]:
    """Prompts that a tracker applied, and removals of objects, in order.

    Args:
        tracker: full name of the node.
        camera: topic of the images, whose times of receipt locate the frames of prompts without
            a stamp; empty leaves these without.
    """
    topics = [f"{tracker}/{APPLIED_PROMPTS}", f"{tracker}/events"]
    found = list(_prompts(bag, [name for name in topics if name in bag.topics]))
    return list(_on_their_frames(bag, camera, found, always=False)) if camera else found


def _prompts(bag: Bag, topics: list[str]) -> Iterator[RecordedPrompt]:
    for number, (message, fields) in enumerate(bag.fields(topics)):
        try:
            item = _item(message, fields, f"bag {bag.path}, {message.topic} {number}")
        except PromptError as error:
            if not bag.recover:
                raise
            bag.lose(str(error))
            continue
        if item is not None:
            yield item


def _item(message: StoredMessage, fields: Any, place: str) -> RecordedPrompt | None:
    stamp = fields.header.stamp
    stamp_ns = int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
    object_id = int(fields.object_id)
    if message.type == TRACK_EVENT:
        if int(fields.kind) not in _GONE:
            return None
        return RecordedPrompt(place, stamp_ns, message.received_ns, object_id, None)
    try:
        prompt = prompt_of_message(fields, 0)
    except PromptError as error:
        raise PromptError(f"{place}: {error}") from None
    return RecordedPrompt(place, stamp_ns, message.received_ns, object_id, prompt)


def _on_their_frames(
    bag: Bag, camera: str, items: list[RecordedPrompt], *, always: bool
) -> Iterator[RecordedPrompt]:
    """The prompts with the stamps of existing frames.

    Args:
        always: also search for the frames of prompts that have a stamp.
    """
    if not (always or any(not item.stamp_ns for item in items)):
        yield from items
        return
    times = [
        (message.received_ns, stamp_of(fields, message.received_ns))
        for message, fields in bag.fields([camera])
    ]
    stamps = sorted(stamp_ns for _, stamp_ns in times)
    received = [received_ns for received_ns, _ in times]
    tolerance_ns = round(HistoryConfig().stamp_tolerance_ms * 1e6)
    for item in items:
        nearest = min(stamps, key=lambda each: abs(each - item.stamp_ns), default=0)
        if item.stamp_ns and abs(nearest - item.stamp_ns) <= tolerance_ns:
            yield replace(item, stamp_ns=nearest)
        elif before := bisect_right(received, item.received_ns):
            yield replace(item, stamp_ns=times[before - 1][1])
        else:
            bag.note(f"{item.place} came before the first image: it is left out")

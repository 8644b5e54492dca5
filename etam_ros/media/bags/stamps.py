"""Stamp and coordinate frame of messages with a header or equivalent fields."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from etam_ros.media.bags.reader import Bag

NS_PER_S: Final = 1_000_000_000
LOOKED_AT: Final = 64
"""Number of messages of one topic that are used to find its partner among others."""
_BEFORE_FIRST: Final = 4096
"""Number of messages that may precede the first one that a topic shares with another."""

Moment = tuple[int, str]
"""Stamp in nanoseconds and coordinate frame of a message."""


def stamp_of(fields: Any, received_ns: int) -> int:
    """The stamp of a message in nanoseconds, or the time of receipt if its stamp is zero."""
    stamp = fields.header.stamp if hasattr(fields, "header") else fields.timestamp
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec) or received_ns


def frame_id_of(fields: Any) -> str:
    """The coordinate frame of a message."""
    return str(fields.header.frame_id if hasattr(fields, "header") else fields.frame_id)


def first_moments(bag: Bag, topic: str) -> set[Moment]:
    """Stamps and coordinate frames of the first messages of a topic, at most LOOKED_AT."""
    return {
        (stamp_of(fields, message.received_ns), frame_id_of(fields))
        for message, fields in islice(bag.fields([topic], peek=True), LOOKED_AT)
    }


def shared_moments(bag: Bag, topic: str, moments: set[Moment]) -> tuple[int, int]:
    """How many stamps a topic shares, and how many of these with the same coordinate frame.

    It is read as long as there may be more of them.
    """
    stamps = {stamp_ns for stamp_ns, _ in moments}
    alike = same = 0
    for message, fields in islice(bag.fields([topic], peek=True), _BEFORE_FIRST):
        stamp_ns = stamp_of(fields, message.received_ns)
        alike += stamp_ns in stamps
        same += (stamp_ns, frame_id_of(fields)) in moments
        if alike >= len(stamps) or stamp_ns > max(stamps, default=0):
            break
    return alike, same

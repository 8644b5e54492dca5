"""What every message with a header, or with what stands for one, says of its frame."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from etam_ros.media.bags.reader import Bag

NS_PER_S: Final = 1_000_000_000
LOOKED_AT: Final = 64
"""Messages of one topic by which its partner among others is found."""
_BEFORE_FIRST: Final = 4096
"""Messages that a topic may have before the first one that it shares with another."""

Moment = tuple[int, str]
"""Stamp in nanoseconds and coordinate frame of a message."""


def stamp_of(fields: Any, received_ns: int) -> int:
    """The stamp of a message in nanoseconds; the time of receipt where its stamp is zero."""
    stamp = fields.header.stamp if hasattr(fields, "header") else fields.timestamp
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec) or received_ns


def frame_id_of(fields: Any) -> str:
    """The coordinate frame of a message."""
    return str(fields.header.frame_id if hasattr(fields, "header") else fields.frame_id)


def first_moments(bag: Bag, topic: str) -> set[Moment]:
    """Of the first messages of a topic, at most LOOKED_AT of them."""
    return {
        (stamp_of(fields, message.received_ns), frame_id_of(fields))
        for message, fields in islice(bag.fields([topic], peek=True), LOOKED_AT)
    }


def shared_moments(bag: Bag, topic: str, moments: set[Moment]) -> tuple[int, int]:
    """How many stamps, and how many of those with the coordinate frame too, a topic shares.

    It is read as far as there may be more of them.
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

"""What the follower knows of the world: objects as the newest result shows them, and which of
them it follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from etam_ros.following.config import NEWEST, SELECTED
from etam_ros.records import LONGEST_LABEL, label_in_words

MOST_DIGITS: Final = 10
"""Of an id in a message: a longer number is a label."""


@dataclass(frozen=True)
class SeenObject:
    """One object as one result shows it.

    Attributes:
        object_id, label: whose.
        occluded: the tracker sees nothing of it.
        iou_score: the model's own estimate of its mask, 0..1.
        visibility: how sure the model is that it sees it, 0..1.
        bearing: radians to the left of straight ahead; NaN where it is unknown.
        distance_m: metres over the floor from the camera; NaN where it is unknown.
    """

    object_id: int
    label: str = ""
    occluded: bool = False
    iou_score: float = 1.0
    visibility: float = 1.0
    bearing: float = math.nan
    distance_m: float = math.nan

    @property
    def name(self) -> str:
        """For people: cup (3); on one line, whatever the label is."""
        label = label_in_words(self.label)
        return f"{label} ({self.object_id})" if label else f"object {self.object_id}"


@dataclass(frozen=True)
class SeenFrame:
    """One result.

    Attributes:
        arrived_s: when it came, by the clock of the follower.
        age_s: how old its stamp was then; NaN where clocks do not agree.
        frame_id: coordinate frame of the camera.
        objects: all that are followed.
        stamp_ns: of its image; 0 where there is none, or it does not count.
    """

    arrived_s: float
    age_s: float = math.nan
    frame_id: str = ""
    objects: Sequence[SeenObject] = ()
    stamp_ns: int = 0


def choose(
    objects: Sequence[SeenObject], target: str, bound: SeenObject | None, selected: int | None
) -> tuple[SeenObject | None, str]:
    """Find the target among the objects of a frame.

    Args:
        objects: of the frame.
        target: `newest`, `selected`, an id, or a label.
        bound: what was followed before. Should it be gone, no older object takes its place; with
            a label, no other at all.
        selected: id that the tracker's ~/select chose, or None.

    Returns:
        the object, or None and the reason why there is none.
    """
    wanted = _wanted_id(objects, target, bound, selected)
    found = next((seen for seen in objects if wanted and seen.object_id == wanted), None)
    if found is not None:
        return found, ""
    if bound is not None and (target == NEWEST or bound.object_id == wanted):
        return None, f"{bound.name} is gone"
    if target == SELECTED and selected is None:
        return None, "no object is selected"
    if target == NEWEST:
        return None, "there is no object"
    return None, f"there is no object {wanted or quoted(target)}"


def id_in(text: str) -> int | None:
    """The id that a text of digits means; None for any other text."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def quoted(text: str) -> str:
    """A text that somebody else chose, for people: in quotes, on one line, not too long."""
    return f"{text!r:.{LONGEST_LABEL}}"


def _wanted_id(
    objects: Sequence[SeenObject], target: str, bound: SeenObject | None, selected: int | None
) -> int:
    """Id of the target; 0, which no object has, where nothing fits."""
    if target == SELECTED:
        return selected or 0
    named = id_in(target)
    if named is not None:
        return named
    bound_id = bound.object_id if bound is not None else 0
    if target == NEWEST:
        return max([bound_id, *(seen.object_id for seen in objects)])
    return bound_id or max((seen.object_id for seen in objects if seen.label == target), default=0)

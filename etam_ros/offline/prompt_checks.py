"""What cannot be is refused before anything is tracked, or an earlier result touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from etam_ros.config import TrackerConfig
from etam_ros.errors import PromptError
from etam_ros.media.frame_source import FrameSource
from etam_ros.offline.prompts_file import TimedPrompt, TimedRemoval
from etam_ros.options import option_of
from etam_ros.tracking.prompt_inputs import check_fits

_MOST_OBJECTS: Final = max(
    int(option_of(item).maximum or 0)
    for item in fields(TrackerConfig)
    if item.name == "max_objects"
)


def check_prompts(
    said: Sequence[TimedPrompt | TimedRemoval], source: FrameSource, max_objects: int
) -> None:
    """Hold prompts against the frames that they are for, and against the objects that may be.

    Args:
        said: in the order in which they are given; the prompts have ids.
        source: which is left at its beginning.
        max_objects: followed at once.

    Raises:
        PromptError: one does not fit; names its place.
        SourceError: the source cannot be read.
    """
    _check_number(said, max_objects)
    for item in said:
        if not isinstance(item, TimedPrompt):
            continue
        frame = source.peek(item.frame or 0)
        if frame is None:
            continue
        try:
            check_fits(item.prompt, frame)
        except PromptError as error:
            raise PromptError(f"{item.place} ({item.when}): {error}") from None


def _check_number(said: Sequence[TimedPrompt | TimedRemoval], max_objects: int) -> None:
    """Raise PromptError where more objects are prompted than may be at once."""
    followed: set[int] = set()
    most, first = 0, ""
    for item in said:
        if not isinstance(item, TimedPrompt):
            followed.discard(item.object_id)
            continue
        followed.add(item.prompt.object_id)
        most = max(most, len(followed))
        if len(followed) > max_objects and not first:
            first = f"{item.place} ({item.when})"
    if first:
        remedy = f"add --max-objects {most}"
        if most > _MOST_OBJECTS:
            remedy = f"follow them in several runs, of up to {_MOST_OBJECTS} each"
        raise PromptError(
            f"{first} exceeds max_objects, which is {max_objects}; {most} objects are prompted: "
            f"{remedy}"
        )

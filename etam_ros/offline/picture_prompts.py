"""What is meant in a single picture: a prompts file and options, one prompt an object.

A picture is frame 0 of itself, so that a prompts file of a video's first frame serves as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from etam_ros.errors import PromptError
from etam_ros.offline.config import SegmentConfig
from etam_ros.offline.prompt_options import prompts_from_options
from etam_ros.offline.prompts_file import TimedPrompt, read_prompts
from etam_ros.offline.track_run import with_ids
from etam_ros.records import NEW_OBJECT, Frame
from etam_ros.tracking.prompt_inputs import check_fits

_ABSENT: Final = {"frame": 0, "object_id": NEW_OBJECT}


def picture_prompts(config: SegmentConfig, frame: Frame) -> list[TimedPrompt]:
    """All that is said of a picture: of the file, then of options.

    Returns:
        one prompt for each object; those without an id have the lowest that nobody names.

    Raises:
        PromptError: nothing is said, it is malformed, or does not fit the picture.
    """
    file = Path(config.prompts)
    listed = with_ids(read_prompts(file, _ABSENT)) if config.prompts else []
    given = prompts_from_options(
        config.click, config.background, config.box, known=listed, of_video=False
    )
    said = with_ids([*listed, *given])
    if not said:
        raise PromptError(
            "no prompts given: add --click X,Y, --box X0,Y0,X1,Y1 or --prompts FILE (see --help)"
        )
    for item in said:
        _check(item, frame)
    _check_ids(said)
    return said


def _check(item: TimedPrompt, frame: Frame) -> None:
    """Raise PromptError where a prompt is for a video, or does not fit the picture."""
    if item.frame != 0:
        raise PromptError(
            f"{item.place} is for {item.when}, but a picture has only frame 0: omit it"
        )
    if item.prompt.mask is not None or item.prompt.keep_previous:
        what = "keep" if item.prompt.mask is None else "mask"
        raise PromptError(
            f"{item.place}, field {what}: not supported for a single picture: give all clicks "
            "on an object, a box, or both, in one entry"
        )
    try:
        check_fits(item.prompt, frame)
    except PromptError as error:
        raise PromptError(f"{item.place}: {error}") from None


def _check_ids(said: Sequence[TimedPrompt]) -> None:
    """Raise PromptError where two prompts are for one object."""
    object_id, count = Counter(item.prompt.object_id for item in said).most_common(1)[0]
    if count > 1:
        *_, last = (item for item in said if item.prompt.object_id == object_id)
        raise PromptError(
            f"{last.place} is one of {count} prompts for object {object_id}, expected one for "
            "each object of a picture: combine them in one entry"
        )

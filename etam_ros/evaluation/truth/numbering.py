"""Matching frame numbers in ground truth to frames.

Frames are counted from 0. Many tools (ffmpeg, MOT) count pictures from 1, and a truth that is off
by one frame lowers the scores silently; so the numbers are checked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

AUTO: Final = "auto"
FIRST_NUMBERS: Final = (AUTO, "0", "1")


def first_number(
    numbers: Collection[int], frames: int | None, said: str, truth: str
) -> tuple[int, list[str]]:
    """The number of a video's first frame in its ground truth.

    It is 1 if the numbers range from 1 to the number of frames, so that otherwise the last one
    would have no frame; else 0.

    Args:
        numbers: of all frames that the truth lists, annotated or not.
        frames: number of frames of the video; None if unknown.
        said: the requested value, one of FIRST_NUMBERS.
        truth: name of the truth, for the notes.

    Returns:
        the number, and notes on it.
    """
    lowest, highest, notes = min(numbers), max(numbers), []
    if said != AUTO:
        first = int(said)
    elif lowest == 1 and highest == frames:
        first = 1
        notes.append(
            f"{truth} counts frames from 1, for it ends with {highest}, as many as there are: "
            "1 is taken for the first frame (--truth-from 0 says otherwise)"
        )
    else:
        first = 0
        if lowest == 1:
            notes.append(
                f"{truth} begins with 1, which is taken for the second frame: where it counts "
                "from 1, add --truth-from 1"
            )
    if frames is not None:
        outside = sum(not first <= number < first + frames for number in numbers)
        if outside:
            notes.append(
                f"{truth} has {outside} of {len(numbers)} frames that the video, with {frames}, "
                "has not: they are left out"
            )
    return first, notes

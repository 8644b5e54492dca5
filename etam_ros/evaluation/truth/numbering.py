"""Which frame a number in a ground truth means.

Frames count from 0. Much of what makes pictures of a video counts from 1 (ffmpeg, MOT), and a
truth that is off by one frame costs points without a word: so the numbers are looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

AUTO: Final = "auto"
FIRST_NUMBERS: Final = (AUTO, "0", "1")


def first_number(
    numbers: Collection[int], frames: int | None, said: str, truth: str
) -> tuple[int, list[str]]:
    """The number that the first frame of a video has in a truth.

    It is 1 where the numbers go from 1 to as many as there are frames, so that the last has none
    otherwise; else 0.

    Args:
        numbers: of all frames that the truth lists, annotated or not.
        frames: of the video; None where nobody knows.
        said: one of FIRST_NUMBERS, by whoever asks.
        truth: what it is called, for the notes.

    Returns:
        the number, and in words what somebody should know of it.
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

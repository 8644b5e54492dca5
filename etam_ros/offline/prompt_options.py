"""Prompts from the command line: --click, --background and --box, beside or instead of a file.

    --click 320,240              starts an object on the first frame
    --click 320,240@12           starts one on frame 12
    --click 1:340,250            is for object 1
    --background 1:10,20@40      corrects object 1 on frame 40
    --box 40,60,200,220          starts an object

What is said of one object on one frame is one prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from etam_ros.errors import PromptError
from etam_ros.media.label_png import LARGEST_ID
from etam_ros.offline.prompts_file import TimedPrompt
from etam_ros.records import BACKGROUND, FOREGROUND, Prompt

CLICK: Final = "--click"
BACKGROUND_CLICK: Final = "--background"
BOX: Final = "--box"
FORMS: Final = {CLICK: "[ID:]x,y", BACKGROUND_CLICK: "[ID:]x,y", BOX: "[ID:]x0,y0,x1,y1"}
ON_FRAME: Final = "[@frame]"
_PATTERN: Final = re.compile(r"(?:(\d{1,5}):)?([^:@]+)(?:@(\d{1,18}))?")


@dataclass(frozen=True)
class _Said:
    """One option: its text, the id it names (0: none), its numbers in pixels, its frame."""

    option: str
    text: str
    object_id: int
    numbers: tuple[float, ...]
    frame: int

    @property
    def place(self) -> str:
        return f"{self.option} {self.text}"


def prompts_from_options(
    clicks: Sequence[str],
    backgrounds: Sequence[str],
    boxes: Sequence[str],
    known: Sequence[TimedPrompt] = (),
    largest_id: int = LARGEST_ID,
    of_video: bool = True,
) -> list[TimedPrompt]:
    """The prompts that options say.

    Args:
        clicks, backgrounds, boxes: as FORMS says, of a video with ON_FRAME behind.
        known: prompts of a file, whose objects keep their ids.
        largest_id: that an option may name; an object that no option names may get a higher one
            if there are so many, which `with_ids` refuses.
        of_video: whether there are frames to name; changes the words of a refusal alone.

    Returns:
        prompts by frame. An option without an id starts an object, which gets the lowest id that
        nobody names; a background click without one is for the only object that there is.

    Raises:
        PromptError: an option is malformed, or does not say which object it means.
    """
    said = [_read(CLICK, text, largest_id, of_video) for text in clicks]
    said += [_read(BOX, text, largest_id, of_video) for text in boxes]
    off = [_read(BACKGROUND_CLICK, text, largest_id, of_video) for text in backgrounds]
    named = {item.prompt.object_id for item in known} | {each.object_id for each in said + off}
    unused = (number for number in count(1) if number not in named)
    owned = [(each.object_id or next(unused), each) for each in said]
    objects = ({number for number, _ in owned} | named) - {0}
    for each in off:
        if not each.object_id and not objects:
            raise PromptError(
                f"{each.place} is a background click, but there is no object to correct: add "
                f"one with {CLICK} X,Y or {BOX} X0,Y0,X1,Y1"
            )
        if not each.object_id and len(objects) != 1:
            raise PromptError(
                f"{each.place} does not name one of the {len(objects)} objects: write "
                f"{BACKGROUND_CLICK} ID:{each.text}"
            )
        owned.append((each.object_id or min(objects), each))
    moments = sorted({(each.frame, number) for number, each in owned})
    return [
        _prompt(number, frame, [each for n, each in owned if (each.frame, n) == (frame, number)])
        for frame, number in moments
    ]


def _read(option: str, text: str, largest_id: int, of_video: bool) -> _Said:
    found = _PATTERN.fullmatch(text)
    numbers = _numbers(found[2]) if found else ()
    if found is None or len(numbers) != (4 if option == BOX else 2):
        form = FORMS[option] + ON_FRAME * of_video
        raise PromptError(f"{option} is {text!r}, expected {form} in pixels, without spaces")
    if option == BOX and not (numbers[0] < numbers[2] and numbers[1] < numbers[3]):
        raise PromptError(f"{option} is {text!r}, expected x0 < x1 and y0 < y1")
    object_id = int(found[1] or 0)
    if found[1] and not 1 <= object_id <= largest_id:
        raise PromptError(f"{option} is {text!r}, expected an ID from 1 to {largest_id}")
    return _Said(option, text, object_id, numbers, int(found[3] or 0))


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers between commas; none where one of them is no place in a picture."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        return ()
    return numbers if all(abs(number) < 1e9 for number in numbers) else ()


def _prompt(object_id: int, frame: int, said: Sequence[_Said]) -> TimedPrompt:
    """All that is said of one object on one frame."""
    boxes = [each for each in said if each.option == BOX]
    points = [each for each in said if each.option != BOX]
    if len(boxes) > 1:
        raise PromptError(
            f"{boxes[1].place} is a second box for object {object_id} on frame {frame}, "
            "expected one"
        )
    box = None
    if boxes:
        x0, y0, x1, y1 = boxes[0].numbers
        box = (x0, y0, x1, y1)
    prompt = Prompt(
        object_id=object_id,
        points=[(each.numbers[0], each.numbers[1]) for each in points],
        point_labels=[FOREGROUND if each.option == CLICK else BACKGROUND for each in points],
        box=box,
    )
    return TimedPrompt(" and ".join(each.place for each in said), frame, None, prompt)

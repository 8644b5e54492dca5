"""The prompts of a run as a prompts file, to be used again.

prompts.json      as `prompts_file.py` reads it, one prompt a line
prompts_4.png     the mask of its entry 4, where that has one
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from etam_ros.media.files import writing
from etam_ros.offline.prompts_file import TimedPrompt
from etam_ros.records import Prompt
from etam_ros.runtime.atomic import write_file

PROMPTS: Final = "prompts.json"


def write_prompts(folder: Path, prompts: Sequence[TimedPrompt]) -> Path:
    """Write prompts, in place of an earlier prompts.json of that folder.

    Args:
        folder: made if it is not there.
        prompts: whose objects have ids.

    Returns:
        the file.

    Raises:
        SourceError: it cannot be written; an earlier one is as it was then.
    """
    path = folder / PROMPTS
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        entries, masks = [], []
        for index, item in enumerate(prompts):
            entry = _entry(item)
            if item.prompt.mask is not None:
                entry["mask"] = f"prompts_{index}.png"
                masks.append(entry["mask"])
                picture = item.prompt.mask.astype(np.uint8) * 255
                write_file(folder / entry["mask"], cv2.imencode(".png", picture)[1].tobytes())
            entries.append(json.dumps(entry, ensure_ascii=False))
        for old in set(folder.glob("prompts_*.png")) - {folder / name for name in masks}:
            old.unlink()
        write_file(path, ("[\n  " + ",\n  ".join(entries) + "\n]\n").encode())
    return path


def _entry(item: TimedPrompt) -> dict[str, Any]:
    """A prompt in the words of the file, without its mask."""
    prompt: Prompt = item.prompt
    when = {"frame": item.frame} if item.frame is not None else {"stamp_ns": item.stamp_ns}
    entry: dict[str, Any] = {**when, "object_id": prompt.object_id}
    if prompt.label:
        entry["label"] = prompt.label
    if len(prompt.points):
        entry["points"] = [[_short(x), _short(y)] for x, y in prompt.points]
        entry["labels"] = list(prompt.point_labels)
    if prompt.box is not None:
        entry["box"] = [_short(value) for value in prompt.box]
    if prompt.keep_previous:
        entry["keep"] = True
    return entry


def _short(value: float) -> float:
    """The same number, without a point where it is whole."""
    return int(value) if float(value).is_integer() else value

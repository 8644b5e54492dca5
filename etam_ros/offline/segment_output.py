"""Everything that `etam segment` leaves behind of a picture.

Letters: H, W height and width of the picture in pixels.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import OverlayConfig
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.media.files import writing, writing_whole
from etam_ros.media.label_png import encode_label_png
from etam_ros.offline.output_folder import COLUMNS, LOGITS, MASKS_PNG, OBJECTS, OVERLAY_PNG
from etam_ros.offline.track_output import object_row
from etam_ros.records import Frame, FrameResult, ObjectState, Prompt
from etam_ros.segmenting import FoundMask, SegmentedObject
from etam_ros.segmenting.states import state_of
from etam_ros.tracking.masks.measures import measure

_VISIBILITY: Final = COLUMNS.index("visibility")


def write_segmented(
    folder: Path,
    frame: Frame,
    states: Sequence[ObjectState],
    answers: Sequence[SegmentedObject] = (),
) -> None:
    """Write masks.png, objects.csv and overlay.png, and on request logits.npz.

    Masks may overlap: the table and the logits have them whole, and masks.png shows the smaller
    object over the larger one.

    Args:
        folder: in which nothing of an earlier run lies.
        frame: the picture.
        states: its objects, in the order of the table, from `answered` or `listed`.
        answers: whose logits are written, too; none: no logits.npz.

    Raises:
        SourceError: something cannot be written.
    """
    larger_first = sorted(states, key=lambda state: -state.area)
    result = FrameResult(
        frame_number=1,
        stamp_ns=0,
        frame_id="",
        image_hw=frame.hw,
        objects=tuple(larger_first),
        label_image=_label_image(larger_first, frame.hw),
    )
    overlay = draw_overlay(frame.image, result, OverlayConfig())
    with writing(folder):
        with (folder / OBJECTS).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows(map(_row, states))
        (folder / MASKS_PNG).write_bytes(encode_label_png(result.label_image))
        encoded = cv2.imencode(".png", cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))[1]
        (folder / OVERLAY_PNG).write_bytes(encoded.tobytes())
    if answers:
        _write_logits(folder / LOGITS, answers)


def answered(prompts: Sequence[Prompt], answers: Sequence[SegmentedObject]) -> list[ObjectState]:
    """What was prompted, each with the id of its prompt."""
    return [
        state_of(
            measure(answer.mask),
            object_id=prompt.object_id,
            label=prompt.label,
            iou_score=answer.iou_score,
            object_score_logit=answer.object_score_logit,
        )
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


def listed(found: Sequence[FoundMask]) -> list[ObjectState]:
    """What was found without a prompt, with ids from 1 in that order."""
    return [
        state_of(each.measured(), object_id=number, iou_score=each.iou_score)
        for number, each in enumerate(found, start=1)
    ]


def _write_logits(path: Path, answers: Sequence[SegmentedObject]) -> None:
    """q0_mask_logits (K, g, g), q0_iou (K,), q0_mask (H, W) bool, and so on, by prompt."""
    arrays: dict[str, Any] = {}
    for index, answer in enumerate(answers):
        arrays[f"q{index}_mask_logits"] = answer.mask_logits
        arrays[f"q{index}_iou"] = answer.iou_scores
        arrays[f"q{index}_mask"] = answer.mask
    with writing_whole(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)


def _row(state: ObjectState) -> list[str | int | float]:
    row = object_row(0, 0, state)
    if math.isnan(state.visibility):
        row[_VISIBILITY] = ""
    return row


def _label_image(larger_first: Sequence[ObjectState], hw: tuple[int, int]) -> NDArray[np.uint16]:
    label_image = np.zeros(hw, np.uint16)
    for state in larger_first:
        x0, y0, x1, y1 = state.extent
        label_image[y0:y1, x0:x1][state.mask] = state.object_id
    return label_image

"""Prompts of a simulated operator: their kinds, positions and corrections.

Everything is drawn from (seed, step, row), so that a resumed run has the same prompts as one that
was never interrupted, and several processes the same as one. Coordinates are pixels of the
network's input, (x right, y down), with (0, 0) at the centre of the top-left one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.records import BACKGROUND, FOREGROUND
from etam_ros.runtime.stages import POINT_NONE
from etam_ros.training.config import TrainingConfig

MASK: Final = "mask"
CLICK: Final = "click"
BOX: Final = "box"
BOX_JITTER: Final = 0.1
"""Standard deviation of a box corner relative to the box, up to `MAX_BOX_JITTER` pixels."""
MAX_BOX_JITTER: Final = 10.0
CENTRE_SHARE: Final = 0.5
"""Share of clicks near the deepest place of their region; others are anywhere in it."""

Mask = NDArray[np.bool_]
Click = tuple[float, float, int]
"""x, y and label."""
_STEP_STREAM, _ROW_STREAM = 0x57E9, 0x0B1E


@dataclass(frozen=True)
class PromptPlan:
    """How the rows of one step are prompted.

    Attributes:
        kinds: MASK, CLICK or BOX for each row, on the first frame.
        first_clicks: number of corrections on the first frame, for rows with a click or a box.
        second_frame: a later frame on which all rows are corrected, or None.
        second_clicks: number of corrections there.
    """

    kinds: tuple[str, ...]
    first_clicks: int
    second_frame: int | None
    second_clicks: int


def row_random(config: TrainingConfig, step: int, row: int) -> np.random.Generator:
    """The random generator of one row, counted over all processes, in one step."""
    return np.random.default_rng((_ROW_STREAM, config.seed, step, row))


def plan_prompts(
    config: TrainingConfig, step: int, rngs: list[np.random.Generator], frames: int
) -> PromptPlan:
    """Decide how each row is prompted; the first draw of its generator is the kind of prompt.

    On clips of one frame no mask is given, because nothing could be learned from it.
    """
    bounds = np.cumsum([config.mask_prompts, config.click_prompts])
    if frames == 1 and config.mask_prompts < 1.0:
        bounds = (bounds - config.mask_prompts) / (1.0 - config.mask_prompts)
    kinds = tuple((MASK, CLICK, BOX)[int((rng.random() >= bounds).sum())] for rng in rngs)
    rng = np.random.default_rng((_STEP_STREAM, config.seed, step))
    corrected, again = rng.random(2)
    clicks = rng.integers(1, config.max_clicks + 1, size=2)
    second = int(rng.integers(1, frames)) if frames > 1 else None
    return PromptPlan(
        kinds,
        first_clicks=int(clicks[0]) if corrected < config.corrections else 0,
        second_frame=second if again < config.second_prompts else None,
        second_clicks=int(clicks[1]),
    )


def first_click(mask: Mask, rng: np.random.Generator) -> Click:
    """A click on the object, near its deepest place or anywhere; the mask (H, W) is not empty."""
    x, y = _place(mask, rng)
    return x, y, FOREGROUND


def jittered_box(
    mask: Mask, rng: np.random.Generator
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Corners of a roughly drawn box within the picture; the mask (H, W) is not empty."""
    height, width = mask.shape
    x, y, box_width, box_height = cv2.boundingRect(mask.view(np.uint8))
    spread = np.minimum(BOX_JITTER * np.array([box_width, box_height] * 2), MAX_BOX_JITTER)
    noise = np.clip(rng.standard_normal(4), -2.0, 2.0) * spread * rng.choice([0.0, 0.5, 1.0])
    x0, y0, x1, y1 = np.array([x, y, x + box_width, y + box_height]) + noise
    x0, x1 = sorted(np.clip((x0, x1), 0.0, width).tolist())
    y0, y1 = sorted(np.clip((y0, y1), 0.0, height).tolist())
    return (x0, y0), (x1, y1)


def correcting_click(
    mask: Mask, truth: Mask, rng: np.random.Generator, truth_share: float
) -> Click:
    """A click on a missing or wrong part, labelled by the truth; both masks are (H, W).

    With probability `truth_share`, and if nothing is wrong, it is a click on the object;
    POINT_NONE if there is no object either.
    """
    wrong = mask ^ truth
    if truth.any() and (rng.random() < truth_share or not wrong.any()):
        return first_click(truth, rng)
    if not wrong.any():
        return 0.0, 0.0, POINT_NONE
    x, y = _place(wrong, rng)
    return x, y, FOREGROUND if truth[int(y), int(x)] else BACKGROUND


def _place(region: Mask, rng: np.random.Generator) -> tuple[float, float]:
    """A pixel (x, y) of a region; half of the time one of the deepest."""
    weight = region.view(np.uint8)
    if rng.random() < CENTRE_SHARE:
        padded = np.pad(weight, 1)
        depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_3)[1:-1, 1:-1]
        deep = depth >= rng.uniform(0.7, 1.0) * depth.max()
        weight = deep.view(np.uint8) & weight
    chosen = np.flatnonzero(weight)
    y, x = divmod(int(chosen[rng.integers(len(chosen))]), region.shape[1])
    return float(x), float(y)

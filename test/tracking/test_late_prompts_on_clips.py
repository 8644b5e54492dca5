"""What a stamp is worth where things move fast: prompts half a second late, on made-up clips.

Every fourth frame of a clip counts as one of a camera of 15 Hz, so that things move twice as fast
as usual: by their own size and more while a prompt is on its way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from etam_ros import Frame, History, Prompt, Tracker, open_stages
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.evaluation.truth_prompts import box_of, correcting_click, full_mask
from etam_ros.runtime import Stages
from etam_ros.synthetic.scene.clips import ClipFrame, generate_clip

sys.path.insert(0, str(Path(__file__).parent))
from encoded_once import encoded_once

SEEDS = (1,)
OBJECTS = 3
EVERY = 4
PERIOD_NS = 66_666_667
DELAY = 8  # frames; 7 are 467 ms, 8 are 533 ms
JUDGED = DELAY + 10  # two thirds of a second after the prompt arrived
FEWEST_PX = 300


@pytest.fixture(scope="module")
def network() -> Iterator[Stages]:
    with open_stages("etam_nano", backend="torch", device="cpu") as opened:
        yield encoded_once(opened)


@pytest.fixture(scope="module")
def clips() -> list[list[ClipFrame]]:
    count = EVERY * JUDGED + 1
    made = [
        generate_clip(seed, frames=30 * EVERY, height=240, width=320, objects=OBJECTS)
        for seed in SEEDS
    ]
    return [[clip.frame(index) for index in range(0, count, EVERY)] for clip in made]


def prompt_of(kind: str, truth: np.ndarray, object_id: int, stamp_ns: int) -> Prompt:
    if kind == "box":
        return Prompt(object_id, box=box_of(truth), stamp_ns=stamp_ns)
    point, label = correcting_click(np.zeros_like(truth), truth)
    return Prompt(object_id, points=[point], point_labels=[label], stamp_ns=stamp_ns)


def ious(
    stages: Stages, clip: list[ClipFrame], kind: str, *, prompted: int, stamp_ns: int
) -> list[float]:
    """IoU of each object at the end, after prompts made on the first frame.

    Args:
        stages: of etam_nano.
        clip: one frame each 15th of a second.
        kind: click or box.
        prompted: frame after which the prompts arrive.
        stamp_ns: which they carry; 0: none.
    """
    first, last = clip[0], clip[JUDGED]
    seen = [
        object_id
        for object_id in range(1, OBJECTS + 1)
        if all(
            np.count_nonzero(frame.label_image == object_id) >= FEWEST_PX
            for frame in (first, clip[DELAY], last)
        )
    ]
    tracker = Tracker(stages, history=History())
    for index, picture in enumerate(clip):
        tracker.step(Frame(picture.image, (index + 1) * PERIOD_NS))
        for object_id in seen if index == prompted else ():
            truth = first.label_image == object_id
            tracker.add_prompt(prompt_of(kind, truth, object_id, stamp_ns))
    assert tracker.result is not None
    return [
        region_similarity(
            full_mask(tracker.result.object(each), last.label_image.shape),
            last.label_image == each,
        )
        for each in seen
    ]


@pytest.mark.parametrize("kind", ["click", "box"])
def test_a_stamp_makes_up_for_half_a_second_of_delay(
    network: Stages, clips: list[list[ClipFrame]], kind: str
) -> None:
    ways = {
        "in time": {"prompted": 0, "stamp_ns": 0},
        "late with a stamp": {"prompted": DELAY, "stamp_ns": PERIOD_NS},
        "late without": {"prompted": DELAY, "stamp_ns": 0},
    }
    mean = {
        name: float(np.mean([iou for clip in clips for iou in ious(network, clip, kind, **way)]))
        for name, way in ways.items()
    }
    assert abs(mean["late with a stamp"] - mean["in time"]) <= 0.02, mean
    assert mean["late with a stamp"] >= mean["late without"] + 0.2, mean

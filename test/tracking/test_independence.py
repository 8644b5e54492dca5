"""Objects do not touch each other, on a real network with untrained weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from etam_ros import Frame, Prompt, Tracker, open_stages
from etam_ros.runtime import Stages

FRAMES = 14
TOLERANCE = 1e-5
Action = Callable[[Tracker], object]


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    with open_stages("tiny_test", weights="random:3", device="cpu") as opened:
        yield opened


def pictures() -> list[Frame]:
    rng = np.random.default_rng(5)
    return [Frame(rng.integers(0, 255, (96, 128, 3), np.uint8)) for _ in range(FRAMES)]


def run(stages: Stages, actions: dict[int, Action]) -> dict[tuple[int, int], np.ndarray]:
    """Logits by (frame, object) of a stream in which things happen after some frames."""
    tracker = Tracker(stages)
    logits = {}
    for index, picture in enumerate(pictures()):
        tracker.step(picture)
        if index == 0:
            tracker.add_prompt(Prompt(object_id=1, points=[(40, 50)], point_labels=[1]))
            tracker.add_prompt(Prompt(object_id=2, box=(20, 20, 70, 60)))
        actions.get(index, lambda tracker: None)(tracker)
        for state in tracker.result.objects:
            logits[index, state.object_id] = state.mask_logits.numpy()
    return logits


def add(tracker: Tracker) -> object:
    return tracker.add_prompt(Prompt(object_id=3, points=[(90, 30)], point_labels=[1]))


def refine(tracker: Tracker) -> object:
    return tracker.add_prompt(Prompt(object_id=2, points=[(30, 30)], point_labels=[0]))


def mask(tracker: Tracker) -> object:
    region = np.zeros((96, 128), bool)
    region[10:50, 30:90] = True
    return tracker.add_prompt(Prompt(object_id=2, mask=region))


def remove(tracker: Tracker) -> object:
    return tracker.remove(2)


@pytest.mark.parametrize(
    "actions",
    [{4: add}, {4: refine}, {6: mask}, {3: remove}, {2: add, 5: refine, 8: remove}],
    ids=["add", "refine", "mask", "remove", "all"],
)
def test_the_other_object_keeps_its_logits(stages: Stages, actions: dict[int, Action]) -> None:
    alone = run(stages, {})
    disturbed = run(stages, actions)
    for index in range(FRAMES):
        difference = np.abs(disturbed[index, 1] - alone[index, 1]).max()
        assert difference <= TOLERANCE, f"frame {index}: {difference}"


def test_refining_and_removing_do_change_the_object_itself(stages: Stages) -> None:
    alone = run(stages, {})
    assert np.abs(run(stages, {4: refine})[13, 2] - alone[13, 2]).max() > TOLERANCE
    assert (13, 2) not in run(stages, {3: remove})


def test_order_of_addition_does_not_matter(stages: Stages) -> None:
    tracker = Tracker(stages)
    prompts = [
        Prompt(object_id=2, box=(20, 20, 70, 60)),
        Prompt(object_id=1, points=[(40, 50)], point_labels=[1]),
    ]
    alone = run(stages, {})
    for index, picture in enumerate(pictures()):
        tracker.step(picture)
        for prompt in prompts if index == 0 else ():
            tracker.add_prompt(prompt)
        for object_id in (1, 2):
            logits = tracker.result.object(object_id).mask_logits.numpy()
            assert np.abs(logits - alone[index, object_id]).max() <= TOLERANCE

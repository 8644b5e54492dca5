"""A call that raises, wherever it does, leaves a tracker that is like one that never got it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros import (
    Frame,
    FrameResult,
    History,
    HistoryConfig,
    Prompt,
    Tracker,
    TrackerConfig,
    open_stages,
)
from etam_ros.errors import DeviceMemoryError, StageError
from etam_ros.runtime import Stages
from etam_ros.tracking.publishing import CpuPostprocessor, Drawing

sys.path.insert(0, str(Path(__file__).parent))
from encoded_once import encoded_once
from fake_stages import FailingStages

SECOND = 1_000_000_000
SIZE_HW = (48, 64)
CUES = {"carries_masks": True, "proposes_masks": True, "follows_edges": True, "answers_once": True}
CONFIG = TrackerConfig(forget_after_s=30.0)
OF_A_PROMPT = ["decode_mask", "fill_holes", "encode_memory", "draw", "wait"]
OF_A_FRAME = ["load", "encode_image", "attend_memory", *OF_A_PROMPT]


class FailingPostprocessor(CpuPostprocessor):
    """Fails where a test says so."""

    def __init__(self, stages: FailingStages) -> None:
        super().__init__(stages.sizes.image_size)
        self.stages = stages
        load, fill_holes = self.load, self.fill_holes

        def failing_load(image: NDArray[np.uint8]) -> Tensor:
            loaded = load(image)
            stages.fail("load")
            return loaded

        def failing_fill_holes(mask_logits: Tensor, max_area: int) -> Tensor:
            stages.fail("fill_holes")
            return fill_holes(mask_logits, max_area)

        self.load, self.fill_holes = failing_load, failing_fill_holes

    def draw(
        self,
        object_ids: Sequence[int],
        mask_logits: Sequence[Tensor],
        scores: Sequence[Tensor],
        source_hw: tuple[int, int],
        config: TrackerConfig,
    ) -> Callable[[], Drawing]:
        wait = super().draw(object_ids, mask_logits, scores, source_hw, config)
        self.stages.fail("draw")

        def failing_wait() -> Drawing:
            self.stages.fail("wait")
            return wait()

        return failing_wait


@pytest.fixture(scope="module")
def network() -> Iterator[Stages]:
    with open_stages("tiny_test", weights="random:3", device="cpu") as opened:
        yield encoded_once(opened)


@pytest.fixture(scope="module", params=[{}, CUES], ids=["network alone", "with cues"])
def traits(request: pytest.FixtureRequest) -> dict[str, bool]:
    return request.param


@pytest.fixture
def tracker(network: Stages, traits: dict[str, bool]) -> Tracker:
    return followed(network, traits)


def followed(network: Stages, traits: dict[str, bool]) -> Tracker:
    """A tracker that followed two objects for three frames."""
    stages = FailingStages(network, **traits)
    tracker = Tracker(
        stages,
        CONFIG,
        history=History(HistoryConfig(seconds=60)),
        postprocessor=FailingPostprocessor(stages),
    )
    for second in (100, 101, 102):
        tracker.step(frame(second))
        if second == 100:
            tracker.add_prompt(click(1))
            tracker.add_prompt(Prompt(object_id=2, box=(8, 10, 40, 44)))
    return tracker


@pytest.fixture(scope="module")
def expected(network: Stages, traits: dict[str, bool]) -> list[FrameResult]:
    """How one goes on in which nothing has failed."""
    return list(go_on(followed(network, traits)))


def frame(second: int, *, dark: bool = False) -> Frame:
    rng = np.random.default_rng(second)
    low, high = (0, 60) if dark else (150, 255)
    return Frame(rng.integers(low, high, (*SIZE_HW, 3), np.uint8), second * SECOND, "camera")


def click(object_id: int, second: int = 0, **more: bool) -> Prompt:
    stamp_ns = second * SECOND
    return Prompt(object_id, points=[(30, 20)], point_labels=[1], stamp_ns=stamp_ns, **more)


def fails(tracker: Tracker, stage: str, call: Callable[[], object]) -> None:
    """The call fails in that stage, and what the tracker shows stays what it was."""
    result, ids = tracker.result, tracker.object_ids
    assert isinstance(tracker.stages, FailingStages)
    tracker.stages.failing = stage
    with pytest.raises(StageError, match=f"{stage} failed"):
        call()
    tracker.stages.failing = ""
    assert tracker.result is result
    assert tracker.object_ids == ids


def assert_same(result: FrameResult | None, expected: FrameResult | None) -> None:
    assert result is not None
    assert expected is not None
    for item in fields(FrameResult):
        if item.name not in ("objects", "label_image"):
            assert getattr(result, item.name) == getattr(expected, item.name)
    assert np.array_equal(result.label_image, expected.label_image)
    for state, other in zip(result.objects, expected.objects, strict=True):
        for item in fields(state):
            value, wanted = getattr(state, item.name), getattr(other, item.name)
            if isinstance(value, Tensor):
                assert torch.equal(value, wanted)
            else:
                np.testing.assert_array_equal(value, wanted)


def go_on(tracker: Tracker) -> Iterator[FrameResult]:
    """What comes of the next frames and prompts, with objects out of sight for 29 seconds."""
    for second, dark in ((9, True), (10, False), (39, True)):
        result = tracker.step(frame(second, dark=dark))
        assert [state.occluded for state in result.objects] == [dark] * len(result.objects)
        yield deepcopy(result)
    for prompt in (click(1, keep_previous=True), click(0)):
        tracker.add_prompt(prompt)
        assert tracker.result is not None
        yield deepcopy(tracker.result)
    yield deepcopy(tracker.step(frame(40)))


def assert_goes_on_as(tracker: Tracker, expected: Sequence[FrameResult]) -> None:
    for ours, theirs in zip(go_on(tracker), expected, strict=True):
        assert_same(ours, theirs)


@pytest.mark.parametrize("stage", OF_A_FRAME)
def test_a_frame_that_fails_leaves_the_tracker_as_it_was(
    tracker: Tracker, expected: list[FrameResult], stage: str
) -> None:
    """It came after a jump back in time, by which objects must not be moved back twice."""
    for second in (5, 7):
        fails(tracker, stage, lambda second=second: tracker.step(frame(second, dark=True)))
    assert_goes_on_as(tracker, expected)
    assert tracker.object_ids == (1, 2, 3)


@pytest.mark.parametrize("stage", ["decode_mask", "encode_memory"])
def test_without_memory_left_an_object_is_refused_and_the_others_go_on(
    tracker: Tracker, expected: list[FrameResult], stage: str
) -> None:
    assert isinstance(tracker.stages, FailingStages)
    tracker.stages.failing, tracker.stages.error = stage, torch.cuda.OutOfMemoryError
    for call in (
        lambda: tracker.add_prompt(click(0)),
        lambda: tracker.add_prompt(click(0, 101)),
        lambda: tracker.step(frame(103)),
    ):
        with pytest.raises(DeviceMemoryError, match=rf"no memory left \({stage} failed\): remove"):
            call()
    tracker.stages.failing = ""
    assert_goes_on_as(tracker, expected)


def test_without_memory_left_for_the_masks_every_call_says_so(
    tracker: Tracker, expected: list[FrameResult]
) -> None:
    """Removing objects, too, which is what the words ask for: others are drawn again then."""
    assert isinstance(tracker.stages, FailingStages)
    tracker.stages.failing, tracker.stages.error = "draw", torch.cuda.OutOfMemoryError
    for call in (
        lambda: tracker.remove(1),
        tracker.reset,
        lambda: tracker.add_prompt(click(0)),
        lambda: tracker.result_at(101 * SECOND),
        lambda: tracker.step(frame(103)),
    ):
        with pytest.raises(DeviceMemoryError, match=r"no memory left \(draw failed\): remove"):
            call()
    tracker.stages.failing = ""
    assert_goes_on_as(tracker, expected)


@pytest.mark.parametrize("stage", OF_A_PROMPT)
@pytest.mark.parametrize(
    "prompt",
    [
        click(1, keep_previous=True),
        Prompt(object_id=2, mask=np.ones(SIZE_HW, bool), label="all of it"),
        click(0),
    ],
    ids=["click", "mask", "new object"],
)
def test_a_prompt_that_fails_leaves_the_tracker_as_it_was(
    tracker: Tracker, expected: list[FrameResult], stage: str, prompt: Prompt
) -> None:
    fails(tracker, stage, lambda: tracker.add_prompt(prompt))
    assert_goes_on_as(tracker, expected)


@pytest.mark.parametrize("stage", ["draw", "wait"])
def test_a_removal_or_reset_that_fails_leaves_the_tracker_as_it_was(
    tracker: Tracker, expected: list[FrameResult], stage: str
) -> None:
    fails(tracker, stage, lambda: tracker.remove(1))
    fails(tracker, stage, tracker.reset)
    assert_goes_on_as(tracker, expected)


@pytest.mark.parametrize(
    ("object_id", "stage"),
    [(1, stage) for stage in OF_A_FRAME] + [(3, "load"), (3, "encode_image"), (3, "wait")],
)
def test_a_late_prompt_that_fails_leaves_the_tracker_as_it_was(
    tracker: Tracker, expected: list[FrameResult], stage: str, object_id: int
) -> None:
    fails(tracker, stage, lambda: tracker.add_prompt(click(object_id, 101)))
    assert not tracker.catch_up()
    assert_goes_on_as(tracker, expected)


@pytest.fixture(scope="module", params=[0, 1], ids=["in between", "to the newest"])
def frames(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(scope="module")
def caught_up(network: Stages, traits: dict[str, bool], frames: int) -> list[FrameResult]:
    """What one shows that has caught up so far and to the end, and how it goes on."""
    tracker = followed(network, traits)
    start_catching_up(tracker, frames)
    return [end_catching_up(tracker), *go_on(tracker)]


def start_catching_up(tracker: Tracker, frames: int) -> None:
    tracker.add_prompt(click(1, 100))
    tracker.add_prompt(click(3, 100))
    for _ in range(frames):
        tracker.catch_up()


def end_catching_up(tracker: Tracker) -> FrameResult:
    while tracker.catch_up():
        pass
    assert tracker.result is not None
    return deepcopy(tracker.result)


@pytest.mark.parametrize("stage", OF_A_FRAME)
def test_a_frame_of_catching_up_that_fails_leaves_the_tracker_as_it_was(
    tracker: Tracker, caught_up: list[FrameResult], stage: str, frames: int
) -> None:
    """Also within a step, whose own frame is then as if it had not come."""
    start_catching_up(tracker, frames)
    if not (frames and stage in ("load", "encode_image")):  # the newest is encoded already
        fails(tracker, stage, tracker.catch_up)
    fails(tracker, stage, lambda: tracker.step(frame(103)))
    assert_same(end_catching_up(tracker), caught_up[0])
    assert_goes_on_as(tracker, caught_up[1:])


def test_a_first_frame_that_fails_is_not_counted(network: Stages) -> None:
    stages = FailingStages(network)
    tracker = Tracker(stages)
    fails(tracker, "encode_image", lambda: tracker.step(frame(100)))
    assert tracker.step(frame(1)).frame_number == 1
    assert tracker.result is not None
    assert not tracker.result.time_went_back

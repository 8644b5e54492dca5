"""Prompts on past frames: they apply there, their objects catch up, others are not touched."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
from etam_ros.errors import ImageError, ObjectError, PromptError
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_TEST
from etam_ros.runtime import Stages
from etam_ros.runtime.backends.torch.graphs import torch_graphs_stages
from etam_ros.tracking.catch_up import past_limits

sys.path.insert(0, str(Path(__file__).parent))
from fake_stages import SIZE, FailingStages, FakeStages

TICK = 66_666_667
"""Between two frames, 15 a second."""
CUES = {"carries_masks": True, "proposes_masks": True, "follows_edges": True, "answers_once": True}
TOLERANCE = 1e-4


def frame(number: int, hw: tuple[int, int] = (48, 64)) -> Frame:
    """A bright square that moves over a dark ground with noise."""
    image = np.random.default_rng(number).integers(0, 40, (*hw, 3), np.uint8)
    left = 4 + number % 10 * 3
    image[12:32, left : left + 20] += 180
    return Frame(image, number * TICK, "camera")


def click(object_id: int = 0, number: int = 0, x: float = 30, **more: bool) -> Prompt:
    return Prompt(object_id, points=[(x, 20)], point_labels=[1], stamp_ns=number * TICK, **more)


@pytest.fixture(scope="module")
def network() -> Iterator[Stages]:
    with open_stages("tiny_test", weights="random:3", device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def fixed_shapes() -> Stages:
    loaded = load_network(TINY_TEST, "random:3")
    return torch_graphs_stages(loaded, "fp32", torch.device("cpu"))


@pytest.fixture(params=["network alone", "with cues", "fixed shapes"])
def stages(network: Stages, fixed_shapes: Stages, request: pytest.FixtureRequest) -> Stages:
    traits = CUES if request.param == "with cues" else {}
    return FailingStages(fixed_shapes if request.param == "fixed shapes" else network, **traits)


def tracker_on(stages: Stages, **config: float) -> Tracker:
    return Tracker(stages, history=History(HistoryConfig(**config)))


def followed(tracker: Tracker, numbers: Sequence[int]) -> FrameResult:
    for number in numbers:
        result = tracker.step(frame(number), catch_up=False)
    return result


def arrive(tracker: Tracker) -> FrameResult:
    """All that catch up do, without another frame."""
    while tracker.catch_up():
        pass
    assert tracker.result is not None
    return tracker.result


def assert_near(ours: FrameResult, theirs: FrameResult, object_id: int) -> None:
    difference = ours.object(object_id).mask_logits - theirs.object(object_id).mask_logits
    assert difference.abs().max() <= TOLERANCE
    assert ours.object(object_id).occluded == theirs.object(object_id).occluded


def test_a_late_click_gives_what_it_would_have_given_in_time(stages: Stages) -> None:
    """With few frames in between none is left out, and it is as if nothing had been late."""
    late, in_time = tracker_on(stages), tracker_on(stages)
    followed(in_time, [1, 2, 3])
    expected = in_time.add_prompt(click(5))
    followed(in_time, [4, 5, 6, 7])
    followed(late, range(1, 8))
    state = late.add_prompt(click(5, 3))
    assert torch.equal(state.mask_logits, expected.mask_logits)
    assert (state.stamp_ns, state.box) == (3 * TICK, expected.box)
    assert late.result.objects == ()
    assert late.object_ids == (5,)
    for number in (8, 9, 10):
        assert_near(arrive(late), in_time.result, 5)
        followed(late, [number])
        followed(in_time, [number])
    assert_near(late.result, in_time.result, 5)


def test_a_late_refinement_replaces_what_was_remembered_after_it(stages: Stages) -> None:
    late, in_time = tracker_on(stages), tracker_on(stages)
    refinement = Prompt(1, points=[(10, 10)], point_labels=[0])
    for tracker in (late, in_time):
        followed(tracker, [1])
        tracker.add_prompt(click(1))
        tracker.add_prompt(click(2, x=50))
        followed(tracker, [2, 3, 4, 5])
    expected = in_time.add_prompt(refinement)
    followed(in_time, [6, 7, 8])
    followed(late, [6])
    late.add_prompt(click(1, x=8))  # later than the refinement: undone by it
    followed(late, [7, 8])
    before = late.result
    state = late.add_prompt(Prompt(1, points=[(10, 10)], point_labels=[0], stamp_ns=5 * TICK))
    assert (state.mask_logits - expected.mask_logits).abs().max() <= TOLERANCE
    assert late.result is before
    assert late.object_ids == (1, 2)
    assert_near(arrive(late), in_time.result, 1)
    assert_near(followed(late, [9]), followed(in_time, [9]), 1)


@pytest.mark.parametrize("arrived", [False, True], ids=["on its way", "arrived"])
def test_a_second_prompt_on_the_same_frame_adds_to_the_first(
    stages: Stages, arrived: bool
) -> None:
    late, in_time = tracker_on(stages), tracker_on(stages)
    followed(in_time, [1, 2])
    in_time.add_prompt(click(1))
    expected = in_time.add_prompt(click(1, x=20, keep_previous=True))
    followed(in_time, [3, 4, 5])
    followed(late, range(1, 6))
    late.add_prompt(click(1, 2))
    if arrived:
        arrive(late)
    else:
        late.catch_up()
    state = late.add_prompt(click(1, 2, x=20, keep_previous=True))
    assert (state.mask_logits - expected.mask_logits).abs().max() <= TOLERANCE
    assert_near(arrive(late), in_time.result, 1)


@pytest.mark.parametrize("object_id", [2, 7], ids=["refined", "new"])
def test_the_other_objects_go_on_bit_for_bit(stages: Stages, object_id: int) -> None:
    disturbed, alone = tracker_on(stages), tracker_on(stages)
    for tracker in (disturbed, alone):
        followed(tracker, [1])
        tracker.add_prompt(click(1))
        tracker.add_prompt(click(2, x=50))
        followed(tracker, range(2, 10))
    disturbed.add_prompt(click(object_id, 3, x=40))
    for number in range(10, 13):
        ours, theirs = disturbed.step(frame(number)), alone.step(frame(number))
        for each in theirs.objects:
            assert torch.equal(ours.object(each.object_id).mask_logits, each.mask_logits)
        assert np.array_equal(ours.label_image, theirs.label_image)
    for number in range(13, 18):
        ours, theirs = disturbed.step(frame(number)), alone.step(frame(number))
        difference = ours.object(1).mask_logits - theirs.object(1).mask_logits
        assert difference.abs().max() <= 1e-5
    assert set(disturbed.object_ids) == {1, 2, object_id}
    assert ours.object(object_id) is not None


def test_an_object_is_refined_on_a_frame_that_was_dropped(stages: Stages) -> None:
    """It is followed there first, from the frame before it that was stepped."""
    history = History()
    late, in_time = Tracker(stages, history=history), tracker_on(stages)
    for number in range(1, 8):
        history.add(number * TICK, 1000, lambda number=number: frame(number))
    followed(late, [1])
    followed(in_time, [1])
    for tracker in (late, in_time):
        tracker.add_prompt(click(1))
    followed(in_time, [4])
    expected = in_time.add_prompt(click(1, x=12))
    followed(late, [3, 5, 7])
    state = late.add_prompt(click(1, 4, x=12))
    assert state.stamp_ns == 4 * TICK
    assert not torch.equal(state.mask_logits, expected.mask_logits), "it remembers frame 3 too"
    assert arrive(late).object(1) is not None


def fake_with_drops(
    stepped: Sequence[int], received: int
) -> tuple[Tracker, FakeStages, list[int]]:
    """A tracker that stepped some of the frames that were received, and which ones are read."""
    stages, history, read = FakeStages(), History(), []

    def reading(number: int) -> Frame:
        read.append(number)
        return frame(number)

    for number in range(1, received + 1):
        history.add(number * TICK, 100, lambda number=number: reading(number))
    tracker = Tracker(stages, history=history)
    followed(tracker, stepped)
    return tracker, stages, read


def test_frames_are_left_out_evenly_and_read_when_they_are_needed() -> None:
    tracker, stages, read = fake_with_drops([1, 11, 21], received=21)
    assert read == []
    tracker.add_prompt(click(0, 1))
    assert read == [1]
    arrive(tracker)
    assert read == [1, 5, 9, 13, 17]
    assert stages.calls["encode_image"] == 3 + 5, "the newest frame was encoded before"
    followed(tracker, [22])
    assert stages.banks[-1].temporal_index.tolist() == [[6, 4, 3, 2, 1, 0]]


def test_a_frame_that_cannot_be_read_is_passed_over() -> None:
    tracker, _, _ = fake_with_drops([1], received=1)
    history = tracker._history

    def broken() -> Frame:
        raise ImageError("not a JPEG")

    history.add(2 * TICK, 100, broken)
    history.add(3 * TICK, 100, lambda: frame(3))
    followed(tracker, [4])
    tracker.add_prompt(click(0, 1))
    assert arrive(tracker).object(1) is not None
    with pytest.raises(ImageError):
        tracker.add_prompt(click(0, 2))
    assert tracker.object_ids == (1,)


def test_objects_of_one_frame_catch_up_together() -> None:
    tracker, stages, read = fake_with_drops([1, 8], received=8)
    for x in (10, 20, 30):
        tracker.add_prompt(click(0, 2, x=x))
    assert read == [2]
    assert [state.object_id for state in arrive(tracker).objects] == [1, 2, 3]
    assert len(read) == 5
    assert len(stages.banks[-1].memories) == 3


def test_each_step_takes_objects_one_frame_nearer() -> None:
    tracker, _, read = fake_with_drops(range(1, 9), received=20)
    tracker.add_prompt(click(0, 2))
    for number in range(9, 13):
        assert tracker.step(frame(number)).objects == ()
    assert len(read) == 5
    assert [state.object_id for state in tracker.step(frame(13)).objects] == [1]
    assert not tracker.catch_up()


def test_who_is_prompted_again_and_again_still_arrives() -> None:
    tracker, _, _ = fake_with_drops(range(1, 9), received=30)
    for number in range(9, 30):
        tracker.add_prompt(click(1, number - 6))
        tracker.step(frame(number))
    assert tracker.result.object(1) is not None


def test_a_frame_that_was_received_and_not_stepped_can_be_prompted() -> None:
    tracker, _, read = fake_with_drops([1, 2], received=5)
    state = tracker.add_prompt(click(0, 4))
    assert state.stamp_ns == 4 * TICK
    assert not tracker.catch_up(), "nothing can be done before that frame"
    assert tracker.step(frame(3)).objects == ()
    assert tracker.step(frame(4)).objects == ()
    assert arrive(tracker).object(1).stamp_ns == 4 * TICK
    assert tracker.step(frame(5)).object(1) is not None
    assert read == [4]


def test_an_object_can_start_earlier_than_it_did() -> None:
    tracker, stages, _ = fake_with_drops([1, 2, 3, 4], received=4)
    tracker.add_prompt(Prompt(3, "cup", points=[(20, 20)], point_labels=[1]))
    followed(tracker, [5])
    state = tracker.add_prompt(click(3, 2))
    assert (state.label, state.stamp_ns) == ("cup", 2 * TICK)
    assert stages.decoded[-1][0].min() > 1000, "it sees the picture without memory"
    assert arrive(tracker).object(3).label == "cup"


def test_a_prompt_on_the_newest_frame_brings_the_object_there() -> None:
    tracker, _, _ = fake_with_drops(range(1, 9), received=8)
    tracker.add_prompt(click(1, 2))
    state = tracker.add_prompt(click(1, 8, keep_previous=True))
    assert state.stamp_ns == 8 * TICK
    assert tracker.result.object(1) is state
    assert not tracker.catch_up()
    followed(tracker, [9])
    assert tracker._state.objects.objects[0].bank.conditioning.keys() == {7, 8}


def test_what_the_objects_were_on_the_frame_of_a_prompt(stages: Stages) -> None:
    """Asking changes nothing, and a prompt that follows does not encode the frame again."""
    tracker, unasked = tracker_on(stages), tracker_on(stages)
    for each in (tracker, unasked):
        followed(each, [1, 2])
        each.add_prompt(click(1))
    then = followed(tracker, [3])
    followed(unasked, [3])
    for each in (tracker, unasked):
        followed(each, [4])
        each.add_prompt(click(2))
        followed(each, [5, 6])
    found = tracker.result_at(3 * TICK)
    assert (found.stamp_ns, found.image_hw) == (3 * TICK, (48, 64))
    assert [state.object_id for state in found.objects] == [1], "the other came later"
    assert np.array_equal(found.label_image, then.label_image)
    assert tracker.result_at(0) is tracker.result_at(6 * TICK) is tracker.result
    state = tracker.add_prompt(click(0, 3))
    unasked.add_prompt(click(0, 3))
    assert tracker.result_at(3 * TICK).object(state.object_id).box == state.box
    for number in (7, 8, 9):
        arrive(tracker), arrive(unasked)
        ours, theirs = followed(tracker, [number]), followed(unasked, [number])
        assert np.array_equal(ours.label_image, theirs.label_image)
    with pytest.raises(PromptError, match="after the newest frame"):
        tracker.result_at(20 * TICK)


def test_asking_for_a_past_frame_encodes_it_once() -> None:
    tracker, stages, read = fake_with_drops([1, 8], received=8)
    tracker.result_at(4 * TICK)
    tracker.result_at(4 * TICK)
    tracker.add_prompt(click(0, 4))
    assert read == [4]
    assert stages.calls["encode_image"] == 3
    assert tracker.is_behind
    arrive(tracker)
    assert not tracker.is_behind


def test_removal_and_reset_reach_what_catches_up() -> None:
    tracker, _, _ = fake_with_drops(range(1, 9), received=8)
    tracker.add_prompt(click(1))
    for object_id in (1, 2, 3):
        tracker.add_prompt(click(object_id, 3))
    tracker.catch_up()
    tracker.remove(2)
    tracker.remove(1)
    assert tracker.object_ids == (3,)
    assert tracker.result.objects == ()
    with pytest.raises(ObjectError, match="object 2 was removed"):
        tracker.add_prompt(click(2, 3))
    tracker.reset()
    assert tracker.object_ids == ()
    assert not tracker.catch_up()
    assert tracker.add_prompt(click(2, 3)).object_id == 2
    assert [state.object_id for state in arrive(tracker).objects] == [2]


def test_what_catches_up_counts_as_followed() -> None:
    tracker, _, _ = fake_with_drops(range(1, 9), received=8)
    tracker.config = TrackerConfig(max_objects=2)
    assert [tracker.add_prompt(click(0, number)).object_id for number in (3, 5)] == [1, 2]
    with pytest.raises(ObjectError, match=r"tracker\.max_objects is 2"):
        tracker.add_prompt(click(0, 3))
    assert tracker.object_ids == (1, 2)


def test_an_object_that_is_found_again_is_not_forgotten_on_its_way() -> None:
    tracker, stages, _ = fake_with_drops([1], received=9)
    tracker.add_prompt(click(1))
    stages.score_for = lambda frame, row: -2.0
    followed(tracker, range(2, 9))
    stages.score_for = lambda frame, row: 3.0
    tracker.add_prompt(click(1, 6))
    stages.score_for = lambda frame, row: -2.0
    tracker.config = TrackerConfig(forget_after_s=0.4)
    assert followed(tracker, [9]).forgotten_ids == ()
    assert arrive(tracker).object(1).time_since_seen_ns == 3 * TICK


def test_time_that_goes_back_brings_objects_to_now() -> None:
    tracker, _, _ = fake_with_drops(range(101, 109), received=0)
    tracker.add_prompt(click(1, 103))
    assert tracker.step(frame(1), catch_up=False).time_went_back
    assert arrive(tracker).object(1).stamp_ns == TICK
    assert tracker.step(frame(2)).object(1) is not None


def test_objects_arrive_where_frames_have_no_stamps_any_more() -> None:
    """What is newer than no stamp at all is not still to come."""
    tracker, _, _ = fake_with_drops(range(1, 9), received=8)
    tracker.add_prompt(click(1, 3))
    tracker.step(frame(0), catch_up=False)
    assert arrive(tracker).object(1).stamp_ns == 0


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (2, "the history goes back to"),
        (60, "which is after the newest frame"),
        (10**6, "expected both from one clock"),
        (-3, "the history goes back to"),
    ],
)
def test_refused_prompts_change_nothing(number: int, words: str) -> None:
    tracker = Tracker(FakeStages(), history=History())
    result = followed(tracker, range(1, 51))
    with pytest.raises(PromptError, match=words):
        tracker.add_prompt(click(0, number))
    assert tracker.result is result
    assert tracker.object_ids == ()


def test_a_prompt_is_held_against_the_size_of_its_own_frame() -> None:
    tracker = Tracker(FakeStages(), history=History())
    tracker.step(frame(1, (24, 32)))
    tracker.step(frame(2, (96, 128)))
    mask = np.ones((96, 128), bool)
    with pytest.raises(PromptError, match="outside the frame of 32 x 24 pixels"):
        tracker.add_prompt(Prompt(points=[(100, 20)], point_labels=[1], stamp_ns=TICK))
    with pytest.raises(PromptError, match="mask is 128 x 96 pixels, expected the frame's 32 x 24"):
        tracker.add_prompt(Prompt(mask=mask, stamp_ns=TICK))
    assert tracker.add_prompt(Prompt(mask=mask, stamp_ns=2 * TICK)).area == mask.sum()


def test_frames_without_stamps_refuse_stamped_prompts() -> None:
    tracker = Tracker(FakeStages(), history=History())
    tracker.step(frame(3))
    tracker.step(frame(0))
    with pytest.raises(PromptError, match="frames have no stamps"):
        tracker.add_prompt(click(0, 3))


def test_what_objects_were_is_kept_in_constant_memory() -> None:
    stages = FakeStages()
    tracker = Tracker(stages, history=History(HistoryConfig(seconds=0.5)))
    followed(tracker, [1])
    tracker.add_prompt(click(1))
    for number in range(2, 40):
        followed(tracker, [number])
        (tracked,) = tracker._state.objects
        assert len(tracked.past) <= 0.5 * 15 + 2
        assert all(state.tracked.past == () for state in tracked.past)
    assert past_limits(History(), stages.sizes, 100).states * 100 * 1000 < 256 * 2**20
    none = Tracker(stages, history=History(HistoryConfig(max_mib=0)))
    followed(none, [1])
    none.add_prompt(click(1))
    followed(none, [2, 3])
    assert none._state.objects.objects[0].past == ()


def test_what_an_object_was_may_be_gone_while_its_frame_is_kept() -> None:
    tracker, _, _ = fake_with_drops([1], received=8)
    tracker.add_prompt(click(1))
    followed(tracker, range(2, 9))
    tracker._history.config = HistoryConfig(max_mib=0)
    followed(tracker, [9, 10])
    with pytest.raises(PromptError, match="the memories of object 1 at that time are gone"):
        tracker.add_prompt(click(1, 4))
    with pytest.raises(PromptError, match="the memories of object 1 at that time are gone"):
        tracker.result_at(4 * TICK)
    assert tracker.add_prompt(click(2, 4)).object_id == 2


STAMPS = st.sampled_from(
    [0, 1, TICK, 2 * TICK, 3 * TICK, 30 * TICK, -TICK, (2**31 - 1) * 10**9, -(2**31) * 10**9]
)
ACTIONS = st.one_of(
    st.tuples(st.just("step"), STAMPS, st.booleans()),
    st.tuples(st.just("prompt"), STAMPS, st.integers(0, 3)),
    st.tuples(st.sampled_from(["catch_up", "remove", "reset"]), STAMPS, st.integers(1, 3)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=30), st.booleans())
def test_whatever_happens_it_goes_on_or_refuses_in_words(
    actions: list[tuple[str, int, int]], fed: bool
) -> None:
    history = History()
    tracker = Tracker(
        FakeStages(carries_masks=True), TrackerConfig(max_objects=2), history=history
    )
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    for name, stamp_ns, argument in actions:
        before = (tracker.result, tracker.object_ids)
        try:
            if name == "step":
                if fed:
                    history.add(stamp_ns, 10, lambda stamp_ns=stamp_ns: Frame(image, stamp_ns))
                result = tracker.step(Frame(image, stamp_ns), catch_up=bool(argument))
                assert result.stamp_ns == stamp_ns
            elif name == "prompt":
                prompt = Prompt(argument, points=[(20, 20)], point_labels=[1], stamp_ns=stamp_ns)
                state = tracker.add_prompt(prompt)
                assert stamp_ns == 0 or abs(state.stamp_ns - stamp_ns) <= 20_000_000
            elif name == "catch_up":
                tracker.catch_up()
            elif name == "remove":
                tracker.remove(argument)
            else:
                tracker.reset()
        except (PromptError, ObjectError):
            assert (tracker.result, tracker.object_ids) == before
        assert len(set(tracker.object_ids)) == len(tracker.object_ids) <= 2
    if tracker.result is not None:
        ids = set(tracker.object_ids)
        tracker.step(Frame(image, 40 * TICK))
        assert {state.object_id for state in arrive(tracker).objects} == ids

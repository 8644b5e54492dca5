"""The tracker's rules, on a fake set of stages."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from etam_ros import Frame, Prompt, Tracker, TrackerConfig
from etam_ros.errors import ObjectError, PromptError
from etam_ros.records import MAX_OBJECT_ID, NEW_OBJECT
from etam_ros.stream_time import OTHER_CLOCK_NS, REMEMBERED, StreamTime
from etam_ros.tracking.masks.selection import TRACKING_BIAS
from etam_ros.tracking.objects import ObjectTable

sys.path.insert(0, str(Path(__file__).parent))
from fake_stages import SIZE, FakeStages, square

SECOND = 1_000_000_000
NO_LOGIT = -1024.0


def frame(stamp_s: float = 0.0, height: int = SIZE, width: int = SIZE) -> Frame:
    return Frame(np.zeros((height, width, 3), np.uint8), int(stamp_s * SECOND), "camera")


def click(object_id: int = 0, x: float = 32, y: float = 32, **more: object) -> Prompt:
    return Prompt(object_id=object_id, points=[(x, y)], point_labels=[1], **more)


@pytest.fixture
def stages() -> FakeStages:
    return FakeStages()


@pytest.fixture
def tracker(stages: FakeStages) -> Tracker:
    return Tracker(stages)


def test_a_prompt_before_any_frame_is_refused(tracker: Tracker) -> None:
    with pytest.raises(PromptError, match="no frame was stepped yet"):
        tracker.add_prompt(click())
    assert tracker.result is None


def test_the_encoder_runs_once_per_frame_and_objects_are_batched(
    tracker: Tracker, stages: FakeStages
) -> None:
    tracker.step(frame())
    for _ in range(3):
        tracker.add_prompt(click())
    assert stages.calls["encode_image"] == 1
    before = dict(stages.calls)
    result = tracker.step(frame())
    assert {name: stages.calls[name] - before[name] for name in before} == dict.fromkeys(before, 1)
    assert [state.object_id for state in result.objects] == [1, 2, 3]
    assert len(stages.banks[-1].memories) == 3


@pytest.mark.parametrize("proposes_masks", [False, True])
def test_a_first_click_comes_with_a_proposal_where_the_model_wants_one(
    proposes_masks: bool,
) -> None:
    stages = FakeStages(proposes_masks=proposes_masks)
    tracker = Tracker(stages)
    tracker.step(frame())
    tracker.add_prompt(click(2))
    if not proposes_masks:
        assert stages.decoded[-1][3] is None
        return
    proposal = stages.decoded[-1][3]
    assert proposal is not None
    assert proposal.shape == (1, 1, 16, 16)
    tracker.add_prompt(click(2, x=20))  # from here on, the mask that it has
    previous = stages.decoded[-1][3]
    assert previous is not None
    assert torch.equal(previous[0, 0], square(4, 12))


def test_a_frame_without_objects_is_only_encoded(tracker: Tracker, stages: FakeStages) -> None:
    result = tracker.step(frame(1.5))
    assert result.objects == ()
    assert not result.label_image.any()
    assert (result.stamp_ns, result.frame_id, result.frame_number) == (1_500_000_000, "camera", 1)
    assert stages.calls == {
        "encode_image": 1,
        "attend_memory": 0,
        "decode_mask": 0,
        "encode_memory": 0,
    }


def test_ids_are_permanent_and_not_reused_until_reset(tracker: Tracker) -> None:
    tracker.step(frame())
    assert [tracker.add_prompt(click(given)).object_id for given in (0, 8, 0, 3)] == [1, 8, 2, 3]
    tracker.remove(8)
    tracker.remove(2)
    assert tracker.object_ids == (1, 3)
    with pytest.raises(ObjectError, match="object 8 was removed"):
        tracker.add_prompt(click(8))
    assert tracker.add_prompt(click()).object_id == 4
    tracker.reset()
    assert tracker.object_ids == ()
    assert tracker.add_prompt(click(8)).object_id == 8


@pytest.mark.parametrize("object_id", [-1, 65536])
def test_ids_out_of_range_are_refused(tracker: Tracker, object_id: int) -> None:
    tracker.step(frame())
    with pytest.raises(ObjectError, match=r"expected 1\.\.65535"):
        tracker.add_prompt(click(object_id))


def test_the_largest_id_leaves_the_others_to_be_used(tracker: Tracker) -> None:
    tracker.step(frame())
    tracker.add_prompt(click(65535))
    assert [tracker.add_prompt(click()).object_id for _ in range(2)] == [1, 2]


def test_when_all_ids_are_used_a_new_one_is_refused() -> None:
    table = ObjectTable(retired=frozenset(range(1, MAX_OBJECT_ID)))
    assert table.new_id(NEW_OBJECT, 16) == MAX_OBJECT_ID
    table = ObjectTable(retired=frozenset(range(1, MAX_OBJECT_ID + 1)))
    with pytest.raises(ObjectError, match="all ids up to 65535 are used up: reset"):
        table.new_id(NEW_OBJECT, 16)


def test_removing_what_is_not_there_names_what_is(tracker: Tracker) -> None:
    tracker.step(frame())
    tracker.add_prompt(click(4))
    with pytest.raises(ObjectError, match="no object 9, objects are: 4"):
        tracker.remove(9)
    with pytest.raises(ObjectError, match="no object 0"):
        tracker.remove(0)


def test_too_many_objects_are_refused_and_refining_still_works(stages: FakeStages) -> None:
    tracker = Tracker(stages, TrackerConfig(max_objects=2))
    tracker.step(frame())
    tracker.add_prompt(click())
    tracker.add_prompt(click())
    with pytest.raises(ObjectError, match=r"tracker\.max_objects is 2"):
        tracker.add_prompt(click())
    tracker.add_prompt(click(1))
    assert tracker.object_ids == (1, 2)


def test_removal_shows_in_the_result_at_once(tracker: Tracker) -> None:
    tracker.step(frame())
    tracker.add_prompt(click())
    tracker.add_prompt(click())
    tracker.remove(1)
    assert [state.object_id for state in tracker.result.objects] == [2]
    assert set(np.unique(tracker.result.label_image)) == {0, 2}


def test_another_name_changes_nothing_else(tracker: Tracker, stages: FakeStages) -> None:
    tracker.step(frame(1.0))
    tracker.add_prompt(click(label="cup"))
    tracker.add_prompt(click(x=10))
    before, calls = tracker.result, dict(stages.calls)
    tracker.rename(1, "mug")
    assert before is not None
    assert tracker.result is not None
    assert [state.label for state in tracker.result.objects] == ["mug", ""]
    assert tracker.result.label_image is before.label_image
    assert stages.calls == calls
    assert [state.label for state in tracker.step(frame(2.0)).objects] == ["mug", ""]
    with pytest.raises(ObjectError, match="there is no object 3, objects are: 1, 2"):
        tracker.rename(3, "x")
    with pytest.raises(PromptError, match="label has 2000 letters"):
        tracker.rename(1, "x" * 2000)


def test_rows_follow_objects_when_one_in_the_middle_goes(
    tracker: Tracker, stages: FakeStages
) -> None:
    stages.mask_for = lambda frame, row: square(2 * row, 2 * row + 6)
    tracker.step(frame())
    for _ in range(3):
        tracker.add_prompt(click())
    tracker.step(frame())
    tracker.remove(2)
    result = tracker.step(frame())
    assert [state.object_id for state in result.objects] == [1, 3]
    assert torch.equal(result.object(3).mask_logits, square(2, 8))


def test_a_new_object_sees_the_picture_without_memory(
    tracker: Tracker, stages: FakeStages
) -> None:
    tracker.step(frame())
    tracker.add_prompt(click())
    feature, points, labels, previous = stages.decoded[-1]
    assert feature.unique().tolist() == [1001.0]
    assert previous is None
    assert points.tolist() == [[[32.0, 32.0]]]
    assert labels.tolist() == [[1]]
    assert stages.remembered[-1][1].tolist() == [True]


def test_refinement_feeds_the_clamped_logits_and_conditions_on_memory(
    tracker: Tracker, stages: FakeStages
) -> None:
    stages.mask_for = lambda frame, row: square(4, 12, inside=99.0)
    tracker.step(frame())
    tracker.add_prompt(click())
    tracker.step(frame())
    tracker.add_prompt(Prompt(object_id=1, points=[(5, 6)], point_labels=[0]))
    feature, _, labels, previous = stages.decoded[-1]
    assert (previous.min(), previous.max()) == (-5.0, 32.0)
    assert feature.max() < 1000
    assert labels.tolist() == [[0]]
    tracker.step(frame())
    assert stages.banks[-1].temporal_index.tolist() == [[6, 6]]


def test_clicks_of_a_frame_add_up_only_when_asked(tracker: Tracker, stages: FakeStages) -> None:
    tracker.step(frame())
    tracker.add_prompt(Prompt(box=(8, 8, 40, 48)))
    assert stages.decoded[-1][2].tolist() == [[2, 3]]
    tracker.add_prompt(click(1, 20, 21, keep_previous=True))
    assert stages.decoded[-1][1].tolist() == [[[8, 8], [40, 48], [20, 21]]]
    assert stages.decoded[-1][2].tolist() == [[2, 3, 1]]
    tracker.add_prompt(click(1, 30, 31))
    assert stages.decoded[-1][1].tolist() == [[[30, 31]]]
    tracker.step(frame())
    tracker.add_prompt(click(1, 40, 41, keep_previous=True))
    assert stages.decoded[-1][1].tolist() == [[[40, 41]]]


def test_clicks_do_not_add_up_for_ever(tracker: Tracker) -> None:
    tracker.step(frame())
    many = Prompt(points=[(20, 21)] * 200, point_labels=[1] * 200)
    tracker.add_prompt(many)
    with pytest.raises(PromptError, match="adds 200 points to the 200 that its object has"):
        tracker.add_prompt(replace(many, object_id=1, keep_previous=True))
    tracker.add_prompt(click(1, 20, 21, keep_previous=True))
    assert tracker.add_prompt(replace(many, object_id=1)).object_id == 1


def test_a_mask_prompt_is_taken_as_it_is(tracker: Tracker, stages: FakeStages) -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[8:24, 16:48] = True
    tracker.step(frame())
    state = tracker.add_prompt(Prompt(mask=mask))
    assert state.box == (16, 8, 48, 24)
    assert state.iou_score == 1.0
    assert state.object_score_logit == 10.0
    feature, _, labels, previous = stages.decoded[-1]
    assert feature.unique().tolist() == [1.0]
    assert labels.tolist() == [[-1]]
    assert previous.shape == (1, 1, 16, 16)
    assert state.pointer.tolist() == [10.0] * 4


def test_a_mask_takes_the_place_of_the_clicks_before_it(
    tracker: Tracker, stages: FakeStages
) -> None:
    tracker.step(frame())
    tracker.add_prompt(click())
    tracker.add_prompt(Prompt(object_id=1, mask=np.ones((SIZE, SIZE), bool), keep_previous=True))
    tracker.add_prompt(click(1, 20, 21, keep_previous=True))
    _, points, _, previous = stages.decoded[-1]
    assert points.tolist() == [[[20, 21]]]
    assert torch.allclose(previous, torch.tensor(10.0))


def test_a_mask_that_vanishes_at_the_networks_size_is_refused(tracker: Tracker) -> None:
    mask = np.zeros((SIZE * 8, SIZE * 8), bool)
    mask[100, 100] = True
    tracker.step(frame(height=SIZE * 8, width=SIZE * 8))
    with pytest.raises(PromptError, match="too small for the network"):
        tracker.add_prompt(Prompt(mask=mask))
    assert tracker.object_ids == ()


def test_one_click_takes_the_best_of_three_and_two_clicks_the_single_mask(
    tracker: Tracker, stages: FakeStages
) -> None:
    tracker.step(frame())
    state = tracker.add_prompt(click())
    assert state.pointer.tolist() == [12.0] * 4
    assert state.iou_score == pytest.approx(0.8)
    state = tracker.add_prompt(Prompt(points=[(9, 9), (8, 8)], point_labels=[1, 0]))
    assert state.pointer.tolist() == [10.0] * 4
    assert state.iou_score == pytest.approx(0.9)


def test_a_model_that_answers_once_never_chooses() -> None:
    stages = FakeStages(answers_once=True)
    tracker = Tracker(stages)
    stages.iou_scores = torch.tensor([0.2, 0.5, 0.8, 0.6])
    stages.mask_for = lambda frame, row: square(4, 12, 0.01)  # unstable
    tracker.step(frame())
    assert tracker.add_prompt(click()).pointer.tolist() == [10.0] * 4
    followed = tracker.step(frame()).objects[0]
    assert followed.pointer.tolist() == [20.0] * 4
    assert followed.iou_score == pytest.approx(0.2)


def test_a_model_that_carries_masks_keeps_followed_ones_from_shrinking() -> None:
    stages = FakeStages(carries_masks=True)
    tracker = Tracker(stages)
    tracker.step(frame())
    prompted = tracker.add_prompt(click())
    assert torch.equal(prompted.mask_logits, square(4, 12)), "a prompt is answered as it is"
    still = tracker.step(frame()).objects[0]
    assert torch.equal(still.mask_logits, square(4, 12)), (
        "nothing moves, and nothing is drawn anew"
    )
    changed = tracker.step(Frame(frame().image // 2 + 120)).objects[0]
    assert torch.allclose(changed.mask_logits, square(4, 12) + TRACKING_BIAS, atol=0.01)
    remembered, _ = stages.remembered[-1]
    assert torch.allclose(remembered[0, 0], square(4, 12) + TRACKING_BIAS, atol=0.01)


def test_a_model_that_follows_edges_draws_along_them_and_remembers_what_it_decoded() -> None:
    """The mask ends in the middle of a bright square's cells, which the picture puts right."""
    tracker, other = Tracker(FakeStages(follows_edges=True)), Tracker(FakeStages())
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[14:50, 14:50] = 220
    tracker.step(Frame(image))
    state = tracker.add_prompt(click())
    assert state.box == (14, 14, 50, 50)
    assert state.mask.all()
    assert torch.equal(state.mask_logits, square(4, 12))
    other.step(Frame(image))
    assert other.add_prompt(click()).box == (16, 16, 48, 48)


def test_an_unstable_single_mask_gives_way_and_its_pointer_stays(
    tracker: Tracker, stages: FakeStages
) -> None:
    stages.mask_for = lambda frame, row: square(4, 12, inside=0.01)
    tracker.step(frame())
    state = tracker.add_prompt(Prompt(box=(8, 8, 40, 40)))
    assert state.iou_score == pytest.approx(0.8)
    assert state.pointer.tolist() == [10.0] * 4


def test_an_occluded_object_keeps_its_slot_and_comes_back(
    tracker: Tracker, stages: FakeStages
) -> None:
    stages.score_for = lambda frame, row: -2.0 if frame in (2, 3) else 3.0
    tracker.step(frame(10))
    tracker.add_prompt(click(label="cup"))
    hidden = [tracker.step(frame(10 + s)).objects[0] for s in (1, 2)]
    for state, seconds in zip(hidden, (1, 2), strict=True):
        assert state.occluded
        assert state.visibility == pytest.approx(1 / (1 + math.exp(2)))
        assert (state.area, state.box, state.mask.size) == (0, (0, 0, 0, 0), 0)
        assert all(map(math.isnan, state.centroid))
        assert state.time_since_seen_ns == seconds * SECOND
        assert (state.mask_logits == NO_LOGIT).all()
    back = tracker.step(frame(13)).objects[0]
    assert (back.occluded, back.time_since_seen_ns, back.label) == (False, 0, "cup")
    assert stages.banks[-1].temporal_index.tolist() == [[6, 1, 0]]


def test_time_counts_from_the_first_stamp_where_frames_had_none(
    tracker: Tracker, stages: FakeStages
) -> None:
    """Stamps of the clock on the wall are 50 years after none at all."""
    tracker.config = TrackerConfig(forget_after_s=10.0)
    stages.score_for = lambda frame, row: -2.0 if frame > 1 else 3.0
    wall = 1_700_000_000
    tracker.step(frame(0))
    tracker.add_prompt(click(label="cup"))
    unseen = [
        tracker.step(frame(stamp)).objects[0].time_since_seen_ns
        for stamp in (0, wall, wall + 9, 0, wall + 10)
    ]
    assert unseen == [0, 0, 9 * SECOND, 0, 10 * SECOND]
    assert tracker.step(frame(wall + 11)).forgotten_ids == (1,)


@pytest.mark.parametrize(
    ("score", "visibility"),
    [
        (-1e4, 0.0),
        (-2.0, 1 / (1 + math.exp(2))),
        (0.0, 0.5),
        (2.0, 1 / (1 + math.exp(-2))),
        (1e4, 1.0),
    ],
)
def test_visibility_is_the_sigmoid_of_any_object_score(
    tracker: Tracker, stages: FakeStages, score: float, visibility: float
) -> None:
    stages.score_for = lambda frame, row: score
    tracker.step(frame())
    assert tracker.add_prompt(click()).visibility == pytest.approx(visibility)


def test_frames_are_counted_on_over_a_reset(tracker: Tracker) -> None:
    tracker.step(frame())
    tracker.step(frame())
    tracker.reset()
    assert tracker.result is not None
    assert tracker.result.frame_number == 2
    assert tracker.step(frame()).frame_number == 3


def test_an_object_without_a_pixel_counts_as_occluded(
    tracker: Tracker, stages: FakeStages
) -> None:
    stages.mask_for = lambda frame, row: square(0, 0)
    tracker.step(frame())
    state = tracker.add_prompt(click())
    assert state.occluded
    assert math.isnan(state.centroid[0])


def test_lost_objects_are_forgotten_when_asked_to(stages: FakeStages) -> None:
    stages.score_for = lambda frame, row: -2.0 if frame > 1 and row == 0 else 3.0
    tracker = Tracker(stages, TrackerConfig(forget_after_s=1.5))
    tracker.step(frame(1))
    tracker.add_prompt(click())
    tracker.add_prompt(click())
    assert tracker.step(frame(2)).forgotten_ids == ()
    result = tracker.step(frame(3))
    assert result.forgotten_ids == (1,)
    assert tracker.object_ids == (2,)
    with pytest.raises(ObjectError, match="was removed"):
        tracker.add_prompt(click(1))


def test_time_going_back_keeps_objects_and_drops_recent_memories(
    tracker: Tracker, stages: FakeStages
) -> None:
    tracker.step(frame(5))
    tracker.add_prompt(click())
    assert not tracker.step(frame(6)).time_went_back
    tracker.step(frame(7))
    assert stages.banks[-1].temporal_index.tolist() == [[6, 0]]
    result = tracker.step(frame(1))
    assert result.time_went_back
    assert tracker.object_ids == (1,)
    assert stages.banks[-1].temporal_index.tolist() == [[6]]
    assert stages.banks[-1].pointer_count.tolist() == [1]
    assert not tracker.step(frame(2)).time_went_back


WALL = 1_790_000_000
"""Seconds: what the clock of a robot without a battery jumps to once it hears of the time."""


@pytest.mark.parametrize(
    ("seconds", "unseen_s"),
    [
        pytest.param([3, WALL, WALL + 1, WALL + 2], [2, 2, 3, 4], id="a clock that is set"),
        pytest.param([3, 5, 4, 6, 7], [2, 4, 4, 5, 6], id="frames that overtook each other"),
        pytest.param([13, 4, 14, 5, 15], [12, 12, 13, 13, 14], id="saw teeth"),
        pytest.param([3, WALL, 4, WALL + 1, 5], [2, 2, 2, 3, 3], id="two clocks"),
        pytest.param([3, 2**31 - 1, -(2**31), 1 - 2**31], [2, 2, 2, 3], id="a stamp that wraps"),
        pytest.param([3, 33], [2, 32], id="a camera that paused"),
    ],
)
def test_time_unseen_counts_what_passed_whatever_the_stamps_say(
    tracker: Tracker, stages: FakeStages, seconds: list[int], unseen_s: list[int]
) -> None:
    stages.score_for = lambda frame, row: -2.0 if frame > 1 else 3.0
    tracker.config = TrackerConfig(forget_after_s=40.0)
    tracker.step(frame(1))
    tracker.add_prompt(click())
    unseen = [tracker.step(frame(stamp)).objects[0].time_since_seen_ns for stamp in seconds]
    assert [each / SECOND for each in unseen] == pytest.approx(unseen_s)


def test_recent_memories_are_dropped_where_time_goes_back_and_not_where_frames_are_swapped(
    tracker: Tracker, stages: FakeStages
) -> None:
    tracker.step(frame(1))
    tracker.add_prompt(click())
    results = [tracker.step(frame(stamp)) for stamp in (2, 3, 5, 4, 6)]
    assert not any(result.time_went_back or result.time_leapt for result in results)
    assert stages.banks[-1].temporal_index.tolist() == [[6, 3, 2, 1, 0]]
    assert tracker.step(frame(WALL)).time_leapt
    assert stages.banks[-1].temporal_index.tolist() == [[6, 4, 3, 2, 1, 0]]
    went_back = [tracker.step(frame(stamp)).time_went_back for stamp in (7, WALL + 1, 8)]
    assert went_back == [False] * 3, "two publishers: after the first leap both clocks are known"


@given(st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(0, 40), max_size=60))
def test_time_passes_in_one_direction_and_no_faster_than_stamps(stamps_s: list[int]) -> None:
    time, elapsed_ns, before_ns = StreamTime(), 0, 0
    for stamp_ns in (stamp * SECOND for stamp in stamps_s):
        time, step = time.after(stamp_ns)
        passed_ns = stamp_ns - before_ns - step.shift_ns if before_ns and stamp_ns else 0
        assert 0 <= passed_ns <= OTHER_CLOCK_NS
        assert not (step.went_back and passed_ns)
        elapsed_ns += passed_ns
        before_ns = stamp_ns or before_ns
        assert len(time.stamps_ns) <= REMEMBERED
    assert elapsed_ns <= len(stamps_s) * OTHER_CLOCK_NS


def test_background_points_alone_start_no_object(tracker: Tracker) -> None:
    tracker.step(frame())
    background = {"points": [(5, 5)], "point_labels": [0]}
    for object_id in (0, 7):
        with pytest.raises(PromptError, match="only background points and would add object"):
            tracker.add_prompt(Prompt(object_id, **background))
    assert tracker.object_ids == ()
    assert tracker.add_prompt(click(7)).object_id == 7
    assert tracker.add_prompt(Prompt(7, keep_previous=True, **background)).object_id == 7
    assert tracker.add_prompt(Prompt(2, box=(1, 1, 20, 20), **background)).object_id == 2


def test_a_stamped_prompt_must_be_for_the_newest_frame(tracker: Tracker) -> None:
    tracker.step(frame(5))
    tracker.step(frame(6))
    with pytest.raises(
        PromptError, match=r"frame of 5\.000000 s, but the newest frame is of 6\.000000 s"
    ):
        tracker.add_prompt(click(stamp_ns=5 * SECOND))
    assert tracker.add_prompt(click(stamp_ns=6 * SECOND)).object_id == 1


def test_without_stamps_a_stamped_prompt_is_refused(tracker: Tracker) -> None:
    tracker.step(frame(0))
    with pytest.raises(PromptError, match="frames have no stamps"):
        tracker.add_prompt(click(stamp_ns=1))


@pytest.mark.parametrize(
    ("x", "y", "inside"),
    [(-0.5, -0.5, True), (99.4, 49.4, True), (99.5, 10, False), (10, 49.5, False), (-1, 0, False)],
)
def test_clicks_outside_are_refused_never_clamped(
    tracker: Tracker, x: float, y: float, inside: bool
) -> None:
    tracker.step(frame(height=50, width=100))
    if inside:
        assert tracker.add_prompt(click(0, x, y)).object_id == 1
    else:
        with pytest.raises(PromptError, match="outside the frame of 100 x 50 pixels"):
            tracker.add_prompt(click(0, x, y))
        assert tracker.object_ids == ()


def test_a_frame_of_another_size_keeps_tracking_in_its_own_pixels(tracker: Tracker) -> None:
    tracker.step(frame(height=64, width=64))
    small = tracker.add_prompt(click())
    large = tracker.step(frame(height=128, width=256)).objects[0]
    assert small.box == (16, 16, 48, 48)
    assert large.box == (64, 32, 192, 96)
    assert large.centroid == pytest.approx((127.5, 63.5))
    assert large.area == large.mask.sum() == pytest.approx(128 * 64, rel=0.01)


def test_overlaps_are_settled_for_the_highest_logit_and_memories_are_not(
    stages: FakeStages,
) -> None:
    stages.mask_for = lambda frame, row: square(2, 10, 3.0) if row == 0 else square(6, 14, 8.0)
    tracker = Tracker(stages)
    tracker.step(frame())
    tracker.add_prompt(click())
    tracker.add_prompt(click())
    result = tracker.step(frame())
    first, second = result.objects
    assert first.area + second.area == np.count_nonzero(result.label_image)
    assert second.box == (24, 24, 56, 56)
    assert result.label_image[30, 30] == 2
    assert torch.equal(stages.remembered[-1][0][0, 0], square(2, 10, 3.0))
    tracker.config = TrackerConfig(overlap="keep")
    kept = tracker.step(frame())
    assert kept.objects[0].box == (9, 9, 39, 39)
    assert kept.label_image[30, 30] == 2


def test_holes_are_filled_in_what_is_shown_and_not_in_tracked_memories(
    tracker: Tracker, stages: FakeStages
) -> None:
    with_hole = square(4, 12)
    with_hole[7:9, 7:9] = -3.0
    stages.mask_for = lambda frame, row: with_hole
    tracker.step(frame())
    prompted = tracker.add_prompt(click())
    assert prompted.mask_logits[8, 8] == pytest.approx(0.1)
    assert stages.remembered[-1][0][0, 0, 8, 8] == pytest.approx(0.1)
    tracked = tracker.step(frame()).objects[0]
    assert tracked.mask_logits[8, 8] == pytest.approx(0.1)
    assert stages.remembered[-1][0][0, 0, 8, 8] == -3.0
    tracker.config = TrackerConfig(fill_hole_area=3)
    assert tracker.step(frame()).objects[0].mask_logits[8, 8] == -3.0


def test_a_label_stays_until_another_is_given(tracker: Tracker) -> None:
    tracker.step(frame())
    tracker.add_prompt(click(label="cup"))
    assert tracker.add_prompt(click(1)).label == "cup"
    assert tracker.add_prompt(click(1, label="mug")).label == "mug"


def test_two_trackers_share_nothing(stages: FakeStages) -> None:
    one, other = Tracker(stages), Tracker(stages)
    one.step(frame())
    other.step(frame())
    one.add_prompt(click(5))
    assert other.object_ids == ()
    assert other.add_prompt(click()).object_id == 1

"""Simulated operators: their clicks lie where they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etam_ros.records import BACKGROUND, FOREGROUND
from etam_ros.runtime.stages import POINT_NONE
from etam_ros.training.config import TrainingConfig
from etam_ros.training.prompt_sampling import (
    BOX,
    CLICK,
    MASK,
    correcting_click,
    first_click,
    jittered_box,
    plan_prompts,
    row_random,
)

SIZE = 24
EMPTY = np.zeros((SIZE, SIZE), bool)
seeds = st.integers(0, 2**32)


def blocks(seed, share):
    """A random mask of coarse blocks."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.random((6, 6)) < share, np.ones((4, 4), bool))


@given(seeds, seeds)
@settings(max_examples=100, deadline=None)
def test_a_correction_lies_in_the_error_and_says_what_is_true_there(seed, other):
    truth, mask = blocks(seed, 0.4), blocks(other, 0.4)
    if not (truth ^ mask).any():
        return
    x, y, label = correcting_click(mask, truth, np.random.default_rng(seed), truth_share=0.0)
    assert (truth ^ mask)[int(y), int(x)]
    assert label == (FOREGROUND if truth[int(y), int(x)] else BACKGROUND)


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_a_first_click_lies_on_the_object(seed):
    mask = blocks(seed, 0.2)
    if not mask.any():
        return
    x, y, label = first_click(mask, np.random.default_rng(seed))
    assert mask[int(y), int(x)]
    assert label == FOREGROUND


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_a_box_is_about_the_object_and_in_the_picture(seed):
    mask = EMPTY.copy()
    mask[8:16, 4:20] = True
    (x0, y0), (x1, y1) = jittered_box(mask, np.random.default_rng(seed))
    assert 0 <= x0 < x1 <= SIZE
    assert 0 <= y0 < y1 <= SIZE
    assert np.abs(np.subtract((x0, y0, x1, y1), (4, 8, 20, 16))).max() <= 0.2 * 16 + 1e-9


def test_clicks_where_nothing_is_wrong():
    rng = np.random.default_rng(0)
    truth = blocks(1, 0.4)
    x, y, label = correcting_click(truth, truth, rng, truth_share=0.0)
    assert truth[int(y), int(x)]
    assert label == FOREGROUND
    assert correcting_click(EMPTY, EMPTY, rng, truth_share=1.0)[2] == POINT_NONE
    assert correcting_click(truth, EMPTY, rng, truth_share=1.0)[2] == BACKGROUND


def test_half_of_the_clicks_are_about_the_middle():
    mask = EMPTY.copy()
    mask[2:21, 2:21] = True  # deepest at (11, 11)
    clicks = [first_click(mask, np.random.default_rng(seed)) for seed in range(400)]
    central = np.mean([max(abs(x - 11), abs(y - 11)) <= 3 for x, y, _ in clicks])
    anywhere = 7**2 / 19**2
    assert central == pytest.approx(0.5 + 0.5 * anywhere, abs=0.08)


def test_first_prompts_come_in_the_shares_asked_for():
    config = TrainingConfig(second_prompts=0.5, corrections=0.5, max_clicks=2)
    plans = [
        plan_prompts(config, step, [row_random(config, step, row) for row in range(4)], 4)
        for step in range(400)
    ]
    kinds = [kind for plan in plans for kind in plan.kinds]
    for kind, share in ((MASK, 0.5), (CLICK, 0.25), (BOX, 0.25)):
        assert kinds.count(kind) / len(kinds) == pytest.approx(share, abs=0.05)
    seconds = [plan.second_frame for plan in plans]
    assert set(seconds) == {None, 1, 2, 3}
    assert seconds.count(None) / len(seconds) == pytest.approx(0.5, abs=0.1)
    assert {plan.first_clicks for plan in plans} == {0, 1, 2}
    assert {plan.second_clicks for plan in plans} == {1, 2}


def test_a_still_has_no_second_frame_and_no_mask_prompts():
    config = TrainingConfig(second_prompts=1.0, mask_prompts=0.5, click_prompts=0.25)
    plan = plan_prompts(config, 0, [row_random(config, 0, row) for row in range(400)], 1)
    assert plan.second_frame is None
    assert set(plan.kinds) == {CLICK, BOX}
    assert plan.kinds.count(CLICK) / 400 == pytest.approx(0.5, abs=0.1)

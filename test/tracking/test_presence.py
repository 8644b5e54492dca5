"""Objects that are held against the colours of what was prompted, on drawn pictures.

The network of these tests says of every mask that the object is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from etam_ros import Frame, Prompt, Tracker
from etam_ros.tracking.masks.selection import NO_OBJECT_LOGIT

sys.path.insert(0, str(Path(__file__).parent))
from fake_stages import SIZE, FakeStages, square

CHECKS = {"carries_masks": True, "checks_colours": True}
RED, BLUE = (200, 60, 50), (40, 60, 190)


def picture(colour: tuple[int, int, int] | None, at: int = 16) -> Frame:
    """A square of 32 pixels on grey; None: nothing but grey."""
    image: NDArray[np.uint8] = np.full((SIZE, SIZE, 3), 90, np.uint8)
    if colour is not None:
        image[at : at + 32, at : at + 32] = colour
    return Frame(image)


def on_a_red_square(**traits: bool) -> tuple[Tracker, FakeStages]:
    stages = FakeStages(**traits)
    tracker = Tracker(stages)
    tracker.step(picture(RED))
    tracker.add_prompt(Prompt(1, points=[(31, 31)], point_labels=[1]))
    return tracker, stages


def test_what_looks_as_it_did_stays_in_view() -> None:
    tracker, _ = on_a_red_square(**CHECKS)
    for _ in range(4):
        state = tracker.step(picture(RED)).objects[0]
        assert not state.occluded
        assert state.visibility > 0.75
        assert torch.equal(state.mask_logits > 0, square(4, 12) > 0)


@pytest.mark.parametrize("cover", [BLUE, None])
def test_what_is_covered_is_hidden_whatever_the_network_says(
    cover: tuple[int, int, int] | None,
) -> None:
    tracker, _ = on_a_red_square(**CHECKS)
    tracker.step(picture(RED))
    for _ in range(3):
        state = tracker.step(picture(cover)).objects[0]
        assert state.occluded
        assert state.visibility < 0.05
        assert not state.mask.any()
        assert bool((state.mask_logits == NO_OBJECT_LOGIT).all())


def test_models_that_do_not_check_go_by_the_network_alone() -> None:
    tracker, stages = on_a_red_square(carries_masks=True)
    tracker.step(picture(RED))
    tracker.step(picture(BLUE))
    assert not tracker.step(picture(BLUE)).objects[0].occluded
    assert stages.banks[-1].lengths == ((3, 3),)


def test_what_is_hidden_is_searched_by_its_prompt_alone() -> None:
    tracker, stages = on_a_red_square(**CHECKS)
    for colour in (RED, BLUE, BLUE):
        tracker.step(picture(colour))
    assert stages.banks[-1].lengths == ((1, 1),)
    assert stages.decoded[-1][3] is None, "no mask is carried"
    tracker.step(picture(RED))
    assert stages.banks[-1].lengths == ((1, 1),)
    tracker.step(picture(RED))
    assert stages.banks[-1].lengths == ((2, 2),), "nothing of the hidden frames is remembered"
    carried = stages.decoded[-1][3]
    assert carried is not None
    assert bool((carried > 0).any())


def test_what_comes_back_elsewhere_is_found_without_what_looks_different() -> None:
    tracker, stages = on_a_red_square(**CHECKS)
    tracker.step(picture(RED))
    tracker.step(picture(None))
    both = square(0, 4)
    both[8:, 8:] = 5.0
    stages.mask_for = lambda frame, row: both
    state = tracker.step(picture(RED, at=32)).objects[0]
    assert not state.occluded
    assert state.box == (32, 32, 64, 64)
    assert state.pieces == 1
    assert bool((state.mask_logits[:4, :4] < 0).all())


def painted(rows: int) -> Frame:
    """The red square with so many rows of it yellow."""
    image = picture(RED).image.copy()
    image[16 : 16 + rows, 16:48] = (230, 230, 90)
    return Frame(image)


def test_what_changes_slowly_stays_in_view_and_what_changes_at_once_does_not() -> None:
    slow, _ = on_a_red_square(**CHECKS)
    fast, _ = on_a_red_square(**CHECKS)
    assert not fast.step(picture(RED)).objects[0].occluded
    for rows in (4, 8, 12):
        for _ in range(16):
            assert not slow.step(painted(rows)).objects[0].occluded
    assert fast.step(painted(12)).objects[0].occluded


def test_a_second_prompt_teaches_another_look_and_shows_it_again() -> None:
    tracker, _ = on_a_red_square(**CHECKS)
    tracker.step(picture(RED))
    assert tracker.step(picture(BLUE)).objects[0].occluded
    assert not tracker.add_prompt(Prompt(1, box=(16, 16, 48, 48))).occluded
    for colour in (BLUE, RED, BLUE):
        assert not tracker.step(picture(colour)).objects[0].occluded


def test_others_are_not_touched_by_one_that_is_hidden() -> None:
    """The second object is prompted on the left half, which stays as it is."""
    results = []
    for ids in ((2,), (1, 2)):
        stages = FakeStages(**CHECKS)
        left, right = torch.full((16, 16), -5.0), torch.full((16, 16), -5.0)
        left[4:12, :6], right[4:12, 10:] = 5.0, 5.0
        tracker = Tracker(stages)
        half = np.full((SIZE, SIZE, 3), 90, np.uint8)
        half[16:48, :24], half[16:48, 40:] = RED, BLUE
        gone = half.copy()
        gone[16:48, 40:] = 90
        tracker.step(Frame(half))
        for object_id in ids:
            stages.mask_for = lambda frame, row, own=(left if object_id == 2 else right): own
            tracker.add_prompt(Prompt(object_id, box=(0, 0, 63, 63)))
        rows = [left] if ids == (2,) else [right, left]
        stages.mask_for = lambda frame, row, own=tuple(rows): own[row]
        tracker.step(Frame(half))
        # From here on, one is decoded by itself: rows count within a call.
        tracker.step(Frame(gone))
        last = tracker.result
        assert last is not None
        results.append({each.object_id: each for each in last.objects})
    assert results[1][1].occluded
    assert not results[1][2].occluded
    assert torch.equal(results[0][2].mask_logits, results[1][2].mask_logits)

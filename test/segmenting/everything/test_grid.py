"""Where a picture is clicked on."""

from __future__ import annotations

import numpy as np
import pytest

from etam_ros.segmenting.everything.grid import Part, grid_points, parts_of


def test_clicks_lie_in_the_middle_of_equal_cells() -> None:
    assert grid_points((4, 8), 2) == [(1.5, 0.5), (5.5, 0.5), (1.5, 2.5), (5.5, 2.5)]
    assert grid_points((1, 1), 1) == [(0.0, 0.0)]
    points = np.array(grid_points((48, 64), 16))
    assert len(points) == 256
    assert points.min(axis=0).tolist() == [1.5, 1.0]
    assert points.max(axis=0).tolist() == [61.5, 46.0]
    assert points.mean(axis=0).tolist() == [31.5, 23.5]


def test_without_layers_the_whole_picture_is_the_only_part() -> None:
    assert parts_of((48, 64), 16, 0) == [Part((0, 0, 64, 48), 16)]


@pytest.mark.parametrize("hw", [(48, 64), (101, 33)])
def test_parts_cover_the_picture_and_reach_into_each_other(hw: tuple[int, int]) -> None:
    parts = parts_of(hw, 16, 2)
    assert [part.points_per_side for part in parts] == [4] * 16 + [8] * 4 + [16]
    for layer in (parts[:16], parts[16:20]):
        covered = np.zeros(hw, int)
        for part in layer:
            x0, y0, x1, y1 = part.box
            covered[y0:y1, x0:x1] += 1
            assert part.of(np.zeros((*hw, 3), np.uint8)).shape == (*part.hw, 3)
        assert covered.min() == 1
        assert covered.max() == 4


def test_a_tiny_picture_has_parts_of_at_least_a_pixel() -> None:
    for part in parts_of((1, 2), 4, 2):
        assert min(part.hw) >= 1


def test_masks_of_a_part_are_placed_and_cut_ones_known() -> None:
    hw, part = (10, 20), Part((0, 2, 12, 10), 4)
    mask = np.zeros(part.hw, np.bool_)
    mask[3:5, 0:4] = True
    placed = part.in_picture(mask, hw)
    assert placed.shape == hw
    assert placed[5:7, 0:4].all()
    assert placed.sum() == 8
    assert not part.cuts(mask, hw)  # the picture ends there, too
    for row, column in ((0, 5), (4, 11)):
        cut = mask.copy()
        cut[row, column] = True
        assert part.cuts(cut, hw)
    below = mask.copy()
    below[7, 5] = True
    assert not part.cuts(below, hw)
    whole = Part((0, 0, 20, 10), 4)
    assert whole.in_picture(placed, hw) is placed
    assert not whole.cuts(np.ones(hw, np.bool_), hw)

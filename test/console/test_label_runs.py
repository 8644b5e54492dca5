"""Label images as runs: nothing is lost, and the page can read them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from etam_ros.console.label_runs import LabelRuns, PlacedMask


def read_as_the_page_does(data, hw):
    """Slots (H, W) of what `for_page` gives."""
    count = len(data) // 3
    lengths, slots = (
        np.frombuffer(data, "<u2", count),
        np.frombuffer(data, np.uint8, count, 2 * count),
    )
    return np.repeat(slots, lengths).reshape(hw)


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(arrays.arrays(np.uint16, shapes, elements=st.sampled_from([0, 0, 0, 1, 7, 65535])))
def test_a_label_image_comes_back(label_image):
    runs = LabelRuns.of(label_image)
    assert (runs.label_image() == label_image).all()
    assert (runs.ids[1:] != runs.ids[:-1]).all()
    slots = read_as_the_page_does(runs.for_page([7, 65535]), runs.hw)
    assert (slots == np.select([label_image == 7, label_image == 65535], [1, 2], 0)).all()


@pytest.mark.parametrize("pixels", [65535, 65536, 3 * 65535, 200_000])
def test_runs_may_be_longer_than_a_length_can_say(pixels):
    label_image = np.full((1, pixels), 9, np.uint16)
    data = LabelRuns.of(label_image).for_page([9])
    assert (read_as_the_page_does(data, (1, pixels)) == 1).all()
    assert len(data) <= 3 * (pixels // 65535 + 1)


def test_a_hundred_objects_are_still_small():
    label_image = np.zeros((720, 1280), np.uint16)
    for index in range(100):
        y, x = divmod(index, 10)
        label_image[72 * y : 72 * y + 60, 128 * x : 128 * x + 100] = index + 1
    assert len(LabelRuns.of(label_image).for_page(range(1, 101))) < 50_000


@given(arrays.arrays(np.uint16, shapes, elements=st.sampled_from([0, 0, 0, 1, 7, 65535])))
def test_masks_give_the_runs_of_the_label_image(label_image):
    masks = []
    for object_id in (65535, 1, 7, 9):
        rows, columns = np.nonzero(label_image == object_id)
        top, left = (rows.min(), columns.min()) if rows.size else (0, 0)
        cropped = label_image[top : rows.max(initial=-1) + 1, left : columns.max(initial=-1) + 1]
        masks.append(PlacedMask(object_id, int(left), int(top), cropped == object_id))
    runs, expected = LabelRuns.of_masks(label_image.shape, masks), LabelRuns.of(label_image)
    assert (runs.lengths == expected.lengths).all()
    assert (runs.ids == expected.ids).all()


def test_masks_of_another_picture_are_no_labels():
    mask = np.ones((3, 4), np.bool_)
    assert LabelRuns.of_masks((9, 9), [PlacedMask(1, 5, 6, mask)]) is not None
    assert LabelRuns.of_masks((9, 9), [PlacedMask(1, 6, 6, mask)]) is None
    assert LabelRuns.of_masks((9, 9), [PlacedMask(1, 5, 7, mask)]) is None
    assert (LabelRuns.of_masks((9, 9), []).label_image() == 0).all()

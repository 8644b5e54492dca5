"""Which object a bare click means, case by case, and what rqt's rounding becomes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from etam_ros.clicks import object_of_click, without_rounding
from etam_ros.errors import ObjectError
from etam_ros.records import BACKGROUND, FOREGROUND, NEW_OBJECT, FrameResult, ObjectState

HW = (48, 64)
# Object 3 is an L: the middle of its box is not on it.
MASKS = {3: [(5, 30, 5, 10), (25, 30, 5, 30)], 7: [(10, 20, 45, 60)], 8: []}


def frame_with(*object_ids):
    """A result whose objects have the masks above; one without any is occluded."""
    label_image = np.zeros(HW, np.uint16)
    states = []
    for object_id in object_ids:
        mask = np.zeros(HW, bool)
        for y0, y1, x0, x1 in MASKS[object_id]:
            mask[y0:y1, x0:x1] = True
        label_image[mask] = object_id
        ys, xs = mask.nonzero()
        visible = len(ys) > 0
        box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if visible else (0, 0, 0, 0)
        cropped = mask[box[1] : box[3], box[0] : box[2]]
        no_tensors = (torch.zeros(4, 4), torch.zeros(2))
        state = ObjectState(
            object_id,
            "",
            not visible,
            0.5,
            0.5,
            len(ys),
            box,
            (0, 0),
            cropped,
            box,
            cropped,
            0,
            0,
            *no_tensors,
        )
        states.append(state)
    return FrameResult(1, 0, "camera", HW, tuple(states), label_image)


ON_3, ON_7, EDGE_OF_3 = (6, 15), (50, 15), (9.49, 4.5)
NEAR_3, NEAR_7 = (20, 12), (29, 6)  # both lie on no mask, and in the box of 3


@pytest.mark.parametrize(
    ("meaning", "label", "point", "selected", "expected"),
    [
        ("auto", FOREGROUND, ON_3, None, 3),
        ("auto", FOREGROUND, ON_7, None, 7),
        ("auto", FOREGROUND, NEAR_3, None, NEW_OBJECT),
        ("auto", FOREGROUND, EDGE_OF_3, None, 3),
        ("auto", FOREGROUND, (9.5, 4.5), None, NEW_OBJECT),
        ("auto", FOREGROUND, ON_3, 7, 3),  # a selection is for target alone
        ("auto", BACKGROUND, ON_3, None, 3),
        ("auto", BACKGROUND, ON_7, None, 7),
        ("auto", BACKGROUND, NEAR_3, None, 3),
        ("auto", BACKGROUND, NEAR_7, None, 7),
        ("auto", BACKGROUND, (63, 0), 3, 7),
        ("new", FOREGROUND, ON_3, None, NEW_OBJECT),
        ("new", FOREGROUND, NEAR_3, 3, NEW_OBJECT),
        ("new", BACKGROUND, ON_7, None, 7),
        ("new", BACKGROUND, NEAR_3, None, 3),
        ("target", FOREGROUND, ON_3, 7, 7),
        ("target", FOREGROUND, NEAR_3, 8, 8),
        ("target", BACKGROUND, ON_3, 7, 7),
        ("target", BACKGROUND, NEAR_3, 8, 8),
    ],
)
def test_what_a_click_means(meaning, label, point, selected, expected):
    result = frame_with(3, 7, 8)
    assert object_of_click(point, label, result, meaning=meaning, selected=selected) == expected


@pytest.mark.parametrize(
    ("meaning", "label", "objects", "words"),
    [
        ("target", FOREGROUND, (3,), "no object is selected"),
        ("target", BACKGROUND, (3,), "no object is selected"),
        ("auto", BACKGROUND, (), "no object is visible"),
        ("auto", BACKGROUND, (8,), "no object is visible"),
        ("new", BACKGROUND, (8,), "no object is visible"),
    ],
)
def test_a_click_that_can_mean_nothing_is_refused(meaning, label, objects, words):
    with pytest.raises(ObjectError, match=words):
        object_of_click(NEAR_3, label, frame_with(*objects), meaning=meaning, selected=None)


@given(
    st.tuples(st.floats(), st.floats()),
    st.sampled_from([FOREGROUND, BACKGROUND]),
    st.sampled_from(["auto", "new"]),
)
def test_wherever_a_click_is_it_means_an_object(point, label, meaning):
    with np.errstate(all="ignore"):
        found = object_of_click(point, label, frame_with(3, 7), meaning=meaning, selected=None)
    assert found in ((3, 7) if label == BACKGROUND else (NEW_OBJECT, 3, 7))


def test_the_greatest_coordinate_of_a_frame_of_one_pixel_is_inside():
    inside = np.nextafter(0.5, 0.0)  # 0.5 more rounds to 1
    result = FrameResult(1, 0, "", (1, 1), (), np.full((1, 1), 9, np.uint16))
    found = object_of_click((inside, inside), FOREGROUND, result, meaning="auto", selected=None)
    assert found == 9


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((64, 48), (63, 47)),
        ((64, 20), (63, 20)),
        ((20, 48), (20, 47)),
        ((63, 47), (63, 47)),
        ((0, 0), (0, 0)),
        ((65, 49), (65, 49)),  # no rounding gives these: the tracker refuses them
        ((48, 64), (48, 64)),
        ((-1, -1), (-1, -1)),
    ],
)
def test_rounding_up_to_the_size_of_the_frame_is_taken_back(point, expected):
    assert without_rounding(point, HW) == expected

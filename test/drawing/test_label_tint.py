"""Small pictures with their objects coloured in."""

import numpy as np
import pytest

from etam_ros.drawing.label_tint import tint_labels
from etam_ros.drawing.palette import object_colour

GREY = np.full((6, 8, 3), 100, np.uint8)


@pytest.mark.parametrize("object_id", [1, 255, 256, 65535])
def test_an_object_is_tinted_inside_and_coloured_at_its_border(object_id):
    labels = np.zeros((6, 8), np.uint16)
    labels[1:5, 2:6] = object_id
    drawn = tint_labels(GREY, labels, 0.5)
    colour = np.array(object_colour(object_id))
    assert (drawn[labels == 0] == 100).all()
    assert (drawn[1, 2:6] == colour).all()
    assert (drawn[1:5, 5] == colour).all()
    np.testing.assert_allclose(drawn[2:4, 3:5], np.tile((colour + 100) / 2, (2, 2, 1)), atol=1)
    assert (GREY == 100).all()  # and is left alone


def test_objects_side_by_side_are_told_apart():
    labels = np.repeat(np.array([[1, 1, 1, 1, 2, 2, 2, 2]], np.uint16), 6, axis=0)
    drawn = tint_labels(GREY, labels, 0.0)
    assert (drawn[:, 3] == object_colour(1)).all()
    assert (drawn[:, 4] == object_colour(2)).all()
    assert (drawn[:, 1] == 100).all()


def test_without_an_object_it_is_the_picture():
    assert tint_labels(GREY, np.zeros((6, 8), np.uint16), 0.5) is GREY

"""The overlay picture: right pixels, right colours, input untouched."""

import numpy as np
import pytest

from etam_ros.config import OverlayConfig
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.drawing.palette import object_colour, palette
from etam_ros.errors import ImageError
from etam_ros.records import FrameResult, ObjectState

BARE = OverlayConfig(outline_px=0, show_labels=False)


def visible(object_id, box, label=""):
    x0, y0, x1, y1 = box
    mask = np.ones((y1 - y0, x1 - x0), bool)
    centre = ((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2)
    return ObjectState(
        object_id,
        label,
        False,
        0.97,
        0.9,
        mask.size,
        box,
        centre,
        mask,
        box,
        mask,
        0,
        3.5,
        None,
        None,
    )


def occluded(object_id, label=""):
    nothing = np.zeros((0, 0), bool)
    nowhere = (float("nan"), float("nan"))
    return ObjectState(
        object_id,
        label,
        True,
        0.02,
        0.1,
        0,
        (0, 0, 0, 0),
        nowhere,
        nothing,
        (0, 0, 0, 0),
        nothing,
        5,
        -4.0,
        None,
        None,
    )


def result(*states, hw=(240, 320)):
    return FrameResult(1, 0, "", hw, states, np.zeros(hw, np.uint16))


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)


def test_mask_is_blended_inside_and_nothing_changes_outside(picture):
    before = picture.copy()
    state = visible(3, (50, 60, 150, 140))
    drawn = draw_overlay(picture, result(state), BARE)
    assert np.array_equal(picture, before)
    assert drawn.dtype == np.uint8
    assert drawn.shape == picture.shape
    outside = np.ones((240, 320), bool)
    outside[60:140, 50:150] = False
    assert np.array_equal(drawn[outside], picture[outside])
    y, x = 70, 60  # away from the centroid's cross
    expected = 0.55 * picture[y, x] + 0.45 * np.array(object_colour(3))
    assert np.abs(drawn[y, x] - expected).max() <= 1


def test_holes_of_the_mask_stay_free(picture):
    state = visible(1, (50, 60, 150, 140))
    state.mask[5:20, 5:20] = False
    drawn = draw_overlay(picture, result(state), BARE)
    assert np.array_equal(drawn[65:80, 55:70], picture[65:80, 55:70])


def test_opacity_zero_and_no_objects_leave_the_picture(picture):
    assert np.array_equal(draw_overlay(picture, result(), OverlayConfig()), picture)
    clear = OverlayConfig(opacity=0.0, outline_px=0, show_labels=False)
    drawn = draw_overlay(picture, result(visible(1, (50, 60, 150, 140))), clear)
    assert np.array_equal(drawn[62:80, 52:80], picture[62:80, 52:80])


def test_outline_reaches_the_border_of_the_box(picture):
    config = OverlayConfig(opacity=0.0, outline_px=2, show_labels=False)
    drawn = draw_overlay(picture, result(visible(1, (50, 60, 150, 140))), config)
    changed = (drawn != picture).any(axis=2)
    assert changed[60, 60:90].all()
    assert changed[62:100, 50].all()
    assert not changed[70:90, 60:80].any()


def test_occluded_objects_are_listed_in_the_corner(picture):
    drawn = draw_overlay(picture, result(occluded(3, "cup")), OverlayConfig())
    changed = (drawn != picture).any(axis=2)
    assert changed[200:, :160].any()
    assert not changed[:190].any()
    quiet = draw_overlay(picture, result(occluded(3, "cup")), BARE)
    assert np.array_equal(quiet, picture)


def test_labels_of_any_alphabet_at_every_edge(picture):
    states = [
        visible(1, (0, 0, 20, 20), "чашка"),
        visible(2, (300, 0, 320, 20), "a label much longer than the picture is wide " * 4),
        visible(3, (0, 220, 20, 240), "杯"),
        visible(65535, (300, 220, 320, 240), ""),
        visible(5, (0, 0, 320, 240), "everything"),
    ]
    drawn = draw_overlay(picture, result(*states), OverlayConfig())
    assert (drawn != picture).any()


def test_read_only_and_strided_pictures_are_accepted(picture):
    flipped = picture[:, ::-1]
    flipped.flags.writeable = False
    drawn = draw_overlay(flipped, result(visible(1, (50, 60, 150, 140))), BARE)
    assert drawn.flags.writeable
    assert drawn.flags.c_contiguous


def test_picture_of_another_size_is_refused(picture):
    with pytest.raises(ImageError, match=r"\(240, 320, 3\).*\(120, 160, 3\)"):
        draw_overlay(picture, result(hw=(120, 160)), OverlayConfig())


def test_palette_has_256_different_colours_and_black_first():
    colours = palette()
    assert colours.shape == (256, 3)
    assert colours.dtype == np.uint8
    assert not colours[0].any()
    assert len({tuple(colour) for colour in colours.tolist()}) == 256
    assert object_colour(256) == object_colour(1) == tuple(colours[1].tolist())
    first = colours[1:9].astype(int)
    distance = np.abs(first[:, None] - first[None]).sum(axis=2) + 999 * np.eye(8, dtype=int)
    assert distance.min() > 90

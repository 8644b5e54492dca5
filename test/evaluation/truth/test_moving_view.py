"""Camera motions that are known: how far pictures move, and that truth moves with them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from etam_ros.errors import ConfigError
from etam_ros.evaluation.truth.moving_view import ENLARGED, KINDS, MovingView

HW = (240, 320)


def places(view: MovingView, count: int, point: tuple[float, float]) -> np.ndarray:
    """(T, 2) where a point of the photograph is seen in each frame."""
    moves = np.linalg.inv(view.frames(count, HW))
    seen = moves @ [*point, 1.0]
    return seen[:, :2] / seen[:, 2:]


def test_a_pan_moves_everything_by_as_many_pixels_a_frame() -> None:
    for point in ((160.0, 120.0), (30.0, 200.0)):
        steps = np.diff(places(MovingView("pan", 4.0), 9, point), axis=0)
        assert steps == pytest.approx(np.tile([-4.0, 0.0], (8, 1)))
    steps = np.diff(places(MovingView("tilt", 4.0), 9, (160.0, 120.0)), axis=0)
    assert steps == pytest.approx(np.tile([0.0, -4.0], (8, 1)))


def test_roll_and_zoom_leave_the_middle_and_move_a_corner() -> None:
    for kind in ("roll", "zoom"):
        view = MovingView(kind, 2.0)
        assert places(view, 5, (160.0, 120.0)) == pytest.approx(np.tile([160.0, 120.0], (5, 1)))
        first = view.frames(5, HW)[0] @ [0.0, 0.0, 1.0]
        steps = np.linalg.norm(np.diff(places(view, 5, tuple(first[:2])), axis=0), axis=1)
        assert steps == pytest.approx(2.0, rel=0.08)
    turned = np.degrees(np.arctan2(*view_axis(MovingView("roll", 2.0))))
    assert np.ptp(turned) == pytest.approx(np.degrees(4 * 2.0 / 200.0), rel=1e-3)


def view_axis(view: MovingView) -> np.ndarray:
    """(2, T) y and x of where the window's x axis points in the photograph."""
    moves = view.frames(5, HW)
    return np.stack((moves[:, 1, 0], moves[:, 0, 0]))


def test_a_shake_is_as_far_on_average() -> None:
    steps = np.diff(places(MovingView("shake", 6.0), 600, (160.0, 120.0)), axis=0)
    assert np.linalg.norm(steps, axis=1).mean() == pytest.approx(6.0, rel=0.05)


def test_lines_that_are_read_later_lie_where_the_camera_has_gone() -> None:
    """Upper and lower lines are apart by what the camera moves in a frame, and swing back."""
    view = MovingView("shutter", 8.0)
    top, low = (places(view, 9, (160.0, y)) for y in (80.0, 160.0))
    apart = (low - top)[:, 0]
    share = (160.0 - 80.0) * ENLARGED / HW[0]
    assert np.abs(apart).max() == pytest.approx(8.0 * share)
    assert apart[0] == pytest.approx(-apart[4]) == pytest.approx(apart[8])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("px", [0.0, 1.0, 16.0, 64.0])
def test_the_photograph_never_ends_within_the_window(kind: str, px: float) -> None:
    height, width = HW
    if kind == "shutter" and px > 16.0:
        return  # it swings by more than there is to see
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1.0]]).T
    there = MovingView(kind, px).frames(60, HW) @ corners
    assert there[:, 0].min() >= -1e-6
    assert there[:, 0].max() <= width + 1e-6
    assert there[:, 1].min() >= -1e-6
    assert there[:, 1].max() <= height + 1e-6


def test_picture_and_labels_move_together() -> None:
    labels = np.zeros(HW, np.uint8)
    cv2.circle(labels, (150, 110), 40, 3, cv2.FILLED)
    picture = np.repeat((labels > 0)[:, :, None].astype(np.uint8) * 200, 3, axis=2)
    for kind in KINDS:
        view = MovingView(kind, 8.0)
        for move in view.frames(6, HW):
            seen = view.draw(labels, move, is_labels=True)
            assert set(np.unique(seen)) <= {0, 3}
            bright = view.draw(picture, move)[:, :, 0] > 100
            union = (bright | (seen == 3)).sum()
            assert (bright & (seen == 3)).sum() / union > 0.97


@pytest.mark.parametrize("text", ["pan", "pan:", "pan:x", "jump:3", "pan:-1", "pan:65", "pan:nan"])
def test_what_is_no_motion_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="expected pan, tilt"):
        MovingView.read(text)


def test_what_it_says_is_read_back() -> None:
    assert MovingView.read(" zoom:2.50 ") == MovingView("zoom", 2.5)
    assert str(MovingView("zoom", 2.5)) == "zoom:2.5"

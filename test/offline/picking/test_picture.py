"""Where a click in the window lies in the frame, and what the window shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etam_ros.media.frame_source import FrameSource
from etam_ros.offline.picking.picture import (
    LARGEST_FIRST,
    FrameView,
    draw_hand,
    first_window_hw,
    shown_frame,
    wrapped,
)
from etam_ros.offline.picking.session import PickSession
from etam_ros.records import Frame

SIDES = st.integers(1, 5000)


class OnePicture(FrameSource):
    def __init__(self, image) -> None:
        super().__init__("one", 30.0, 1)
        self._image = image

    def _read(self):
        yield Frame(self._image)


class NoTracker:
    """Nothing is prompted here."""

    object_ids = ()
    result = None


@given(
    st.tuples(SIDES, SIDES), st.tuples(st.integers(200, 3000), st.integers(200, 3000)), st.data()
)
def test_a_pixel_of_the_window_means_the_pixel_of_the_frame_that_it_shows(frame, window, data):
    view = FrameView(frame, window)
    (left, top), (height, width) = view.corner, view.shown_hw
    assert height <= max(1, window[0] - view.bar_px)
    assert width <= window[1]
    assert view.to_frame((-9, -9)) == (0, 0)  # outside: the nearest
    assert view.to_frame((9999, 9999)) == (frame[1] - 1, frame[0] - 1)
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    at = (left + x, top + y)
    assert view.holds(at)
    column, row = view.to_frame(at)
    assert column <= (x + 0.5) * frame[1] / width < column + 1  # its middle is in that pixel
    assert row <= (y + 0.5) * frame[0] / height < row + 1
    back = view.to_window((column, row))
    assert abs(back[0] - at[0]) <= max(1, 0.5 * width / frame[1] + 0.5)
    assert abs(back[1] - at[1]) <= max(1, 0.5 * height / frame[0] + 0.5)


@given(st.tuples(SIDES, SIDES))
def test_the_first_window_fits_on_any_screen(frame):
    window = first_window_hw(frame)
    view = FrameView(frame, window)
    assert window[0] <= LARGEST_FIRST[0] + view.bar_px <= 760
    assert window[1] <= LARGEST_FIRST[1]
    (height, width), small = view.shown_hw, frame[0] <= LARGEST_FIRST[0] and frame[1] <= 640
    if small:  # sharp: by whole steps
        assert height % frame[0] == width % frame[1] == 0


@pytest.mark.parametrize("hw", [(30, 40), (480, 640), (1080, 1920)])
def test_a_spot_is_shown_where_a_click_on_it_leads(hw):
    image = np.zeros((*hw, 3), np.uint8)
    row, column = hw[0] // 3, hw[1] // 4
    image[row - 1 : row + 2, column - 1 : column + 2] = (250, 10, 10)
    session = PickSession(OnePicture(image), NoTracker())
    view = FrameView(hw, first_window_hw(hw))
    shown = shown_frame(session, view)
    rows, columns = np.nonzero(shown[..., 0] > 120)
    found = view.to_frame((int(np.median(columns)), int(np.median(rows))))
    assert abs(found[0] - column) <= 1
    assert abs(found[1] - row) <= 1


def test_the_bar_says_what_went_wrong_in_red_and_the_frame_is_left_alone():
    session = PickSession(OnePicture(np.full((48, 64, 3), 90, np.uint8)), NoTracker())
    view = FrameView((48, 64), (400, 640))
    shown = shown_frame(session, view)
    before = draw_hand(shown, session, view)
    session.undo()
    after = draw_hand(shown, session, view)
    top = 400 - view.bar_px
    assert (before[:top] == after[:top]).all()
    assert (before[:top] == shown[:top]).all()
    changed = (before[top:] != after[top:]).any(axis=2)
    assert changed.any()
    assert after[top:][changed][:, 0].mean() > after[top:][changed][:, 2].mean()  # red over blue
    drag = draw_hand(shown, session, view, dragged=((100, 20), (200, 90)))
    assert (drag[20, 100:201] == drag[20, 100]).all()
    assert (drag[20, 100] != shown[20, 100]).any()


@given(st.text(max_size=200), st.integers(50, 800))
def test_words_are_wrapped_and_none_is_lost(text, width):
    lines = wrapped(text, width)
    assert " ".join(lines) == text.encode("ascii", "replace").decode()

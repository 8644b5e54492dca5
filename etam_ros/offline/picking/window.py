"""The window in which somebody clicks on what to follow, through OpenCV.

Clicks and keys become calls of a `PickSession`; all that is decided is decided there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import cv2

from etam_ros.errors import ConfigError
from etam_ros.offline.picking.picture import (
    FrameView,
    Image,
    Pixel,
    draw_hand,
    first_window_hw,
    shown_frame,
)
from etam_ros.offline.picking.session import PickSession
from etam_ros.records import BACKGROUND, FOREGROUND

WINDOW: Final = "etam track --pick"
_TRIAL: Final = "import cv2; cv2.namedWindow('etam'); cv2.destroyAllWindows()"
_TRIAL_S: Final = 30
_POLL_MS: Final = 20
_PROGRESS_S: Final = 0.25
_DRAG_PX: Final = 5  # a hand that moves less has clicked

_ENTER: Final = (10, 13)
_ESCAPE: Final = 27
_DELETE: Final = (127, 65535, 3014656)  # macOS, X11, Windows
_NEXT: Final = (ord("n"), ord(" "))
_PRESSED: Final = {cv2.EVENT_LBUTTONDOWN: FOREGROUND, cv2.EVENT_RBUTTONDOWN: BACKGROUND}
_RELEASED: Final = (cv2.EVENT_LBUTTONUP, cv2.EVENT_RBUTTONUP)
_TWICE: Final = (cv2.EVENT_LBUTTONDBLCLK, cv2.EVENT_RBUTTONDBLCLK)


class _Leave(Exception):  # noqa: N818
    """Whoever sits at the window is done with it, and wants nothing to be tracked."""


def check_window() -> None:
    """Try in another process whether a window can be opened here.

    Without a display, Qt and GTK end the process that tries.

    Raises:
        ConfigError: it cannot.
    """
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _TRIAL],
            capture_output=True, text=True, errors="replace", timeout=_TRIAL_S, check=False,
        )  # fmt: skip
        failed, said = tried.returncode != 0, tried.stderr
    except subprocess.TimeoutExpired:
        failed, said = True, ""
    if not failed:
        return
    if "not implemented" in said:
        raise ConfigError(
            "--pick needs a window, but this OpenCV is built without window support: install "
            "opencv-python in place of opencv-python-headless, or choose objects with --click "
            "X,Y"
        )
    display = os.environ.get("DISPLAY")
    where = f"DISPLAY is {display}" if display else "DISPLAY is not set"
    raise ConfigError(
        f"--pick needs a window, but none can be opened here ({where}): run it on a desktop or "
        "through `ssh -X`, or choose objects with --click X,Y"
    )


def pick_in_window(session: PickSession, *, stop: Callable[[], bool] = lambda: False) -> bool:
    """Let somebody click until it is to be tracked. Call `check_window` first.

    Args:
        session: is told every click; its prompts are the outcome.
        stop: asked all the time; true closes the window.

    Returns:
        whether to track; False if the window was left.
    """
    with _opened(session, stop) as window:
        try:
            return window.run()
        except _Leave:
            return False


@contextmanager
def _opened(session: PickSession, stop: Callable[[], bool]) -> Iterator[_Window]:
    # Qt, as it comes in OpenCV's wheel, complains of fonts that no window needs.
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    # Without Qt's own menus and tool bar, which would take the right button.
    cv2.namedWindow(WINDOW, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
    try:
        yield _Window(session, stop)
    finally:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # some systems close it only now


class _Window:
    """An open window, and what the hand is at."""

    def __init__(self, session: PickSession, stop: Callable[[], bool]) -> None:
        self._session, self._stop = session, stop
        self._events: list[tuple[int, Pixel, int]] = []
        self._pointer: Pixel = (-1, -1)
        self._pressed: tuple[Pixel, int, bool] | None = None
        self._twice = False  # the second press of a double click, which is one click
        hw = first_window_hw(session.frame.hw)
        self._view = FrameView(session.frame.hw, hw)
        self._shown: Image | None = None
        self._frame_shown: tuple[object, ...] = ()
        self._all_shown: tuple[object, ...] = ()
        self._drawn_s = 0.0
        cv2.resizeWindow(WINDOW, hw[1], hw[0])
        cv2.moveWindow(WINDOW, 20, 20)
        cv2.setMouseCallback(WINDOW, self._on_mouse)

    def run(self) -> bool:
        """Until Enter: True, or until it is left: False."""
        while True:
            self._draw()
            key = self._wait(_POLL_MS)
            events, self._events = self._events, []
            for event in events:
                self._hand(*event)
            if key in _ENTER:
                if self._session.ready():
                    return True
            elif key >= 0:
                self._key(key)
            if self._pressed is None:  # what is pressed on stays
                self._session.refresh()
            self._fit()

    def _on_mouse(self, event: int, x: int, y: int, flags: int, _: object) -> None:
        """Called by OpenCV, which swallows whatever is raised: so only notes it."""
        self._events.append((event, (x, y), flags))

    def _wait(self, milliseconds: int) -> int:
        """Let the window live for a while.

        Returns:
            a key, -1 without one.
        """
        key = cv2.waitKeyEx(milliseconds)
        if self._stop() or key in (_ESCAPE, ord("q")) or _is_closed():
            raise _Leave
        return key

    def _fit(self) -> None:
        """Follow the window's size."""
        try:
            _, _, width, height = cv2.getWindowImageRect(WINDOW)
        except cv2.error:  # not every system tells
            return
        hw = (height, width) if width > 0 and height > 0 else self._view.window_hw
        self._view = FrameView(self._session.frame.hw, hw)

    def _hand(self, event: int, at: Pixel, flags: int) -> None:
        """A press, a move or a release of the mouse."""
        self._pointer = at
        if event in _TWICE:  # before the second press, after it, or in its place
            self._pressed, self._twice = None, True
        elif event in _PRESSED and self._view.holds(at) and not self._twice:
            self._pressed = (at, _PRESSED[event], bool(flags & cv2.EVENT_FLAG_SHIFTKEY))
        elif event in _RELEASED:
            pressed, self._pressed, self._twice = self._pressed, None, False
            if pressed is not None:
                self._released(*pressed, at)

    def _released(self, start: Pixel, label: int, same: bool, at: Pixel) -> None:
        """A click or a box has been made."""
        self._draw("working")
        x0, y0 = self._view.to_frame(start)
        x1, y1 = self._view.to_frame(at)
        if label == FOREGROUND and _is_drag(start, at):
            self._session.box((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), same=same)
        else:
            self._session.click((x0, y0), label, same=same)

    def _key(self, key: int) -> None:
        session = self._session
        if key == ord("u"):
            session.undo(self._on_frame)
        elif key == ord("x") or key in _DELETE:
            if self._view.holds(self._pointer):
                session.remove(self._view.to_frame(self._pointer), self._on_frame)
        elif key in _NEXT:
            self._draw("working")
            session.forward()
        elif key == ord("b"):
            session.back(self._on_frame)
        self._events.clear()  # made on another picture

    def _on_frame(self) -> None:
        """While frames are gone through again: show that it goes on, and whether to leave."""
        if time.monotonic() - self._drawn_s > _PROGRESS_S:
            self._draw("going through the frames again")
        self._wait(1)

    def _draw(self, busy: str = "") -> None:
        """Show how things stand, if that is not what the window shows."""
        session, view = self._session, self._view
        frame = (session.frame, session.result, view)
        if self._shown is None or frame != self._frame_shown:
            self._shown, self._frame_shown = shown_frame(session, view), frame
        dragged = None
        if self._pressed is not None and _is_drag(self._pressed[0], self._pointer):
            dragged = (self._pressed[0], self._pointer)
        all_of_it = (*frame, session.prompts, session.message, dragged, busy)
        if all_of_it == self._all_shown:
            return
        if _is_closed():
            raise _Leave  # showing a picture would open it again
        picture = draw_hand(self._shown, session, view, dragged=dragged, busy=busy)
        cv2.imshow(WINDOW, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self._all_shown, self._drawn_s = all_of_it, time.monotonic()
        if busy:
            cv2.waitKeyEx(1)


def _is_drag(start: Pixel, at: Pixel) -> bool:
    return max(abs(at[0] - start[0]), abs(at[1] - start[1])) >= _DRAG_PX


def _is_closed() -> bool:
    try:
        return cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:  # what Qt does without any window
        return True

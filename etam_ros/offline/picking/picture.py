"""The picture in which somebody clicks: the frame at the size of the window, with a bar below.

Letters: H, W height and width of the frame; V, U those of the window, both in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import OverlayConfig
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.offline.picking.session import PickSession
from etam_ros.records import FOREGROUND, Prompt

HELP: Final = (
    "click: follow this, or refine it", "right click: not this", "drag: box",
    "with Shift: for the last object", "u: undo", "x: remove", "n: next frame", "b: back",
    "Enter: track", "q: leave",
)  # fmt: skip
LARGEST_FIRST: Final = (640, 1200)
"""(height, width) that the picture has at most when the window opens: on any screen."""

_LEAST_WIDTH: Final = 640
_LARGEST_ZOOM: Final = 4
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_SCALE: Final = 0.45
_LINE_PX: Final = 19
_MARGIN_PX: Final = 8
_STATUS_LINES: Final = 2
_BAR: Final = (32, 30, 28)
_GREY: Final = (190, 190, 190)
_WHITE: Final = (245, 245, 245)
_RED: Final = (255, 120, 100)
_ON: Final = (60, 220, 90)
_OFF: Final = (235, 60, 60)
_DARK: Final = (20, 20, 24)

Image = NDArray[np.uint8]
Pixel = tuple[int, int]


@dataclass(frozen=True)
class FrameView:
    """Where the frame lies in the window.

    Attributes:
        frame_hw: (H, W).
        window_hw: (V, U).
    """

    frame_hw: tuple[int, int]
    window_hw: tuple[int, int]

    @property
    def help_lines(self) -> list[str]:
        """The help for the keys, wrapped."""
        return wrapped("   ".join(HELP), self.window_hw[1], "   ")

    @property
    def bar_px(self) -> int:
        """Height of the bar."""
        return (_STATUS_LINES + len(self.help_lines)) * _LINE_PX + _MARGIN_PX

    @property
    def shown_hw(self) -> tuple[int, int]:
        """Height and width of the frame in the window, as large as there is room."""
        (height, width), (window_height, window_width) = self.frame_hw, self.window_hw
        room = max(1, window_height - self.bar_px)
        scale = min(room / height, window_width / width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    @property
    def corner(self) -> Pixel:
        """(x, y) of the frame's upper left pixel in the window."""
        room, (height, width) = max(1, self.window_hw[0] - self.bar_px), self.shown_hw
        return max(0, self.window_hw[1] - width) // 2, max(0, room - height) // 2

    def holds(self, at: Pixel) -> bool:
        """Whether a pixel (x, y) of the window shows the frame."""
        (left, top), (height, width) = self.corner, self.shown_hw
        return 0 <= at[0] - left < width and 0 <= at[1] - top < height

    def to_frame(self, at: Pixel) -> Pixel:
        """The pixel of the frame that a pixel (x, y) of the window shows, or the nearest one."""
        found = []
        for value, start, shown, size in zip(
            at, self.corner, self.shown_hw[::-1], self.frame_hw[::-1], strict=True
        ):
            pixel = math.floor((value - start + 0.5) * size / shown)
            found.append(min(max(pixel, 0), size - 1))
        return found[0], found[1]

    def to_window(self, point: tuple[float, float]) -> Pixel:
        """Where a point (x, y) of the frame is shown."""
        found = []
        for value, start, shown, size in zip(
            point, self.corner, self.shown_hw[::-1], self.frame_hw[::-1], strict=True
        ):
            found.append(start + round((value + 0.5) * shown / size - 0.5))
        return found[0], found[1]


def first_window_hw(frame_hw: tuple[int, int]) -> tuple[int, int]:
    """(V, U) of a window that shows the frame well and fits on any screen."""
    (height, width), (most_height, most_width) = frame_hw, LARGEST_FIRST
    scale = min(most_height / height, most_width / width)
    if scale > 1:  # by whole steps alone, which keep pixels sharp
        scale = min(math.floor(scale), _LARGEST_ZOOM)
    shown_width = max(_LEAST_WIDTH, round(width * scale))
    bar_px = FrameView(frame_hw, (most_height, shown_width)).bar_px
    return max(1, round(height * scale)) + bar_px, shown_width


def shown_frame(session: PickSession, view: FrameView) -> Image:
    """The frame with its objects at its place in the window: (V, U, 3) uint8 RGB."""
    picture = session.frame.image
    height, width = view.shown_hw
    if session.result is not None:
        outline_px = min(32, round(OverlayConfig.outline_px * max(1.0, picture.shape[0] / height)))
        picture = draw_overlay(picture, session.result, OverlayConfig(outline_px=outline_px))
    shrinks = height < picture.shape[0]
    shown = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    canvas = np.zeros((*view.window_hw, 3), np.uint8)
    left, top = view.corner
    room = canvas[top : top + height, left : left + width]
    room[:] = shown[: room.shape[0], : room.shape[1]]
    return canvas


def draw_hand(
    shown: Image,
    session: PickSession,
    view: FrameView,
    *,
    dragged: tuple[Pixel, Pixel] | None = None,
    busy: str = "",
) -> Image:
    """Draw what changes under the hand over `shown_frame`, in a new array.

    Args:
        shown: (V, U, 3) uint8 RGB.
        session: whose clicks and words are drawn.
        view: where the frame lies.
        dragged: corners (x, y) in the window of a box that is being dragged.
        busy: what is being done, in place of the session's message.
    """
    canvas = shown.copy()
    for prompt in session.here:
        _draw_prompt(canvas, prompt, view)
    if dragged is not None:
        cv2.rectangle(canvas, dragged[0], dragged[1], _WHITE, 1)
    _draw_bar(canvas, session, view, busy)
    return canvas


def _draw_prompt(canvas: Image, prompt: Prompt, view: FrameView) -> None:
    """A green dot on the object, a red one off it, and boxes."""
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        cv2.rectangle(canvas, view.to_window((x0, y0)), view.to_window((x1, y1)), _ON, 1)
    for point, label in zip(prompt.points, prompt.point_labels, strict=True):
        centre = view.to_window(point)
        cv2.circle(canvas, centre, 6, _DARK, cv2.FILLED, cv2.LINE_AA)
        colour = _ON if label == FOREGROUND else _OFF
        cv2.circle(canvas, centre, 4, colour, cv2.FILLED, cv2.LINE_AA)


def _draw_bar(canvas: Image, session: PickSession, view: FrameView, busy: str) -> None:
    height, width = view.window_hw
    top = height - view.bar_px
    canvas[max(0, top) :] = _BAR
    said = busy or session.message
    status = session.where + (f" - {said}" if said else "")
    lines = wrapped(status, width)
    if len(lines) > _STATUS_LINES:
        lines[_STATUS_LINES - 1] = lines[_STATUS_LINES - 1][:-4] + " ..."
    colour = _RED if session.failed and not busy else _WHITE
    for row, line in enumerate(lines[:_STATUS_LINES]):
        _write(canvas, line, top, row, colour)
    for row, line in enumerate(view.help_lines, _STATUS_LINES):
        _write(canvas, line, top, row, _GREY)


def _write(canvas: Image, text: str, top: int, row: int, colour: tuple[int, int, int]) -> None:
    origin = (_MARGIN_PX, top + row * _LINE_PX + _LINE_PX - 2)
    cv2.putText(canvas, text, origin, _FONT, _SCALE, colour, 1, cv2.LINE_AA)


def wrapped(text: str, width: int, between: str = " ") -> list[str]:
    """Lines of a text, in the letters that OpenCV has, each as wide as the window at most.

    Args:
        text: any.
        width: in pixels.
        between: where it may be broken.
    """
    lines: list[str] = []
    for word in text.encode("ascii", "replace").decode().split(between):
        longer = f"{lines[-1]}{between}{word}" if lines else word
        fits = cv2.getTextSize(longer, _FONT, _SCALE, 1)[0][0] <= width - 2 * _MARGIN_PX
        if lines and fits:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines

"""The video of a run: what the camera sees, a map of the room, and what the follower says."""

from __future__ import annotations

import math
from pathlib import Path
from textwrap import wrap
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import OverlayConfig
from etam_ros.demo.follow.measures import OFF_CENTRE, FollowRow
from etam_ros.drawing.contact_sheet import EvenlySpaced, contact_sheet, thumbnail, write_jpeg
from etam_ros.drawing.overlay import draw_overlay
from etam_ros.drawing.palette import object_colour
from etam_ros.media.files import Closing
from etam_ros.media.video_writer import VideoWriter
from etam_ros.records import FrameResult
from etam_ros.synthetic.room.room import BODY_RADIUS_M, FURNITURE, LAMP, PILLAR, X, Y

Image = NDArray[np.uint8]
Place = tuple[float, float]

FPS: Final = 10.0
_SEEN: Final = (480, 640)
_MAP_PX_PER_M: Final = 42.0
_PAPER: Final = (246, 246, 243)
_INK: Final = (40, 40, 44)
_FURNITURE: Final = (190, 186, 178)
_ROBOT: Final = (30, 90, 200)
_STANDING: Final = (200, 60, 40)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_SHEET_PICTURES: Final = 6
_LETTERS: Final = 50
"""Of a line below the map."""


class FollowPictures(Closing):
    """Draws each picture into follow.mp4, and some of them into follow.jpg.

    Args:
        out: folder.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._video = VideoWriter(out / "follow.mp4", FPS)
        self._kept = EvenlySpaced(_SHEET_PICTURES)
        self._map = _empty_map()
        self._ways: tuple[list[Place], list[Place]] = ([], [])

    def add(self, image: Image, result: FrameResult, row: FollowRow) -> None:
        """Draw one picture, (H, W, 3) uint8 RGB, with its result."""
        seen = draw_overlay(image, result, OverlayConfig(show_labels=False))
        height, width = _SEEN
        seen = np.asarray(cv2.resize(seen, (width, height), interpolation=cv2.INTER_CUBIC))
        _draw_band(seen)
        self._ways[0].append(row.robot)
        self._ways[1].append(row.figure)
        side = np.concatenate([self._map_of(row), _words_of(row, self._map.shape[1])])
        fitted = np.full((height, side.shape[1], 3), _PAPER, np.uint8)
        rows = min(height, side.shape[0])
        fitted[:rows] = side[:rows]
        picture = np.ascontiguousarray(np.concatenate([seen, fitted], axis=1))
        self._video.write(picture)
        self._kept.add(thumbnail(picture, width=640))

    def _map_of(self, row: FollowRow) -> Image:
        picture = self._map.copy()
        for way, colour in zip(self._ways, (_ROBOT, object_colour(1)), strict=True):
            points = np.array([_on_map(place) for place in way], np.int32)
            cv2.polylines(picture, [points], False, colour, 1, cv2.LINE_AA)
        following = row.state.startswith("following")
        robot, figure = _on_map(row.robot), _on_map(row.figure)
        cv2.circle(picture, robot, 9, _ROBOT if following else _STANDING, cv2.FILLED, cv2.LINE_AA)
        ahead = _on_map(
            (
                row.robot[0] + 0.4 * math.cos(row.heading),
                row.robot[1] + 0.4 * math.sin(row.heading),
            )
        )
        cv2.line(picture, robot, ahead, _INK, 2, cv2.LINE_AA)
        radius = round(BODY_RADIUS_M * _MAP_PX_PER_M)
        cv2.circle(picture, figure, radius, object_colour(1), cv2.FILLED, cv2.LINE_AA)
        return picture

    def close(self) -> None:
        """Finish follow.mp4, and write follow.jpg."""
        self._video.close()
        if self._kept.pictures:
            sheet = contact_sheet(self._kept.pictures, columns=2)
            write_jpeg(self._out / "follow.jpg", sheet, quality=80)


def _on_map(place: Place) -> tuple[int, int]:
    """Pixel of a place: x of the room to the right, y up."""
    return round((place[0] - X[0]) * _MAP_PX_PER_M), round((Y[1] - place[1]) * _MAP_PX_PER_M)


def _empty_map() -> Image:
    width, height = _on_map((X[1], Y[0]))
    picture = np.full((height + 1, width + 1, 3), _PAPER, np.uint8)
    for box in FURNITURE:
        corners = _on_map((box.x[0], box.y[1])), _on_map((box.x[1], box.y[0]))
        cv2.rectangle(picture, *corners, _FURNITURE, cv2.FILLED)
        cv2.rectangle(picture, *corners, _INK, 1)
    for x, y, radius_m in (PILLAR, (*LAMP, 0.08)):
        radius = round(radius_m * _MAP_PX_PER_M)
        cv2.circle(picture, _on_map((x, y)), radius, _FURNITURE, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, _on_map((x, y)), radius, _INK, 1, cv2.LINE_AA)
    cv2.rectangle(picture, (0, 0), (width, height), _INK, 2)
    return picture


def _draw_band(picture: Image) -> None:
    """Where the centre of the figure is to be."""
    height, width = picture.shape[:2]
    for side in (-OFF_CENTRE, OFF_CENTRE):
        x = round(width * (0.5 + side))
        for top in range(0, height, 16):
            cv2.line(picture, (x, top), (x, top + 7), (255, 255, 255), 1, cv2.LINE_AA)


def _words_of(row: FollowRow, width: int) -> Image:
    """What the follower says and what is true, below the map."""
    picture = np.full((140, width, 3), _PAPER, np.uint8)
    phase, _, reason = row.state.partition(": ")
    seen = math.isfinite(row.offset)
    lines = [
        f"{row.time_s:5.1f} s   {phase}",
        *wrap(reason, _LETTERS),
        f"{row.distance_m:.2f} m away, {100 * row.offset:+.0f} % off the middle" if seen else
        "the figure cannot be seen",
        f"{row.linear:+.2f} m/s, {row.angular:+.2f} rad/s",
    ]  # fmt: skip
    for number, line in enumerate(lines):
        place = (10, 28 + 24 * number)
        cv2.putText(picture, line, place, _FONT, 0.5, _INK, 1, cv2.LINE_AA)
    return picture

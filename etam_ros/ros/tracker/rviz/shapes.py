"""What stands in RViz to be clicked on: a clear pane over the picture, a mark on each object.

Coordinates: the camera's optical frame, x right, y down, z forward, in metres; pixels as
everywhere. C columns, R rows of the pane.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import InteractiveMarker, InteractiveMarkerControl, Marker, MenuEntry

from etam_ros.drawing.palette import object_colour
from etam_ros.records import label_in_words
from etam_ros.ros.camera_model import CameraModel

COLUMNS, ROWS = 16, 9
PANE_DEPTH: Final = 0.995
"""Of the plane's distance: before the points that show the picture, so that clicks end on it."""
MARK_DEPTH: Final = 0.985
PANE_ALPHA: Final = 0.01
"""RViz picks what it draws, whatever its alpha; this cannot be seen either."""
MARK_SIZE: Final = 0.02
"""Diameter of an object's mark, as a part of the picture's width."""
LONGEST_LABEL: Final = 24
ASTRAY_PX: Final = 1.0


class MenuItem(IntEnum):
    """What can be asked for by the menu that a right click opens."""

    NEW = 1
    BACKGROUND = 2
    SELECT = 3
    REMOVE = 4
    RESET = 5


PANE_MENU: Final = {
    MenuItem.NEW: "New object here",
    MenuItem.BACKGROUND: "Background here",
    MenuItem.SELECT: "Select the object here",
    MenuItem.REMOVE: "Remove the object here",
    MenuItem.RESET: "Reset: forget all objects",
}
OBJECT_MENU: Final = {
    MenuItem.SELECT: "Select {name}",
    MenuItem.BACKGROUND: "Background here: not {name}",
    MenuItem.REMOVE: "Remove {name}",
    MenuItem.RESET: "Reset: forget all objects",
}


def known_rays(model: CameraModel, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions in which pixels look, (N, 3) with z = 1; NaN where the model gives none.

    A lens that sees more than half a sphere, or a calibration that is wrong at the edges, has
    pixels whose direction does not lead back to them.

    Args:
        model: of the camera.
        pixels: (N, 2), x and y.
    """
    rays = model.rays(pixels)
    with np.errstate(invalid="ignore"):
        leads_back = np.abs(model.project(rays) - pixels) < ASTRAY_PX  # (N, 2)
    return np.where(leads_back.all(axis=1, keepdims=True), rays, np.nan)


def picture_width_m(model: CameraModel, distance_m: float) -> float:
    """How wide the picture is on a plane before the camera, in its middle row."""
    height, width = model.hw
    middle = (height - 1) / 2
    ends = np.array([[-0.5, middle], [width - 0.5, middle]])
    (left, _, _), (right, _, _) = known_rays(model, ends).tolist()
    extent = (right - left) * distance_m
    return extent if np.isfinite(extent) and extent > 0 else distance_m


def pane_triangles(model: CameraModel, distance_m: float) -> NDArray[np.float64]:
    """What the camera sees, as triangles just before a plane that is parallel to the picture.

    Args:
        model: of the picture.
        distance_m: of the plane.

    Returns:
        (T, 3, 3): up to 2 R C triangles of three corners each; those whose corners have no known
        direction are left out.
    """
    height, width = model.hw
    x = np.linspace(-0.5, width - 0.5, COLUMNS + 1)
    y = np.linspace(-0.5, height - 0.5, ROWS + 1)
    pixels = np.stack(np.meshgrid(x, y), axis=-1)  # (R + 1, C + 1, 2)
    rays = known_rays(model, pixels.reshape(-1, 2)).reshape(ROWS + 1, COLUMNS + 1, 3)
    corners = rays * (distance_m * PANE_DEPTH)
    above_left, above_right = corners[:-1, :-1], corners[:-1, 1:]  # (R, C, 3)
    below_left, below_right = corners[1:, :-1], corners[1:, 1:]
    triangles = np.stack(
        [above_left, above_right, below_right, above_left, below_right, below_left], axis=2
    ).reshape(-1, 3, 3)  # (R, C, 6, 3) -> (2 R C, 3, 3)
    return triangles[np.isfinite(triangles).all(axis=(1, 2))]


def pane(name: str, frame_id: str, triangles: NDArray[np.float64]) -> InteractiveMarker:
    """The picture's rectangle, to be clicked on; hidden while another tool than Interact is used.

    Args:
        name: of the marker.
        frame_id: the camera's optical frame.
        triangles: (T, 3, 3) of `pane_triangles`, at least one: RViz does not survive none.
    """
    mesh = _marker(Marker.TRIANGLE_LIST, (1.0, 1.0, 1.0), (255, 255, 255), PANE_ALPHA)
    mesh.points = [Point(x=x, y=y, z=z) for x, y, z in triangles.reshape(-1, 3).tolist()]
    return _interactive(name, frame_id, (0.0, 0.0, 0.0), [mesh], PANE_MENU, always_visible=False)


def object_mark(
    name: str,
    frame_id: str,
    position: tuple[float, float, float],
    *,
    object_id: int,
    label: str,
    size_m: float,
) -> InteractiveMarker:
    """A disc in the object's colour with its id and label above.

    Args:
        name: of the marker.
        frame_id: the camera's optical frame.
        position: of the disc's centre.
        object_id: gives its colour.
        label: of the object, free text.
        size_m: diameter of the disc, height of the text.
    """
    title = mark_title(object_id, label)
    disc = _marker(Marker.SPHERE, (size_m, size_m, 0.2 * size_m), object_colour(object_id), 0.9)
    text = _marker(Marker.TEXT_VIEW_FACING, (0.0, 0.0, size_m), (255, 255, 255), 1.0)
    text.text = title
    text.pose.position.y = -1.2 * size_m  # up
    menu = {item: words.format(name=title) for item, words in OBJECT_MENU.items()}
    return _interactive(name, frame_id, position, [disc, text], menu, always_visible=True)


def mark_title(object_id: int, label: str) -> str:
    """Id and label on one line, of a length that can be read on a mark."""
    return f"{object_id} {label_in_words(label, LONGEST_LABEL)}".rstrip()


def _interactive(
    name: str,
    frame_id: str,
    position: tuple[float, float, float],
    markers: Iterable[Marker],
    menu: dict[MenuItem, str],
    *,
    always_visible: bool,
) -> InteractiveMarker:
    """Something to click on with a menu.

    Its stamp is zero: it stays in its frame, and feedback comes in that frame.
    """
    button = InteractiveMarkerControl(
        name="click",
        interaction_mode=InteractiveMarkerControl.BUTTON,
        always_visible=always_visible,
        markers=list(markers),
    )
    button.orientation.w = 1.0
    made = InteractiveMarker(name=name, scale=1.0, controls=[button])
    made.header.frame_id = frame_id
    made.pose.position.x, made.pose.position.y, made.pose.position.z = position
    made.pose.orientation.w = 1.0
    made.menu_entries = [
        MenuEntry(id=int(item), title=words, command_type=MenuEntry.FEEDBACK)
        for item, words in menu.items()
    ]
    return made


def _marker(
    kind: int, scale: tuple[float, float, float], colour: tuple[int, int, int], alpha: float
) -> Marker:
    """One shape; with an empty frame it stands where its interactive marker does."""
    red, green, blue = (channel / 255 for channel in colour)
    made = Marker(type=kind, color=ColorRGBA(r=red, g=green, b=blue, a=alpha))
    made.scale.x, made.scale.y, made.scale.z = scale
    made.pose.orientation.w = 1.0
    return made

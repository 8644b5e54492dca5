"""The picture people look at: masks, outlines, centroids and labels over a frame.

Letters: H, W height and width of the frame in pixels; h, w of a mask's extent.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import OverlayConfig
from etam_ros.drawing.palette import object_colour
from etam_ros.errors import ImageError
from etam_ros.records import FrameResult, ObjectState

Colour = tuple[int, int, int]
Image = NDArray[np.uint8]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK: Colour = (20, 20, 24)
_LIGHT: Colour = (250, 250, 250)
_LONGEST_LABEL = 24


def draw_overlay(image: Image, result: FrameResult, config: OverlayConfig) -> Image:
    """Draw every object of a result over its frame, (H, W, 3) uint8 RGB, in a new array.

    Raises:
        ImageError: the picture has another size than the result.
    """
    if image.shape != (*result.image_hw, 3):
        raise ImageError(
            f"image has shape {image.shape}, expected {(*result.image_hw, 3)}: draw a result "
            "over the frame it belongs to"
        )
    canvas = np.array(image, order="C")
    visible = [state for state in result.objects if not state.occluded and state.area > 0]
    for state in visible:
        _draw_mask(canvas, state, config)
    for state in visible:
        _draw_centroid(canvas, state)
    if config.show_labels:
        _draw_labels(canvas, visible)
        _draw_occluded(canvas, [state for state in result.objects if state.occluded])
    return canvas


def _draw_mask(canvas: Image, state: ObjectState, config: OverlayConfig) -> None:
    """Blend the colour inside the mask's extent alone, then outline it."""
    x0, y0, x1, y1 = state.extent
    colour = object_colour(state.object_id)
    mask = np.ascontiguousarray(state.mask).view(np.uint8)  # (h, w) of 0 and 1
    crop = canvas[y0:y1, x0:x1]
    if config.opacity > 0.0:
        # A table per channel does the blend in one pass over the box.
        values = np.arange(256, dtype=np.float32)[:, None] * (1.0 - config.opacity)
        tint = np.asarray(colour, np.float32) * config.opacity
        table = (values + tint + 0.5).astype(np.uint8)  # (256, 3)
        blended = cv2.LUT(crop, table.reshape(1, 256, 3))
        cv2.copyTo(blended, mask, crop)
    if config.outline_px > 0:
        # On the whole canvas, so that an outline at the box's edge keeps its width.
        contours, _ = cv2.findContours(
            mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0)
        )
        cv2.drawContours(canvas, contours, -1, _brighter(colour), config.outline_px, cv2.LINE_AA)


def _draw_centroid(canvas: Image, state: ObjectState) -> None:
    """A small cross, light on dark, at the centroid."""
    centre = (round(state.centroid[0]), round(state.centroid[1]))
    size = 2 * max(4, canvas.shape[0] // 100)
    cv2.drawMarker(canvas, centre, _DARK, cv2.MARKER_CROSS, size + 4, 4, cv2.LINE_AA)
    cv2.drawMarker(canvas, centre, _LIGHT, cv2.MARKER_CROSS, size, 1, cv2.LINE_AA)


def _draw_labels(canvas: Image, states: list[ObjectState]) -> None:
    """A tag above each object's box, moved so that no two tags hide each other.

    Its number is the IoU estimate: `visibility` is above 0.9 on most of the wrong masks too.
    """
    taken: list[tuple[int, int, int, int]] = []
    for state in states:
        text = f"{_name(state)} {state.iou_score:.2f}"
        width, height = _tag_size(canvas, text)
        x = min(max(0, state.box[0]), max(0, canvas.shape[1] - width))
        y = max(0, state.box[1] - height - 2)
        while any(_overlaps((x, y, width, height), other) for other in taken):
            y += height + 1
        taken.append((x, y, width, height))
        _draw_tag(canvas, text, (x, y), object_colour(state.object_id))


def _draw_occluded(canvas: Image, states: list[ObjectState]) -> None:
    """A list in the lower left corner of what cannot be seen."""
    y = canvas.shape[0] - 4
    for state in reversed(states):
        text = f"{_name(state)} occluded"
        _, height = _tag_size(canvas, text)
        y -= height + 2
        _draw_tag(canvas, text, (4, y), _darker(object_colour(state.object_id)))


def _name(state: ObjectState) -> str:
    """Id and label; OpenCV's letters are ASCII only."""
    label = state.label.encode("ascii", "replace").decode()[:_LONGEST_LABEL]
    return f"{state.object_id} {label}" if label else f"{state.object_id}"


def _text_scale(canvas: Image) -> float:
    return min(1.2, max(0.4, canvas.shape[0] / 1200.0))


def _tag_size(canvas: Image, text: str) -> tuple[int, int]:
    """Width and height in pixels of the tag around a text."""
    scale = _text_scale(canvas)
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, 1)
    return width + round(16 * scale), height + baseline + round(6 * scale)


def _draw_tag(canvas: Image, text: str, corner: tuple[int, int], colour: Colour) -> None:
    """Text on a filled rectangle whose upper left corner is given."""
    x, y = corner
    scale = _text_scale(canvas)
    width, height = _tag_size(canvas, text)
    cv2.rectangle(canvas, (x, y), (x + width - 1, y + height - 1), colour, cv2.FILLED)
    (_, letters), _ = cv2.getTextSize(text, _FONT, scale, 1)
    origin = (x + round(8 * scale), y + (height + letters) // 2)
    cv2.putText(canvas, text, origin, _FONT, scale, _ink(colour), 1, cv2.LINE_AA)


def _overlaps(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Whether two (x, y, width, height) rectangles share a pixel."""
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _ink(colour: Colour) -> Colour:
    """Dark letters on light colours, light ones on dark."""
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return _DARK if luminance > 120 else _LIGHT


def _brighter(colour: Colour) -> Colour:
    red, green, blue = (channel + (255 - channel) // 3 for channel in colour)
    return red, green, blue


def _darker(colour: Colour) -> Colour:
    red, green, blue = (channel * 2 // 5 for channel in colour)
    return red, green, blue

"""Pictures of an evaluation: masks and truth, and sheets of them, one per photograph.

Masks are filled with the colour of the object; the truth is a white line.
Letters: H, W height and width of a picture in pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.drawing.contact_sheet import contact_sheet, thumbnail, write_jpeg
from etam_ros.drawing.palette import object_colour
from etam_ros.errors import SourceError
from etam_ros.media.files import writing

SHEET_COLUMNS: Final = 6
_WIDTH_PX: Final = 320
_FILLED: Final = 0.55
_JPEG_QUALITY: Final = 72
_WHITE: Final = (255, 255, 255)
_DARK: Final = (20, 20, 24)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX

Image = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]


def draw_result(image: Image, found: Labels, truth: Labels, caption: str = "") -> Image:
    """A small picture of predicted and true object ids.

    Args:
        image: (H, W, 3) uint8 RGB.
        found, truth: (H, W) object ids, 0 for the background.
        caption: text in a corner, in ASCII.

    Returns:
        (h, w, 3) uint8 RGB, 320 pixels wide.
    """
    small = thumbnail(image, width=_WIDTH_PX)
    hw = small.shape[:2]
    picture = small.astype(np.float32)
    for object_id in np.unique(found[found > 0]):
        alpha = _FILLED * _shrunk(found == object_id, hw)[..., None]
        picture += alpha * (np.array(object_colour(int(object_id)), np.float32) - picture)
    canvas = np.ascontiguousarray(picture.round().astype(np.uint8))
    for object_id in np.unique(truth[truth > 0]):
        solid = (_shrunk(truth == object_id, hw) > 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(solid, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, _WHITE, 1, cv2.LINE_AA)
    if caption:
        (width, height), below = cv2.getTextSize(caption, _FONT, 0.4, 1)
        cv2.rectangle(canvas, (0, 0), (width + 8, height + below + 4), _DARK, cv2.FILLED)
        cv2.putText(canvas, caption, (4, height + 3), _FONT, 0.4, _WHITE, 1, cv2.LINE_AA)
    return canvas


def encode_jpeg(picture: Image, quality: int = _JPEG_QUALITY) -> bytes:
    """A picture (H, W, 3) uint8 RGB as JPEG."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise SourceError(f"a picture of {picture.shape} cannot be made a JPEG")
    return data.tobytes()


def _shrunk(mask: NDArray[np.bool_], hw: tuple[int, ...]) -> NDArray[np.float32]:
    values = cv2.resize(mask.astype(np.float32), (hw[1], hw[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(values, np.float32)


class ResultSheets:
    """Collects pictures, and writes a sheet per photograph, one row per method.

    Args:
        folder: created if missing; sheets of an earlier run are overwritten.

    Raises:
        SourceError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[str, list[Image]] = {}
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, method: str, picture: Image) -> None:
        """Add a picture; a row has at most six."""
        row = self._rows.setdefault(method, [])
        if len(row) < SHEET_COLUMNS:
            row.append(picture)

    def write(self, name: str) -> None:
        """Write the sheet NAME.jpg with all added pictures, and start the next one.

        Raises:
            SourceError: it cannot be written.
        """
        rows, self._rows = self._rows, {}
        if not rows:
            return
        columns = max(map(len, rows.values()))
        blank = np.full_like(next(iter(rows.values()))[0], 255)
        filled = [[*row, *[blank] * (columns - len(row))] for row in rows.values()]
        pictures = [picture for row in filled for picture in row]
        write_jpeg(self._folder / f"{name}.jpg", contact_sheet(pictures, columns=columns))

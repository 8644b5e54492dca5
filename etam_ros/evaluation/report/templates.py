"""Common parts of all pages: templates, formats of numbers, and embedded pictures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from etam_ros.drawing.palette import object_colour
from etam_ros.evaluation.report.charts import HEIGHT, LEFT, RIGHT, STRIP, TOP, WIDTH, x_of, y_of
from etam_ros.evaluation.report.comparison import points

_FOLDER: Final = Path(__file__).parent


def render(template: str, **values: Any) -> str:
    """Render a template of this folder as a self-contained page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "colour": _colour, "points": _points}
    return environment.get_template(template).render(
        **values,
        size={"width": WIDTH, "left": LEFT, "right": RIGHT, "top": TOP, "plot": HEIGHT},
        strip=STRIP,
        y_of=y_of,
        x_of=x_of,
    )


def data_uri(jpeg: bytes) -> str:
    """A JPEG as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _points(value: float) -> str:
    return points(value).replace("-", "−")


def _colour(object_id: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*object_colour(object_id))

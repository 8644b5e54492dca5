"""What the page's server is told: `etam web` and the node /console have these options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from etam_ros.errors import ConfigError
from etam_ros.options import Checked, option

LIBRARIES: Final = ("starlette", "uvicorn", "websockets", "segno")
"""What serving needs; all are imported under these names."""
SHORTEST_TOKEN: Final = 16
TOKEN_VARIABLE: Final = "ETAM_WEB_TOKEN"
"""Of the environment: a token that no list of processes shows."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class WebConfig(Checked):
    """Where the page is served, to whom, and how fine its pictures are."""

    host: str = option(
        "127.0.0.1",
        "Address to listen on; 0.0.0.0 listens on every network of this machine, and then "
        "requires the token that is printed.",
        metavar="address",
    )
    port: int = option(8080, "Port; 0 chooses a free one.", minimum=0, maximum=65535)
    token: str = option(
        "",
        f"Secret of at least {SHORTEST_TOKEN} letters, digits, - and _; better in "
        f"{TOKEN_VARIABLE}, which the process list does not show.",
        unset="generated at start, if one is needed",
    )
    allow_host: tuple[str, ...] = option(
        (),
        "Another host name under which browsers reach the page; can be repeated.",
        metavar="name",
    )
    picture_width: int = option(
        1280, "Wider images are reduced to this width, in pixels.", minimum=160, maximum=8192
    )
    jpeg_quality: int = option(75, "Quality of the pictures.", minimum=1, maximum=100)
    max_rate_hz: float = option(
        30.0, "Largest number of images per second.", minimum=0.5, maximum=120.0, flag="--max-rate"
    )
    max_viewers: int = option(
        64, "Largest number of browsers at the same time.", minimum=1, maximum=1000
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.token and not (len(self.token) >= SHORTEST_TOKEN and _TOKEN.fullmatch(self.token)):
            raise ConfigError(  # never with the token itself, which may be logged
                f"the token has {len(self.token)} characters, expected at least "
                f"{SHORTEST_TOKEN} of A-Z, a-z, 0-9, - and _: omit it to have one generated"
            )


@dataclass(frozen=True)
class AnnotateConfig(Checked):
    """A recording that is shown instead of trackers."""

    source: str = option("", "Video file, folder of images, or bag.", unset="the running trackers")
    out: str = option(
        "annotated",
        "Folder in which masks and prompts of SOURCE are saved: a new one, or that of an "
        "earlier run.",
        metavar="path",
    )
    prompts: str = option("", "JSON file of initial prompts.", unset="none", metavar="path")

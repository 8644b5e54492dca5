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
        "Address to listen on: 0.0.0.0 for every network of this machine, which needs the token "
        "that is printed.",
        metavar="address",
    )
    port: int = option(8080, "Port; 0 takes a free one.", minimum=0, maximum=65535)
    token: str = option(
        "",
        f"Secret of at least {SHORTEST_TOKEN} letters, digits, - and _; better in {TOKEN_VARIABLE}"
        ", which no list of processes shows.",
        unset="made at start, where one is needed",
    )
    allow_host: tuple[str, ...] = option(
        (), "Another name under which browsers reach it; repeat for more.", metavar="name"
    )
    picture_width: int = option(
        1280, "Wider pictures are shown smaller, in pixels.", minimum=160, maximum=8192
    )
    jpeg_quality: int = option(75, "Quality of the pictures.", minimum=1, maximum=100)
    max_rate_hz: float = option(
        30.0, "Pictures per second at most.", minimum=0.5, maximum=120.0, flag="--max-rate"
    )
    max_viewers: int = option(64, "Browsers that may look on at once.", minimum=1, maximum=1000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.token and not (len(self.token) >= SHORTEST_TOKEN and _TOKEN.fullmatch(self.token)):
            raise ConfigError(  # never with the token itself, which may be logged
                f"the token has {len(self.token)} characters, expected at least {SHORTEST_TOKEN} "
                "of A-Z, a-z, 0-9, - and _: leave it out, and one is made"
            )


@dataclass(frozen=True)
class AnnotateConfig(Checked):
    """A recording that is shown instead of trackers."""

    source: str = option(
        "", "Video file, folder of images, or bag.", unset="the trackers that run here"
    )
    out: str = option(
        "annotated",
        "Folder that masks and prompts of SOURCE are saved in: new or earlier.",
        metavar="path",
    )
    prompts: str = option("", "JSON file of prompts to begin with.", unset="none", metavar="path")

"""What `etam demo` is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from etam_ros.config import NetworkConfig
from etam_ros.errors import PromptError
from etam_ros.options import option

LOGS: Final = "logs"
FOLLOW_RECORD: Final = "follow.json"
"""What run.json is to a demo, of one that follows: both may lie in one folder."""
UNTRAINED: Final = "random:0"
SLOW_HZ: Final = 5.0
"""Images per second without a GPU: about what the default model keeps up with on a CPU."""


@dataclass(frozen=True)
class DemoConfig(NetworkConfig):
    """What `etam demo` is told."""

    source: str = option("", "Video file or folder of images.", unset="a generated clip")
    out: str = option("demo", "Folder for the results.", metavar="path")
    weights: str = option(
        "",
        "Weights file, or random:SEED.",
        unset=f"the model's own; {UNTRAINED} if they are not installed",
    )
    rate_hz: float = option(
        0.0,
        "Images per second.",
        unset=f"the source's own; {SLOW_HZ:g} without a GPU",
        minimum=0.0,
        maximum=1000.0,
        flag="--rate",
    )
    frames: int = option(90, "Number of images after which it ends.", minimum=2, maximum=10**6)
    click: tuple[str, ...] = option(
        (), "Click on an object of SOURCE; can be repeated.", metavar="X,Y"
    )
    box: tuple[str, ...] = option(
        (), "Box around an object of SOURCE; can be repeated.", metavar="X0,Y0,X1,Y1"
    )
    seed: int = option(33, "Seed of the generated clip or room.", minimum=0, maximum=2**31 - 1)
    web: bool = option(
        False, "Serve the web page for the clip, for your own clicks, until Ctrl-C."
    )
    follow: bool = option(False, "Let a simulated robot follow a figure through a room.")
    seconds: float = option(
        0.0,
        "With --follow: simulated seconds.",
        unset="the whole walk",
        minimum=0.0,
        maximum=1e6,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        prompted = bool(self.click or self.box)
        if self.web and (self.follow or prompted):
            raise PromptError("--web is for your own clicks: omit --follow, --click and --box")
        if self.seconds and not self.follow:
            raise PromptError("--seconds is for --follow: use --frames for the length of a clip")
        if self.follow and (self.source or prompted or self.rate_hz):
            raise PromptError("--follow uses its own room: omit SOURCE, --click, --box and --rate")
        if prompted and not self.source:
            raise PromptError(
                "--click and --box need a SOURCE: the generated clip has prompts of its own"
            )


def is_older_demo(folder: Path) -> bool:
    """Whether a folder is that of a demo from before there were records."""
    return any(_begins_as_ours(folder / name) for name in ("report.md", "follow.md"))


def _begins_as_ours(report: Path) -> bool:
    try:
        with report.open("rb") as file:
            return file.readline().startswith(b"# etam demo")
    except OSError:
        return False

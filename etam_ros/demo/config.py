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

    source: str = option("", "Video file or folder of images.", unset="a made-up clip")
    out: str = option("demo", "Folder for what it leaves.", metavar="path")
    weights: str = option(
        "",
        "Weights file, or random:SEED.",
        unset=f"the model's own; without them {UNTRAINED}",
    )
    rate_hz: float = option(
        0.0,
        "Images per second.",
        unset=f"the source's own; {SLOW_HZ:g} without a GPU",
        minimum=0.0,
        maximum=1000.0,
        flag="--rate",
    )
    frames: int = option(90, "Images after which it ends.", minimum=2, maximum=10**6)
    click: tuple[str, ...] = option(
        (), "Click on an object of SOURCE; repeat for more.", metavar="X,Y"
    )
    box: tuple[str, ...] = option((), "Box around one; repeat for more.", metavar="X0,Y0,X1,Y1")
    seed: int = option(33, "Of the made-up clip, or room.", minimum=0, maximum=2**31 - 1)
    web: bool = option(
        False, "Open the page in the browser on the clip, and click yourself, until Ctrl-C."
    )
    follow: bool = option(False, "A robot follows a figure in a simulated room.")
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
            raise PromptError(
                "--web is for your own clicks: leave out --follow, --click and --box"
            )
        if self.seconds and not self.follow:
            raise PromptError("--seconds is for --follow: --frames says how long a clip is")
        if self.follow and (self.source or prompted or self.rate_hz):
            raise PromptError(
                "--follow has its own room: leave out SOURCE, --click, --box and --rate"
            )
        if prompted and not self.source:
            raise PromptError(
                "--click and --box need a SOURCE: the made-up clip is clicked for you"
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

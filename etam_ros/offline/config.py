"""How `etam track` replays a bag, and writes one."""

from __future__ import annotations

from dataclasses import dataclass

from etam_ros.config import BagConfig
from etam_ros.options import Checked, option

PROCESSED = "processed"


@dataclass(frozen=True)
class ReplayConfig(BagConfig):
    """Which of a bag's frames and prompts are taken."""

    tracker: str = option(
        "",
        "Full name of the recorded tracker node whose prompts and frames are meant.",
        unset="the only one in the bag",
        panel="Bags",
    )
    frames: str = option(
        "all",
        "Which frames of a bag are followed; processed: only those that the recorded tracker "
        "processed, so that its run is repeated.",
        choices=("all", PROCESSED),
        panel="Bags",
    )


@dataclass(frozen=True)
class BagOutputConfig(Checked):
    """The bag that is written beside the other results."""

    out_bag: str = option(
        "",
        "Also write the results as a rosbag2 of this name, with our messages and label images.",
        unset="none",
        metavar="path",
        panel="Bags",
    )
    bag_overlay: bool = option(
        False, "Put the overlay into that bag too, as compressed images.", panel="Bags"
    )
    bag_storage: str = option(
        "mcap", "How that bag is stored.", choices=("mcap", "sqlite3"), panel="Bags"
    )

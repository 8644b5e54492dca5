"""What `etam track` and `etam segment` are told: what is meant, and what they leave behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from etam_ros.config import BagConfig
from etam_ros.options import Checked, option

PROCESSED = "processed"
_POINT = "[ID:]X,Y[@FRAME]"


@dataclass(frozen=True)
class TrackConfig(Checked):
    """What is followed, and what is left of it."""

    source: str = option(
        "", "Video file, folder of images, bag, or index of a camera.", required=True
    )
    out: str = option(
        "",
        "Folder for masks/, objects.csv, overlay.mp4: a new one, or that of an earlier run.",
        required=True,
        metavar="path",
    )
    prompts: str = option(
        "",
        "JSON file of prompts; see the example.",
        unset="none",
        metavar="path",
    )
    click: tuple[str, ...] = option(
        (), "Click on an object, on that frame or else on the first.", metavar=_POINT
    )
    background: tuple[str, ...] = option((), "Click off an object, to correct it.", metavar=_POINT)
    box: tuple[str, ...] = option((), "Box around an object.", metavar="[ID:]X0,Y0,X1,Y1[@FRAME]")
    everything: bool = option(
        False, "Find all objects and track them, without a prompt.", panel="Everything"
    )
    pick: bool = option(False, "Click on the objects in a window first; also writes prompts.json.")
    save_logits: bool = option(
        False,
        "Also write logits.npz, the raw output; disables hole "
        "filling and keeps all conditioning memories.",
    )
    no_overlay: bool = option(False, "Write no overlay.mp4.")
    wide_ids: bool = option(
        False, "Write masks as 16-bit PNGs without colours, for ids up to 65535."
    )

    @property
    def folder(self) -> Path:
        """Of the results."""
        return Path(self.out)


@dataclass(frozen=True)
class SegmentConfig(Checked):
    """What is segmented in a picture, and what is left of it."""

    image: str = option("", "Image file.", required=True)
    out: str = option(
        "",
        "Folder for masks.png, objects.csv, overlay.png: a new one, or that of an earlier run.",
        required=True,
        metavar="path",
    )
    prompts: str = option(
        "", "JSON file of prompts; see the example.", unset="none", metavar="path"
    )
    click: tuple[str, ...] = option((), "On an object.", metavar="[ID:]X,Y")
    background: tuple[str, ...] = option((), "Beside an object.", metavar="[ID:]X,Y")
    box: tuple[str, ...] = option((), "Box around an object.", metavar="[ID:]X0,Y0,X1,Y1")
    everything: bool = option(False, "Find all objects, without a prompt.", panel="Everything")
    save_logits: bool = option(False, "Also write logits.npz, the raw output of the network.")

    @property
    def folder(self) -> Path:
        """Of the results."""
        return Path(self.out)


@dataclass(frozen=True)
class ReplayConfig(BagConfig):
    """Which of a bag's frames and prompts are taken."""

    tracker: str = option(
        "",
        "Full name of the recorded tracker node whose prompts and frames are used.",
        unset="the only one in the bag",
        panel="Bags",
    )
    frames: str = option(
        "all",
        "Which frames of a bag are tracked; processed: only those that the recorded tracker "
        "processed, which repeats its run.",
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
        False, "Also write the overlay to that bag, as compressed images.", panel="Bags"
    )
    bag_storage: str = option(
        "mcap", "Storage format of that bag.", choices=("mcap", "sqlite3"), panel="Bags"
    )

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
        "Folder for masks/, objects.csv, overlay.mp4: new or earlier.",
        required=True,
        metavar="path",
    )
    prompts: str = option(
        "",
        "JSON file that says what to follow; see the example.",
        unset="none",
        metavar="path",
    )
    click: tuple[str, ...] = option(
        (), "On an object of that frame, else of the first.", metavar=_POINT
    )
    background: tuple[str, ...] = option((), "Beside an object, to correct it.", metavar=_POINT)
    box: tuple[str, ...] = option((), "Around an object.", metavar="[ID:]X0,Y0,X1,Y1[@FRAME]")
    everything: bool = option(
        False, "Find everything and follow it, without a prompt.", panel="Everything"
    )
    pick: bool = option(
        False, "First click on what to follow, in a window; writes prompts.json too."
    )
    save_logits: bool = option(False, "Also write logits.npz, unfilled and complete.")
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
        "Folder for masks.png, objects.csv, overlay.png: new or earlier.",
        required=True,
        metavar="path",
    )
    prompts: str = option(
        "", "JSON file that says what is meant; see the example.", unset="none", metavar="path"
    )
    click: tuple[str, ...] = option((), "On an object.", metavar="[ID:]X,Y")
    background: tuple[str, ...] = option((), "Beside an object.", metavar="[ID:]X,Y")
    box: tuple[str, ...] = option((), "Around an object.", metavar="[ID:]X0,Y0,X1,Y1")
    everything: bool = option(False, "Find everything, without a prompt.", panel="Everything")
    save_logits: bool = option(False, "Also write logits.npz: what the network said.")

    @property
    def folder(self) -> Path:
        """Of the results."""
        return Path(self.out)


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

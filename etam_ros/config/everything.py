"""How everything in a picture is found, and what of it is followed through a video."""

from __future__ import annotations

from dataclasses import dataclass

from etam_ros.options import Checked, option

_PANEL = "Everything"


@dataclass(frozen=True)
class EverythingConfig(Checked):
    """A grid of clicks, and which of the masks that they give are kept."""

    points_per_side: int = option(
        16,
        "Side of the grid of clicks on the whole picture.",
        minimum=1,
        maximum=64,
        live=True,
        panel=_PANEL,
    )
    min_iou_score: float = option(
        0.0,
        "Masks of a lower estimate are left out, 0..1.",
        unset="the model's own",
        minimum=0.0,
        maximum=1.0,
        live=True,
        panel=_PANEL,
    )
    min_stability: float = option(
        0.0,
        "Masks that are less stable are left out, 0..1: the area with the threshold a logit "
        "higher over that with it a logit lower.",
        unset="the model's own",
        minimum=0.0,
        maximum=1.0,
        live=True,
        panel=_PANEL,
    )
    max_overlap: float = option(
        0.7,
        "Of masks whose IoU is above this the surest is kept, by estimate times stability.",
        minimum=0.0,
        maximum=1.0,
        live=True,
        panel=_PANEL,
    )
    min_area_px: int = option(
        100,
        "Holes, loose pieces and whole masks of fewer pixels are filled or dropped.",
        minimum=0,
        maximum=1_000_000,
        live=True,
        panel=_PANEL,
    )
    crop_layers: int = option(
        0,
        "Also look at parts of the picture, which shows smaller things: 1 at 2 x 2 of them, 2 at "
        "4 x 4 as well.",
        minimum=0,
        maximum=2,
        live=True,
        panel=_PANEL,
    )


@dataclass(frozen=True)
class EverythingServiceConfig(EverythingConfig):
    """How the node finds everything, for ~/segment."""

    timeout_s: float = option(
        120.0,
        "~/segment waits at most this many seconds for its answer.",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )


@dataclass(frozen=True)
class MaskletsConfig(Checked):
    """What of everything in a video is followed."""

    every: int = option(
        0,
        "Look for new objects on every so many frames, where nothing is followed yet.",
        unset="on the first frame alone",
        minimum=0,
        maximum=1_000_000,
        panel=_PANEL,
    )
    min_new_share: float = option(
        0.5,
        "What is found is new where at least this share of it is of no object followed, 0..1.",
        minimum=0.01,
        maximum=1.0,
        panel=_PANEL,
    )
    merge_iou: float = option(
        0.7,
        "Two objects are one when the IoU of their masks is at least this on several frames.",
        minimum=0.01,
        maximum=1.0,
        panel=_PANEL,
    )
    merge_frames: int = option(
        3, "On so many frames in a row.", minimum=1, maximum=1000, panel=_PANEL
    )

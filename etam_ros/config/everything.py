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
        "Masks with a lower estimated IoU are left out, 0..1.",
        unset="the model's own",
        minimum=0.0,
        maximum=1.0,
        live=True,
        panel=_PANEL,
    )
    min_stability: float = option(
        0.0,
        "Masks with a lower stability are left out, 0..1: the area at a threshold one logit "
        "higher divided by that at one logit lower.",
        unset="the model's own",
        minimum=0.0,
        maximum=1.0,
        live=True,
        panel=_PANEL,
    )
    max_overlap: float = option(
        0.7,
        "Of masks whose IoU is above this, the one with the highest product of estimate and "
        "stability is kept.",
        minimum=0.0,
        maximum=1.0,
        live=True,
        panel=_PANEL,
    )
    min_area_px: int = option(
        100,
        "Holes of fewer pixels are filled; smaller pieces and smaller masks are dropped.",
        minimum=0,
        maximum=1_000_000,
        live=True,
        panel=_PANEL,
    )
    crop_layers: int = option(
        0,
        "Also search crops of the picture, to find smaller objects: 1 searches 2 x 2 crops, 2 "
        "also searches 4 x 4.",
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
        "Longest duration of a ~/segment request in seconds.",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )


@dataclass(frozen=True)
class MaskletsConfig(Checked):
    """What of everything in a video is followed."""

    every: int = option(
        0,
        "Search every N-th frame for new objects, where nothing is tracked yet.",
        unset="on the first frame only",
        minimum=0,
        maximum=1_000_000,
        panel=_PANEL,
    )
    min_new_share: float = option(
        0.5,
        "A found mask is a new object if at least this share of it belongs to no tracked "
        "object, 0..1.",
        minimum=0.01,
        maximum=1.0,
        panel=_PANEL,
    )
    merge_iou: float = option(
        0.7,
        "Two objects count as one when the IoU of their masks is at least this on several frames.",
        minimum=0.01,
        maximum=1.0,
        panel=_PANEL,
    )
    merge_frames: int = option(
        3, "Number of consecutive frames for --merge-iou.", minimum=1, maximum=1000, panel=_PANEL
    )

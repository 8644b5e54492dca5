"""How objects are followed, and what is kept for prompts that come late."""

from __future__ import annotations

from dataclasses import dataclass

from etam_ros.options import Checked, option


@dataclass(frozen=True)
class TrackerConfig(Checked):
    """How the streaming tracker remembers and what it gives out."""

    conditioning_memories: int = option(
        4,
        "Memories of prompted frames kept per object: the first, the nearest, the closest "
        "others; 0 keeps all.",
        minimum=0,
        maximum=64,
        live=True,
    )
    recent_memories: int = option(
        6, "Memories of recent frames kept per object.", minimum=0, maximum=63, live=True
    )
    recent_pointers: int = option(
        15, "Recent object pointers kept per object.", minimum=0, maximum=63, live=True
    )
    max_objects: int = option(
        16, "Objects tracked at once; more are refused.", minimum=1, maximum=1024, live=True
    )
    forget_after_s: float = option(
        0.0,
        "Drop an object that was out of view for this many seconds of frame stamps; 0 never "
        "drops it.",
        minimum=0.0,
        maximum=1e9,
        live=True,
    )
    overlap: str = option(
        "settle",
        "Where masks overlap: settle gives each pixel to the object with the highest logit, "
        "keep publishes overlapping masks.",
        choices=("settle", "keep"),
        live=True,
    )
    fill_hole_area: int = option(
        8,
        "Fill holes of up to this many cells of the low-resolution mask; 0 fills none.",
        minimum=0,
        maximum=65536,
        live=True,
    )
    mask_threshold: float = option(
        0.0,
        "A pixel belongs to the object where its logit is above this.",
        minimum=-32.0,
        maximum=32.0,
        live=True,
    )
    measured: str = option(
        "main_piece",
        "What box, centroid and position are measured on; main_piece: among the connected "
        "pieces about as large as the largest, the one nearest to where the object was.",
        choices=("main_piece", "whole_mask"),
        live=True,
    )


@dataclass(frozen=True)
class HistoryConfig(Checked):
    """Which past frames can still be prompted, and how objects catch up from there."""

    seconds: float = option(
        2.0, "Seconds of frames that can still be prompted, by their stamps.", minimum=0.0,
        maximum=3600.0, live=True,
    )  # fmt: skip
    max_mib: int = option(
        256,
        "Memory limit for these frames in MiB; the state of the objects on them may take as "
        "much again.",
        minimum=0,
        maximum=65536,
        live=True,
    )
    catch_up_frames: int = option(
        4,
        "Largest number of frames through which an object catches up to the newest one.",
        minimum=0,
        maximum=64,
        live=True,
    )
    stamp_tolerance_ms: float = option(
        20.0,
        "Milliseconds by which the stamp of a prompt may differ from that of its frame.",
        minimum=0.0,
        maximum=1000.0,
        live=True,
    )

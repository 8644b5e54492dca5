"""Configuration of what the node says in metres: depth, markers, coordinate frames."""

from __future__ import annotations

from dataclasses import dataclass

from etam_ros.options import Checked, option


@dataclass(frozen=True)
class DepthConfig(Checked):
    """How a position is made of depth."""

    enabled: bool = option(True, "Subscribe to depth.")
    stamp_tolerance_ms: float = option(
        50.0,
        "Milliseconds by which the stamp of depth may differ from that of its image.",
        minimum=0.0,
        maximum=1000.0,
        live=True,
    )
    max_mib: int = option(
        128, "Memory limit in MiB for depth that is kept for images still to be processed.",
        minimum=1, maximum=4096, live=True,
    )  # fmt: skip
    min_m: float = option(
        0.05, "Depth of fewer metres than this is invalid.", minimum=0.0, maximum=1000.0, live=True
    )
    max_m: float = option(
        50.0, "Depth of more metres than this is invalid.", minimum=0.01, maximum=1000.0, live=True
    )
    min_valid_share: float = option(
        0.2,
        "The position is unknown if less than this share of the inner half of a mask has valid "
        "depth, 0..1.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    min_surface_share: float = option(
        0.25,
        "If a mask covers several surfaces, the nearest one with at least this share of the "
        "valid depth is used, 0..1.",
        minimum=0.01,
        maximum=1.0,
        live=True,
    )


@dataclass(frozen=True)
class ObjectMarkersConfig(Checked):
    """The markers on ~/markers, at the positions of the objects."""

    diameter_m: float = option(
        0.1, "Diameter of a sphere in metres, and the height of its text.", minimum=0.001,
        maximum=100.0, live=True,
    )  # fmt: skip
    lifetime_s: float = option(
        2.0, "RViz removes a marker that is not updated for this many seconds; 0 keeps it.",
        minimum=0.0, maximum=3600.0, live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class TransformsConfig(Checked):
    """What is published on /tf."""

    objects: bool = option(
        False,
        "Publish a coordinate frame object_ID at the position of each object, if tf2_msgs is "
        "installed.",
    )

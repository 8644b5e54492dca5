"""The node's own parameters, and all groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from etam_ros.config.everything import EverythingServiceConfig
from etam_ros.config.network import NetworkConfig
from etam_ros.config.pointing import (
    ClickPlaneConfig,
    ClicksConfig,
    DetectionsConfig,
    MarkersConfig,
    SourcesConfig,
)
from etam_ros.config.positions import DepthConfig, ObjectMarkersConfig, TransformsConfig
from etam_ros.config.tracking import HistoryConfig, TrackerConfig
from etam_ros.options import Checked, option


@dataclass(frozen=True)
class OverlayConfig(Checked):
    """How the overlay picture is drawn."""

    opacity: float = option(
        0.45, "Opacity of the mask colour, 0..1.", minimum=0.0, maximum=1.0, live=True
    )
    outline_px: int = option(
        2, "Width of the outline of a mask in pixels; 0 draws none.", minimum=0, maximum=32,
        live=True,
    )  # fmt: skip
    show_labels: bool = option(
        True, "Write id, label and the model's own IoU estimate next to each object.", live=True
    )
    jpeg_quality: int = option(
        80, "JPEG quality of the compressed overlay.", minimum=1, maximum=100, live=True
    )


@dataclass(frozen=True)
class DiagnosticsConfig(Checked):
    """How the node reports on itself."""

    period_s: float = option(1.0, "Seconds between two reports.", minimum=0.1, maximum=3600.0)
    window: int = option(
        300,
        "Number of frames over which rates and percentiles are computed.",
        minimum=10,
        maximum=100000,
    )


@dataclass(frozen=True)
class ImagesConfig(Checked):
    """Which images the node accepts, and how it reads them."""

    max_megapixels: float = option(
        64.0, "Images of more pixels than this are refused.", minimum=0.01, maximum=1024.0,
        live=True,
    )  # fmt: skip

    bits: int = option(
        16, "Bits that 16-bit images actually use: 12 or 14 for many mono16 cameras, whose "
            "images otherwise come out black.", minimum=9, maximum=16, live=True,
    )  # fmt: skip

    @property
    def max_pixels(self) -> int:
        """The same in pixels."""
        return int(self.max_megapixels * 1e6)


@dataclass(frozen=True)
class CameraConfig(Checked):
    """How camera_info is read."""

    rectified: bool = option(
        False,
        "The images are rectified: p of camera_info applies to them, and k and d do not.",
        live=True,
    )


@dataclass(frozen=True)
class EventsConfig(Checked):
    """When an object that is visible counts as doubtful."""

    doubtful_below: float = option(
        0.4,
        "An object is doubtful when the model's own IoU estimate stays below this, 0..1; 0 "
        "disables the check.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    sure_above: float = option(
        0.6,
        "It can become doubtful for that reason again once the estimate was above this, 0..1.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    colours_differ_above: float = option(
        0.4,
        "An object is doubtful when its colours keep differing by more than this from those at "
        "its last prompt, as the Bhattacharyya distance of histograms, 0..1; 1 disables the "
        "check.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    lookalike_below: float = option(
        0.3,
        "An object is doubtful when another one is near whose colours keep differing by less "
        "than this, as the same distance, 0..1; 0 disables the check.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    doubtful_frames: int = option(
        3,
        "Number of consecutive frames for which a reason for doubt must hold.",
        minimum=1,
        maximum=1000,
        live=True,
    )


@dataclass(frozen=True)
class NodeConfig(NetworkConfig):
    """The node's own parameters, at the top level of its parameter names."""

    image_transport: str = option(
        "raw", "raw subscribes to image, compressed subscribes to image/compressed.",
        choices=("raw", "compressed"),
    )  # fmt: skip
    image_reliability: str = option(
        "auto",
        "QoS of the subscriptions to image and depth; auto is reliable if every publisher offers "
        "it.",
        choices=("auto", "reliable", "best_effort"),
    )
    image_timeout_s: float = option(
        2.0,
        "Diagnostics become STALE when no frame has arrived for this many seconds.",
        minimum=0.1,
        maximum=3600.0,
        live=True,
    )
    prompt_timeout_s: float = option(
        5.0, "Longest time in seconds that a service waits for its answer.", minimum=0.1,
        maximum=600.0, live=True,
    )  # fmt: skip
    autostart: bool = option(True, "Configure and activate by itself once the node spins.")
    build_engines: bool = option(
        True,
        "Build a missing engine while configuring; otherwise refuse to configure and name "
        "the command.",
    )


GROUPS: Final[Mapping[str, type[Checked]]] = {
    "tracker": TrackerConfig,
    "history": HistoryConfig,
    "overlay": OverlayConfig,
    "diagnostics": DiagnosticsConfig,
    "images": ImagesConfig,
    "camera": CameraConfig,
    "click_plane": ClickPlaneConfig,
    "clicks": ClicksConfig,
    "detections": DetectionsConfig,
    "events": EventsConfig,
    "markers": MarkersConfig,
    "depth": DepthConfig,
    "object_markers": ObjectMarkersConfig,
    "tf": TransformsConfig,
    "sources": SourcesConfig,
    "everything": EverythingServiceConfig,
}
"""Parameter groups of the node beside its top level: prefix -> configuration class."""

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
        True, "Write id, label and the model's own IoU estimate beside each object.", live=True
    )
    jpeg_quality: int = option(
        80, "JPEG quality of the compressed overlay.", minimum=1, maximum=100, live=True
    )


@dataclass(frozen=True)
class DiagnosticsConfig(Checked):
    """How the node reports on itself."""

    period_s: float = option(1.0, "Seconds between two reports.", minimum=0.1, maximum=3600.0)
    window: int = option(
        300, "Frames over which rates and percentiles are taken.", minimum=10, maximum=100000
    )


@dataclass(frozen=True)
class ImagesConfig(Checked):
    """Which images the node accepts, and how it reads them."""

    max_megapixels: float = option(
        64.0, "Images of more pixels than this are refused.", minimum=0.01, maximum=1024.0,
        live=True,
    )  # fmt: skip

    bits: int = option(
        16, "Bits that 16-bit images fill: 12 or 14 for many mono16 cameras, which else come out "
        "black.", minimum=9, maximum=16, live=True,
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
        "The images are rectified: p of camera_info holds for them, and k and d do not.",
        live=True,
    )


@dataclass(frozen=True)
class EventsConfig(Checked):
    """When an object that is visible counts as doubtful."""

    doubtful_below: float = option(
        0.4,
        "An object is doubtful when the model's own IoU estimate stays below this, 0..1; 0 never "
        "doubts.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    sure_above: float = option(
        0.6,
        "It can become doubtful again because of that once the estimate was above this, 0..1.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    colours_differ_above: float = option(
        0.4,
        "An object is doubtful when its colours stay further than this from those at its last "
        "prompt, by the Bhattacharyya distance of histograms, 0..1; 1 never doubts.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    lookalike_below: float = option(
        0.3,
        "An object is doubtful when another one is near whose colours stay closer to its own than "
        "this, by the same distance, 0..1; 0 never doubts.",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    doubtful_frames: int = option(
        3, "Frames in a row for which a reason to doubt has to last.", minimum=1, maximum=1000,
        live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class NodeConfig(NetworkConfig):
    """The node's own parameters, at the top level of its parameter names."""

    image_transport: str = option(
        "raw", "raw subscribes to image, compressed to image/compressed.",
        choices=("raw", "compressed"),
    )  # fmt: skip
    image_reliability: str = option(
        "auto",
        "QoS of the subscriptions to image and depth; auto is reliable if every publisher offers "
        "it.",
        choices=("auto", "reliable", "best_effort"),
    )
    image_timeout_s: float = option(
        2.0, "Diagnostics go stale when no frame came for this many seconds.", minimum=0.1,
        maximum=3600.0, live=True,
    )  # fmt: skip
    prompt_timeout_s: float = option(
        5.0, "A service waits at most this many seconds for its answer.", minimum=0.1,
        maximum=600.0, live=True,
    )  # fmt: skip
    autostart: bool = option(True, "Configure and activate by itself once the node spins.")
    build_engines: bool = option(
        True, "Build a missing engine while configuring; otherwise refuse and name the command."
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

"""Configuration of how operators and detectors point: topics, clicks, markers, boxes."""

from __future__ import annotations

from dataclasses import dataclass

from etam_ros.options import Checked, option


@dataclass(frozen=True)
class ClickPlaneConfig(Checked):
    """The image as points before the camera, to be clicked on in RViz."""

    distance_m: float = option(
        1.0, "Metres from the camera, along its axis.", minimum=0.05, maximum=100.0, live=True
    )
    columns: int = option(
        320, "Largest number of points per row.", minimum=8, maximum=1920, live=True
    )
    max_rate_hz: float = option(
        10.0, "Largest number of planes per second.", minimum=0.1, maximum=1000.0, live=True
    )


@dataclass(frozen=True)
class ClicksConfig(Checked):
    """What a click means that does not say which object it is for."""

    meaning: str = option(
        "auto",
        "Which object a click without an id applies to; auto refines the object under it and "
        "elsewhere adds one, new always adds one, target always applies to the object chosen by "
        "~/select; a background click adds none: with auto and new it applies to the object "
        "under it, otherwise to the nearest.",
        choices=("auto", "new", "target"),
        live=True,
    )


@dataclass(frozen=True)
class DetectionsConfig(Checked):
    """Which boxes of a detector are followed."""

    min_score: float = option(
        0.5, "Boxes of a lower score are ignored, 0..1.", minimum=0.0, maximum=1.0, live=True
    )
    labels: str = option(
        "", "Classes that are tracked, separated by commas.", unset="all", live=True
    )
    max_per_message: int = option(
        8, "Largest number of boxes used from one message; those with the highest scores are "
           "used.", minimum=1, maximum=1024,
        live=True,
    )  # fmt: skip
    overlap_iou: float = option(
        0.3,
        "A box belongs to a tracked object if the IoU with the object's box is at least this.",
        minimum=0.01,
        maximum=1.0,
        live=True,
    )
    on_overlap: str = option(
        "ignore",
        "Effect of a box that belongs to a tracked object; ignore: none, refine: it corrects "
        "the object.",
        choices=("ignore", "refine"),
        live=True,
    )


@dataclass(frozen=True)
class MarkersConfig(Checked):
    """The interactive markers on ~/clicks."""

    max_rate_hz: float = option(
        10.0, "Largest number of updates per second.", minimum=0.1,
        maximum=1000.0, live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class SourcesConfig(Checked):
    """Which topics prompts are taken from."""

    prompt: bool = option(True, "Take prompts from ~/prompt.")
    click: bool = option(True, "Take foreground clicks from ~/click.")
    click_background: bool = option(True, "Take background clicks from ~/click_background.")
    mouse_left: bool = option(
        True,
        "Take clicks on the image in rqt_image_view from mouse_left; they apply to the "
        "newest frame.",
    )
    overlay_mouse_left: bool = option(
        True, "Take clicks on the overlay in rqt_image_view; they apply to the newest frame."
    )
    clicked_point: bool = option(
        True, "Take 3-D clicks of RViz from clicked_point, and use TF for them."
    )
    detections: bool = option(
        True, "Take boxes of a detector from detections, if vision_msgs is installed."
    )
    markers: bool = option(
        True, "Show interactive markers on ~/clicks, and take the clicks and menus on them."
    )

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
        320, "Points beside each other at most.", minimum=8, maximum=1920, live=True
    )
    max_rate_hz: float = option(
        10.0, "Planes per second at most.", minimum=0.1, maximum=1000.0, live=True
    )


@dataclass(frozen=True)
class ClicksConfig(Checked):
    """What a click means that does not say which object it is for."""

    meaning: str = option(
        "auto",
        "Which object a bare click is for; auto refines the object under it and starts one "
        "elsewhere, new always starts one, target is always for the object of ~/select; a "
        "background click starts none: with auto and new it is for the object under it, else the "
        "nearest.",
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
        "", "Classes that are followed, with commas between them.", unset="all", live=True
    )
    max_per_message: int = option(
        8, "Boxes taken from one message, those of highest score.", minimum=1, maximum=1024,
        live=True,
    )  # fmt: skip
    overlap_iou: float = option(
        0.3,
        "A box is on an object that is followed if the IoU with its box is at least this.",
        minimum=0.01,
        maximum=1.0,
        live=True,
    )
    on_overlap: str = option(
        "ignore",
        "What a box on an object that is followed does; ignore: nothing, refine: it corrects it.",
        choices=("ignore", "refine"),
        live=True,
    )


@dataclass(frozen=True)
class MarkersConfig(Checked):
    """The interactive markers on ~/clicks."""

    max_rate_hz: float = option(
        10.0, "They follow the objects at most so many times a second.", minimum=0.1,
        maximum=1000.0, live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class SourcesConfig(Checked):
    """Which topics prompts are taken from."""

    prompt: bool = option(True, "Take prompts from ~/prompt.")
    click: bool = option(True, "Take foreground clicks from ~/click.")
    click_background: bool = option(True, "Take background clicks from ~/click_background.")
    mouse_left: bool = option(
        True, "Take clicks of rqt_image_view on the image from mouse_left, for the newest frame."
    )
    overlay_mouse_left: bool = option(
        True, "Take clicks of rqt_image_view on the overlay, for the newest frame."
    )
    clicked_point: bool = option(
        True, "Take clicks of RViz in space from clicked_point, and listen to TF for them."
    )
    detections: bool = option(
        True, "Take boxes of a detector from detections, where vision_msgs is installed."
    )
    markers: bool = option(
        True, "Show interactive markers on ~/clicks, and take the clicks and menus on them."
    )

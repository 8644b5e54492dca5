"""Configuration: frozen, validated dataclasses, the only source of defaults.

Each field carries its description, range or choices, and whether it may change while frames
stream (`live`), see `options.py`. `ros/parameters.py` makes ROS parameters of the fields,
`cli/terminal/options.py` options of the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from etam_ros.everything_config import EverythingServiceConfig
from etam_ros.options import Checked, option
from etam_ros.positions_config import DepthConfig, ObjectMarkersConfig, TransformsConfig

ENGINE_BACKENDS: Final = ("onnx", "openvino", "tensorrt", "tensorrt_rtx")
BACKENDS: Final = ("auto", "torch", *ENGINE_BACKENDS)
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16")
DEVICES: Final = ("auto", "cpu", "cuda")
DEFAULT_MODEL: Final = "etam_nano"


@dataclass(frozen=True)
class TrackerConfig(Checked):
    """How the streaming tracker remembers and what it gives out."""

    conditioning_memories: int = option(
        4,
        "Prompted frames remembered per object: the first, the nearest, the closest others; "
        "0 keeps all.",
        minimum=0,
        maximum=64,
        live=True,
    )
    recent_memories: int = option(
        6, "Recent frames remembered per object.", minimum=0, maximum=63, live=True
    )
    recent_pointers: int = option(
        15, "Recent object pointers remembered per object.", minimum=0, maximum=63, live=True
    )
    max_objects: int = option(
        16, "Objects followed at once; more are refused.", minimum=1, maximum=1024, live=True
    )
    forget_after_s: float = option(
        0.0,
        "Drop an object that was not seen for this many seconds of frame stamps; 0 never does.",
        minimum=0.0,
        maximum=1e9,
        live=True,
    )
    overlap: str = option(
        "settle",
        "Where masks overlap: settle gives each pixel to the object of highest logit, keep "
        "publishes the masks as they are.",
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
        "What box, centroid and position are of; main_piece: of the connected pieces about as "
        "large as the largest, the one nearest to where the object was.",
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
        "Mebibytes that these frames take at most, and as much again what objects remembered "
        "on them.",
        minimum=0,
        maximum=65536,
        live=True,
    )
    catch_up_frames: int = option(
        4, "Frames at most through which an object catches up to now.", minimum=0, maximum=64,
        live=True,
    )  # fmt: skip
    stamp_tolerance_ms: float = option(
        20.0,
        "Milliseconds by which the stamp of a prompt may differ from that of its frame.",
        minimum=0.0,
        maximum=1000.0,
        live=True,
    )


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


@dataclass(frozen=True)
class NetworkConfig(Checked):
    """Which network runs, on what: the node and most commands are told it alike."""

    model: str = option(DEFAULT_MODEL, "Name of the model; `etam weights list` shows them.")
    weights: str = option(
        "", "Path of a weights file, or random:SEED for tests.", unset="the model's own"
    )
    backend: str = option("auto", "What runs the network.", choices=BACKENDS)
    precision: str = option(
        "auto",
        "Arithmetic of the network; auto is fp16 with TensorRT, bf16 with torch on CUDA and with "
        "OpenVINO on a CPU that has it, else fp32.",
        choices=PRECISIONS,
    )
    device: str = option("auto", "Where the network runs.", choices=DEVICES)
    engine_dir: str = option(
        "",
        "Folder of the engines.",
        unset="engines/ of a source checkout, else the user's cache",
        metavar="path",
    )


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


@dataclass(frozen=True)
class BagConfig(Checked):
    """How a bag is read, wherever it is a source."""

    topic: str = option(
        "",
        "Topic of the images of a bag.",
        unset="the camera's, where the bag holds one",
        panel="Bags",
    )
    recover: bool = option(False, "Read what can be read of a damaged bag.", panel="Bags")


@dataclass(frozen=True)
class PlayerConfig(BagConfig):
    """What the player publishes, and how."""

    source: str = option(
        "", "Video file, folder of images, bag, index of a camera, or /dev/videoN.", required=True
    )
    rate_hz: float = option(
        0.0,
        "Frames per second.",
        unset="the source's own, of a bag its stamps, 30 for a folder of images",
        minimum=0.0,
        maximum=1000.0,
        flag="--rate",
    )
    loop: bool = option(False, "Start over at the end, until stopped.")
    transport: str = option(
        "both",
        "Publish raw images on image, JPEG on image/compressed, or both; what nobody subscribes "
        "to is not made.",
        choices=("raw", "compressed", "both"),
    )
    jpeg_quality: int = option(90, "Quality of the JPEGs.", minimum=1, maximum=100)
    frame_id: str = option(
        "", "Coordinate frame of the camera.", unset="a bag's own, else camera_optical_frame"
    )
    camera_info: str = option(
        "",
        "YAML file of camera_calibration, published on camera_info with each frame.",
        unset="a bag's own, else none",
        metavar="path",
    )
    reliability: str = option(
        "reliable", "QoS of the images.", choices=("reliable", "best_effort")
    )
    wait_for_subscribers: int = option(
        0, "Subscribers to wait for before the first frame.", minimum=0, maximum=1000
    )

"""Configuration: frozen, validated dataclasses, the only source of defaults.

Each field carries its description, range or choices, and whether it may change while frames
stream (`live`). `ros/parameters.py` walks the fields to declare ROS parameters, and the command
line takes its defaults from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from etam_ros.errors import ConfigError

BACKENDS: Final = ("auto", "torch", "onnx", "openvino", "tensorrt", "tensorrt_rtx")
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16")
DEVICES: Final = ("auto", "cpu", "cuda")
DEFAULT_MODEL: Final = "etam_nano"


@dataclass(frozen=True)
class Option:
    """What is known of one field beside its type and default.

    Attributes:
        description: one sentence, with the unit.
        minimum, maximum: inclusive range of a number, or None.
        choices: the allowed strings, or empty.
        live: may change while frames stream.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def check(self, name: str, value: object, default: object) -> None:
        """Raise ConfigError unless `value` is of the default's type and allowed."""
        expected = type(default)
        if expected is float and type(value) is int:
            value = float(value)
        if type(value) is not expected:
            raise ConfigError(
                f"{name} is {value!r} of type {type(value).__name__}, "
                f"expected {expected.__name__}: {self.description}"
            )
        if self.choices and value not in self.choices:
            raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(self.choices)}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._check_range(name, value)

    def _check_range(self, name: str, value: float) -> None:
        too_low = self.minimum is not None and not value >= self.minimum
        too_high = self.maximum is not None and not value <= self.maximum
        if too_low or too_high:
            low = "" if self.minimum is None else f"{self.minimum:g}"
            high = "" if self.maximum is None else f"{self.maximum:g}"
            raise ConfigError(f"{name} is {value:g}, expected {low}..{high}: {self.description}")


def option(default: Any, description: str, **limits: Any) -> Any:
    """A dataclass field with a default and an `Option` that describes it."""
    return field(default=default, metadata={"option": Option(description, **limits)})


def option_of(item: Field[Any]) -> Option:
    """The `Option` of a configuration field."""
    described: Option = item.metadata["option"]
    return described


class Checked:
    """Base of the configuration classes: every field is checked when one is made."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            option_of(item).check(item.name, getattr(self, item.name), item.default)


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
        True, "Write id, label and visibility beside each object.", live=True
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
    """Which images the node accepts."""

    max_megapixels: float = option(
        64.0, "Images of more pixels than this are refused.", minimum=0.01, maximum=1024.0,
        live=True,
    )  # fmt: skip


@dataclass(frozen=True)
class NodeConfig(Checked):
    """The node's own parameters, at the top level of its parameter names."""

    model: str = option(DEFAULT_MODEL, "Name of the model; `etam weights list` shows them.")
    weights: str = option(
        "", "Path of a weights file, or random:SEED for tests; empty takes the model's own."
    )
    backend: str = option("auto", "What runs the network.", choices=BACKENDS)
    precision: str = option("auto", "Arithmetic of the network.", choices=PRECISIONS)
    device: str = option("auto", "Where the network runs.", choices=DEVICES)
    image_transport: str = option(
        "raw", "raw subscribes to image, compressed to image/compressed.",
        choices=("raw", "compressed"),
    )  # fmt: skip
    image_reliability: str = option(
        "auto",
        "QoS of the image subscription; auto is reliable if every publisher offers it.",
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
    engine_dir: str = option(
        "", "Folder of engines; empty: engines/ of a source checkout, else the user's cache."
    )


GROUPS: Final[Mapping[str, type[Checked]]] = {
    "tracker": TrackerConfig,
    "overlay": OverlayConfig,
    "diagnostics": DiagnosticsConfig,
    "images": ImagesConfig,
}
"""Parameter groups of the node beside its top level: prefix -> configuration class."""


@dataclass(frozen=True)
class PlayerConfig(Checked):
    """What the player publishes, and how."""

    source: str = option("", "Video file, folder of images, index of a camera, or /dev/videoN.")
    rate_hz: float = option(
        0.0,
        "Frames per second; 0 takes the source's own rate, 30 for a folder of images.",
        minimum=0.0,
        maximum=1000.0,
    )
    loop: bool = option(False, "Start over at the end, until stopped.")
    transport: str = option(
        "both",
        "Publish raw images on image, JPEG on image/compressed, or both; what nobody subscribes "
        "to is not made.",
        choices=("raw", "compressed", "both"),
    )
    jpeg_quality: int = option(90, "Quality of the JPEGs.", minimum=1, maximum=100)
    frame_id: str = option("camera_optical_frame", "Coordinate frame of the camera.")
    camera_info: str = option(
        "", "YAML file of camera_calibration, published with each frame; empty publishes none."
    )
    reliability: str = option(
        "reliable", "QoS of the images.", choices=("reliable", "best_effort")
    )
    wait_for_subscribers: int = option(
        0, "Subscribers to wait for before the first frame.", minimum=0, maximum=1000
    )

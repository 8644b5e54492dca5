"""Configuration of recorded sources: how a bag is read, and how anything is played."""

from __future__ import annotations

from dataclasses import dataclass

from etam_ros.options import Checked, option


@dataclass(frozen=True)
class BagConfig(Checked):
    """How a bag is read, wherever it is a source."""

    topic: str = option(
        "",
        "Topic of the images of a bag.",
        unset="that of the camera, if the bag contains only one",
        panel="Bags",
    )
    recover: bool = option(False, "Read whatever is readable of a damaged bag.", panel="Bags")


@dataclass(frozen=True)
class PlayerConfig(BagConfig):
    """What the player publishes, and how."""

    source: str = option(
        "", "Video file, folder of images, bag, index of a camera, or /dev/videoN.", required=True
    )
    rate_hz: float = option(
        0.0,
        "Frames per second.",
        unset="the source's own; the stamps of a bag; 30 for a folder of images",
        minimum=0.0,
        maximum=1000.0,
        flag="--rate",
    )
    loop: bool = option(False, "Start over at the end, until stopped.")
    transport: str = option(
        "both",
        "Publish raw images on image, JPEG on image/compressed, or both; images without "
        "subscribers are not encoded.",
        choices=("raw", "compressed", "both"),
    )
    jpeg_quality: int = option(90, "Quality of the JPEGs.", minimum=1, maximum=100)
    frame_id: str = option(
        "",
        "Coordinate frame of the camera.",
        unset="that of the bag, otherwise camera_optical_frame",
    )
    camera_info: str = option(
        "",
        "YAML file of camera_calibration, published on camera_info with each frame.",
        unset="that of the bag, otherwise none",
        metavar="path",
    )
    reliability: str = option(
        "reliable", "QoS of the images.", choices=("reliable", "best_effort")
    )
    wait_for_subscribers: int = option(
        0, "Subscribers to wait for before the first frame.", minimum=0, maximum=1000
    )

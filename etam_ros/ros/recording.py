"""What a recording needs so that an evaluation can repeat it, as a command line of `ros2 bag`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

from etam_ros.errors import ConfigError
from etam_ros.ros.tracker.rviz.config_file import absolute

TOPICS: Final = {
    "image": ("image", "Image that is followed."),
    "camera_info": ("", "sensor_msgs/CameraInfo; beside the image where it is empty."),
    "depth": ("depth", "Depth image, where there is one."),
    "objects": ("~/objects", "etam_ros/TrackedObjectArray of each frame."),
    "label_image": ("~/label_image", "Object id per pixel of each frame."),
    "applied_prompts": ("~/applied_prompts", "etam_ros/Prompt: each prompt as it was applied."),
    "events": ("~/events", "etam_ros/TrackEvent: what became of an object, and why."),
    "overlay": ("~/overlay", "Picture for people."),
    "diagnostics": ("/diagnostics", "State, rates and latencies."),
    "tf": ("/tf", "Transforms."),
    "tf_static": ("/tf_static", "Transforms that never change."),
}
"""Argument -> topic that is recorded, and what it is."""
OPTIONS: Final = {
    "name": ("tracker", "Name of the tracker node, for topics with a ~."),
    "namespace": ("", "Its namespace, for topics without a slash before them."),
    "output": ("", "Folder of the bag, which must not be there yet; empty: named by the date."),
    "storage": ("mcap", "How the bag is stored: mcap or sqlite3."),
    "compressed": ("false", "Record image/compressed instead of the image: smaller, not exact."),
    "with_overlay": ("false", "Record the overlay too, as compressed images."),
    "split_s": ("0", "Begin a new file of the bag after so many seconds; 0: one file."),
    "more_topics": ("", "More topics, with spaces between them."),
    "options": ("", "More options of `ros2 bag record`, as on a command line."),
}
"""Argument -> its default, and what it is."""
_POSITIONAL: Final = ("foxy", "galactic", "humble", "iron")
"""Distributions whose `ros2 bag record` has no --topics; where it has, it is the better form."""
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def record_command(values: Mapping[str, str], distribution: str) -> list[str]:
    """The command line that records.

    Args:
        values: of the arguments in TOPICS and OPTIONS; those that are left out have their default.
        distribution: of ROS, as ROS_DISTRO has it.

    Returns:
        the words, `ros2` first.

    Raises:
        ConfigError: a value is not allowed.
    """
    given = {name: default for name, (default, _) in (TOPICS | OPTIONS).items()} | dict(values)
    words = ["ros2", "bag", "record", "--storage", given["storage"]]
    if given["output"]:
        words += ["--output", given["output"]]
    if _seconds(given["split_s"]):
        words += ["--max-bag-duration", given["split_s"]]
    words += _options(given["options"])
    topics = recorded_topics(given)
    return [*words, *topics] if distribution in _POSITIONAL else [*words, "--topics", *topics]


def recorded_topics(values: Mapping[str, str]) -> list[str]:
    """Full names of the topics that are recorded, each once.

    Args:
        values: of all arguments.
    """
    names = dict(values)
    if not names["camera_info"]:
        names["camera_info"] = "".join(names["image"].rpartition("/")[:2]) + "camera_info"
    if _is_true("compressed", names["compressed"]):
        names["image"] += "/compressed"
        names["depth"] += "/compressedDepth" if names["depth"] else ""
    names["overlay"] += "/compressed"
    wanted = [name for name in TOPICS if name != "overlay"]
    wanted += ["overlay"] if _is_true("with_overlay", names["with_overlay"]) else []
    relative = [names[each] for each in wanted if names[each]] + names["more_topics"].split()
    full = [absolute(each, names["namespace"], names["name"]) for each in relative]
    return list(dict.fromkeys(full))


def _is_true(name: str, text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ConfigError(f"{name} is {text!r}, expected true or false")
    return text.lower() in _TRUE


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"split_s is {text!r}, expected a whole number of seconds from 0")
    return int(text)


def _options(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(
            f"options is {text!r} ({error}), expected options of `ros2 bag record`"
        ) from None

"""Messages as inputs: their types, and how they are damaged in their fields.

An input is a message as it crosses the network, in CDR; its suffix names its type.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from fuzz_cdr import without_remains
from fuzz_files import NUMBERS

TYPES: Final = {
    ".image": "sensor_msgs.msg.Image",
    ".compressed": "sensor_msgs.msg.CompressedImage",
    ".depth": "sensor_msgs.msg.Image",
    ".camera_info": "sensor_msgs.msg.CameraInfo",
    ".click": "geometry_msgs.msg.PointStamped",
    ".click_background": "geometry_msgs.msg.PointStamped",
    ".clicked_point": "geometry_msgs.msg.PointStamped",
    ".mouse_left": "geometry_msgs.msg.Point",
    ".prompt": "etam_ros.msg.Prompt",
    ".objects": "etam_ros.msg.TrackedObjectArray",
    ".add_prompt": "etam_ros.srv.AddPrompt.Request",
    ".remove_object": "etam_ros.srv.RemoveObject.Request",
    ".select": "etam_ros.srv.SelectObject.Request",
    ".segment": "etam_ros.srv.Segment.Request",
    ".pause": "std_srvs.srv.SetBool.Request",
    ".set_parameters": "rcl_interfaces.srv.SetParameters.Request",
    ".set_parameters_atomically": "rcl_interfaces.srv.SetParametersAtomically.Request",
    ".get_parameters": "rcl_interfaces.srv.GetParameters.Request",
    ".get_parameter_types": "rcl_interfaces.srv.GetParameterTypes.Request",
    ".describe_parameters": "rcl_interfaces.srv.DescribeParameters.Request",
    ".list_parameters": "rcl_interfaces.srv.ListParameters.Request",
    ".change_state": "lifecycle_msgs.srv.ChangeState.Request",
}
FLOATS: Final = (
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 31.5, 47.5, 63.5, 1e9, -1e9, 1e38, 1e-320, 1e308,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS: Final = (
    "", "\0", "a\nb", "é" * 300, "x" * 5000, "\x1b[2J", "camera", "map", "../x", "jpeg", "png",
    "rgb8; png compressed bayer_rggb8", "16UC1; compressedDepth png", "plumb_bob", "fisheye",
    "rational_polynomial", "rgb8", "rgba8", "mono8", "mono16", "rgb16", "8UC1", "16UC1", "32FC1",
    "64FC4", "nv12", "nv21", "nv24", "yuyv", "uyvy", "bayer_rggb8", "bayer_gbrg16",
    "tracker.max_objects", "overlay.opacity", "use_sim_time", "qos_overrides./x.publisher.depth",
)  # fmt: skip


def type_of(suffix: str) -> Any:
    """The message class of an input."""
    module, _, name = TYPES[suffix].partition(".srv.")
    if not name:
        module, _, name = TYPES[suffix].rpartition(".")
        return getattr(importlib.import_module(module), name)
    found = importlib.import_module(f"{module}.srv")
    for part in name.split("."):
        found = getattr(found, part)
    return found


def read_message(path: Path) -> Any:
    """An input as a message; what the middleware refuses never reaches us."""
    from rclpy.serialization import deserialize_message

    from etam_ros.errors import EtamError

    try:
        return deserialize_message(path.read_bytes(), type_of(path.suffix))
    except Exception as error:
        raise EtamError(f"the middleware refuses it: {type(error).__name__}") from error


def change_field(content: bytearray, rng: np.random.Generator, suffix: str) -> bytearray:
    """Put another value into a field, if what damage has left is still a message."""
    from rclpy.serialization import deserialize_message

    try:
        message = deserialize_message(bytes(content), type_of(suffix))
        change(message, rng)
        return bytearray(without_remains(message))
    except Exception:  # of rclpy, of many kinds
        return content


def change(message: Any, rng: np.random.Generator) -> None:
    """Put another value into one field of a message, or of one in it."""
    kinds = message.get_fields_and_field_types()
    if kinds:
        name = sorted(kinds)[int(rng.integers(len(kinds)))]
        setattr(message, name, another(kinds[name], getattr(message, name), rng))


def another(kind: str, value: Any, rng: np.random.Generator) -> Any:
    """Another value of a field, by the name of its type."""
    many = re.fullmatch(r"sequence<(.+?)(, \d+)?>|(.+)\[\d+\]", kind)
    if many:
        return others(many[1] or many[3], list(value), rng, count_stays=many[3] is not None)
    if "/" in kind:
        change(value, rng)
        return value
    if kind in ("float", "double"):
        number = FLOATS[int(rng.integers(len(FLOATS)))]
        with np.errstate(over="ignore"):
            return float(np.float32(number)) if kind == "float" else number
    if "int" in kind:
        return whole_number(kind, rng)
    words = TEXTS[int(rng.integers(len(TEXTS)))]
    return {"boolean": not value, "octet": bytes([int(rng.integers(256))])}.get(kind, words)


def whole_number(kind: str, rng: np.random.Generator) -> int:
    """Of a type such as int32: a small one, or one at which something ends."""
    bits, small = int(re.sub(r"\D", "", kind)), rng.random() < 0.4
    number = int(rng.integers(12)) if small else NUMBERS[int(rng.integers(len(NUMBERS)))]
    number &= 2**bits - 1
    return number - 2**bits if kind[0] == "i" and number >= 2 ** (bits - 1) else number


def others(kind: str, items: list[Any], rng: np.random.Generator, *, count_stays: bool) -> Any:
    """Another sequence: with another item, another length, or with other items throughout."""
    way = int(rng.integers(3 if count_stays else 6))
    if way == 0 and items:
        place = int(rng.integers(len(items)))
        items[place] = another(kind, items[place], rng)
    elif way < 3 and items and "/" not in kind:
        few = [another(kind, items[0], rng) for _ in range(2)]
        items = [few[int(which)] for which in rng.integers(0, 2, len(items))]
    elif way == 3:
        items = items[: int(rng.integers(len(items) + 1))]
    elif way == 4:
        items = (items * int(rng.integers(2, 40)))[:20_000]
    elif way == 5:
        items = []
    return items

"""What reads messages, and how messages are damaged: targets of fuzz.py.

An input is a message as it crosses the network, in CDR; its suffix names its type.
"""

from __future__ import annotations

import atexit
import importlib
import os
import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from fuzz_files import NUMBERS, Seeds, Target, picture

if TYPE_CHECKING:
    from etam_ros.records import FrameResult
    from etam_ros.ros.tracker.loading import Tracking

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
HW: Final = (48, 64)
FIRST_S: Final = 5


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
    from rclpy.serialization import deserialize_message, serialize_message

    try:
        message = deserialize_message(bytes(content), type_of(suffix))
        change(message, rng)
        return bytearray(serialize_message(message))
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


def _bytes(*messages: tuple[str, Any]) -> Seeds:
    from rclpy.serialization import serialize_message

    return [(suffix, serialize_message(message)) for suffix, message in messages]


def header(seconds: int = FIRST_S) -> Any:
    """Of a frame, or of what belongs to it."""
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    return Header(stamp=Time(sec=seconds), frame_id="camera")


def image_seeds(_folder: Path | None = None) -> Seeds:
    """Raw images in a few of the encodings."""
    from sensor_msgs.msg import Image

    plain = picture(0, HW)
    deep = plain[..., 0].astype(np.uint16) * 16
    found = []
    for encoding, pixels, rows in (
        ("rgb8", plain, 48),
        ("bgra8", np.concatenate([plain, plain[..., :1]], axis=2), 48),
        ("mono16", deep, 48),
        ("bayer_rggb8", plain[..., 0], 48),
        ("yuyv", plain[..., :2], 48),
        ("nv12", plain[..., 0], 32),
        ("nv24", plain, 48),
    ):
        step = pixels[0].nbytes if encoding != "nv24" else 64
        image = Image(header=header(), height=rows, width=64, encoding=encoding, step=step)
        image.data.frombytes(np.ascontiguousarray(pixels).tobytes())
        found.append((".image", image))
    return _bytes(*found)


def compressed_seeds(_folder: Path) -> Seeds:
    """JPEG and PNG."""
    import cv2
    from sensor_msgs.msg import CompressedImage

    plain = picture(0, HW)
    found = []
    for suffix, kind, pixels in (
        (".jpg", "rgb8; jpeg compressed bgr8", plain),
        (".png", "png", plain),
        (".png", "mono16; png compressed", plain[..., 0].astype(np.uint16) * 16),
        (".png", "bayer_rggb8; png compressed bayer_rggb8", plain[..., 0]),
    ):
        message = CompressedImage(header=header(), format=kind)
        message.data.frombytes(cv2.imencode(suffix, pixels)[1].tobytes())
        found.append((".compressed", message))
    return _bytes(*found)


def prompts() -> list[Any]:
    """One of each kind."""
    from etam_ros.msg import Prompt
    from geometry_msgs.msg import Point32
    from sensor_msgs.msg import Image

    mask = Image(height=48, width=64, encoding="mono8", step=64)
    mask.data.frombytes((picture(0, HW)[..., 0] > 100).tobytes())
    clicks = [Point32(x=14.0, y=20.0), Point32(x=50.0, y=5.0)]
    return [
        Prompt(header=header(), points=clicks, point_labels=[1, 0], label="cup"),
        Prompt(object_id=1, points=clicks[:1], point_labels=[0], keep_previous=True),
        Prompt(object_id=7, box=[4.0, 8.0, 24.0, 30.0]),
        Prompt(object_id=8, box=[4.0, 8.0, 24.0, 30.0], points=clicks[:1], point_labels=[1]),
        Prompt(mask=mask),
    ]


def prompt_seeds(_folder: Path | None = None) -> Seeds:
    return _bytes(*((".prompt", each) for each in prompts()))


def click_seeds(_folder: Path | None = None) -> Seeds:
    """Clicks on the object, beside it, and on a frame that was not there."""
    from geometry_msgs.msg import Point, PointStamped

    places = ((14.0, 20.0, header()), (50.0, 5.0, header(0)), (0.0, 47.0, header(77)))
    return _bytes(
        *((".click", PointStamped(header=at, point=Point(x=x, y=y))) for x, y, at in places)
    )


def calibrations() -> list[Any]:
    """A camera of each model, and one that is rectified, binned and cropped."""
    from sensor_msgs.msg import CameraInfo, RegionOfInterest

    k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    p = [60.0, 0.0, 31.5, -3.0, 0.0, 60.0, 23.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    whole = {"header": header(), "height": 48, "width": 64, "k": k, "p": p}
    models = (("plumb_bob", 5), ("rational_polynomial", 8), ("equidistant", 4))
    roi = RegionOfInterest(x_offset=8, y_offset=8, width=128, height=96)
    return [
        *(CameraInfo(**whole, distortion_model=name, d=[0.01] * n) for name, n in models),
        CameraInfo(**{**whole, "height": 192, "width": 256}, binning_x=2, binning_y=2, roi=roi),
    ]


def camera_seeds(_folder: Path | None = None) -> Seeds:
    return _bytes(*((".camera_info", each) for each in calibrations()))


def depth_seeds(_folder: Path | None = None) -> Seeds:
    """Millimetres and metres."""
    from sensor_msgs.msg import Image

    far = np.full(HW, 1500, np.uint16)
    found = []
    for encoding, values in (("16UC1", far), ("32FC1", far.astype(np.float32) / 1000)):
        image = Image(header=header(), height=48, width=64, encoding=encoding)
        image.step = values[0].nbytes
        image.data.frombytes(values.tobytes())
        found.append((".depth", image))
    return _bytes(*found)


def parameter_seeds(_folder: Path | None = None) -> Seeds:
    """Every parameter of the node, with its default."""
    from rcl_interfaces.msg import Parameter
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter as RclpyParameter

    from etam_ros.ros.parameters import parameter_options

    values = {name: default for name, (default, _) in parameter_options().items()}
    values["use_sim_time"] = False
    found = []
    for name, value in values.items():
        encoded = RclpyParameter(name, value=value).get_parameter_value()
        request = SetParameters.Request(parameters=[Parameter(name=name, value=encoded)])
        found.append((".set_parameters", request))
    return _bytes(*found)


@lru_cache(maxsize=1)
def _tracking() -> Tracking:
    from etam_ros.ros.parameters import settings_from
    from etam_ros.ros.tracker.loading import load_tracking

    small = {"model": "tiny_test", "weights": "random:0", "backend": "torch", "device": "cpu"}
    return load_tracking(settings_from(small), lambda: False)


def begun(object_too: bool = True) -> Tracking:
    """A tracker on its first frame, with object 1: the same before each input."""
    from etam_ros.records import Frame, Prompt
    from etam_ros.ros.tracker.object_watch import ObjectWatch

    tracking = _tracking()
    tracking.tracker.reset()
    tracking.history.clear()
    tracking.watch, tracking.applied, tracking.selected = ObjectWatch(), [], None
    frame = Frame(picture(0, HW), FIRST_S * 10**9, "camera")
    tracking.newest, tracking.newest_frame = header(), frame
    if object_too:
        tracking.tracker.step(frame)
        tracking.tracker.add_prompt(Prompt(1, points=[(14.0, 20.0)], point_labels=[1]))
        tracking.selected = 1
        tracking.look(frame.image)
    return tracking


def goes_on(tracking: Tracking, positions: Callable[[FrameResult], Any] = lambda _: {}) -> None:
    """Take the next frame, and make messages of all that came of it."""
    from rclpy.serialization import serialize_message

    from etam_ros.errors import EtamError
    from etam_ros.records import Frame
    from etam_ros.ros.messages import objects_message

    try:
        frame = Frame(picture(1, HW), (FIRST_S + 1) * 10**9, "camera")
        result = tracking.tracker.step(frame)
        tracking.newest = header(FIRST_S + 1)
        tracking.look(frame.image)
        found = objects_message(
            result,
            tracking.newest,
            last_seen=tracking.watch.last_seen,
            positions=positions(result),
            dropped_frames=0,
        )
        for message in (found, *tracking.take_applied(), *tracking.watch.take_events()):
            serialize_message(message)
    except EtamError as error:
        raise AssertionError(f"the tracker does not go on: {error}") from error


def on_tracker(action: Callable[[Tracking], object]) -> None:
    """Do something with the tracker, which goes on whether or not it is refused."""
    tracking = begun()
    try:
        action(tracking)
    finally:
        goes_on(tracking)


def take_image(path: Path) -> None:
    """Read an image, of cameras with 16 and with 12 bits, and give it to the tracker."""
    from etam_ros.config import ImagesConfig
    from etam_ros.ros.tracker.frames import ReceivedImage

    for bits in (12, 16):
        frame = ReceivedImage(read_message(path), 0).read(ImagesConfig(bits=bits))
    tracking = begun(object_too=False)
    tracking.tracker.step(frame)
    goes_on(tracking)


def take_prompt(path: Path) -> None:
    """What ~/prompt and ~/add_prompt do."""
    from etam_ros.ros.tracker.prompts.actions import apply_prompt

    message = read_message(path)
    on_tracker(lambda tracking: apply_prompt(message, "~/prompt", tracking))


def take_click(path: Path) -> None:
    """What clicks do; the input decides of which kind it is."""
    from etam_ros.ros.tracker.prompts.actions import Click, apply_click

    message = read_message(path)
    choice = zlib.crc32(path.read_bytes())
    meaning = ("auto", "new", "target")[choice % 3]
    point = (message.point.x, message.point.y)
    click = Click(point, "~/click", choice // 3 % 2, message.header, rounded=choice // 6 % 2 == 1)
    on_tracker(lambda tracking: apply_click(click, meaning, tracking))


def take_camera_info(path: Path) -> None:
    """Read a calibration, for a picture of each of a few sizes; find object 1 by it."""
    _take_positions(info=read_message(path))


def take_depth(path: Path) -> None:
    """Find object 1 by a depth picture."""
    _take_positions(depth=read_message(path))


def _take_positions(info: Any = None, depth: Any = None) -> None:
    from etam_ros.config import CameraConfig
    from etam_ros.errors import EtamError
    from etam_ros.positions_config import DepthConfig
    from etam_ros.ros.tracker.camera import Camera
    from etam_ros.ros.tracker.positions.locating import Positions

    said: list[str] = []
    rectified = info is not None and info.height % 2 == 1
    camera = Camera(lambda: CameraConfig(rectified=rectified), said.append)
    camera.on_info(calibrations()[0] if info is None else info)
    for hw in (HW, (96, 128), (480, 640)):
        model = camera.model_for(hw)
        rays = model.rays(np.array([[0.0, 0.0], [31.5, 23.5], [-1e9, 1e9], [63.0, 47.0]]))
        model.inside(model.project(rays * 2))
    positions = Positions(camera, DepthConfig)
    if depth is not None:
        positions.on_depth(depth)
    tracking = begun()
    goes_on(tracking, lambda result: positions.locate(result.objects, HW, header()))
    report = positions.report()
    if any("\n" in line for line in said):
        raise AssertionError(f"several lines: {said}")
    if report.no_bearing or (depth is not None and report.no_depth):
        raise EtamError(report.no_bearing or report.no_depth)


@lru_cache(maxsize=1)
def _parameters() -> tuple[Any, dict[str, Any]]:
    """A node with the tracker's parameters, and these as they were."""
    import rclpy
    from rclpy.node import Node

    from etam_ros.ros.harness.isolation import isolated_domain
    from etam_ros.ros.parameters import NodeParameters, parameter_options

    stack = ExitStack()
    atexit.register(stack.close)
    os.environ.update(stack.enter_context(isolated_domain()))
    if not rclpy.ok():
        rclpy.init(args=[])
        stack.callback(rclpy.try_shutdown)
    node = Node("fuzzed")
    NodeParameters(node, lambda: True, lambda _: None, lambda _: None)
    names = [*parameter_options(), "use_sim_time"]
    return node, {name: node.get_parameter(name) for name in names}


def take_parameters(path: Path) -> None:
    """Set parameters, as rclpy's own service does."""
    from rclpy.exceptions import ParameterException
    from rclpy.parameter import Parameter

    from etam_ros.errors import EtamError

    node, before = _parameters()
    reasons = []
    for each in read_message(path).parameters:
        try:
            parameter = Parameter.from_parameter_msg(each)
        except ValueError as error:  # no type of ROS: `guarding` answers
            raise EtamError(str(error)) from error
        try:
            result = node.set_parameters_atomically([parameter])
        except ParameterException as error:
            raise EtamError(f"{type(error).__name__}: {error!s:.200}") from error
        if result.successful and parameter.name in before:
            node.set_parameters_atomically([before[parameter.name]])
        elif not result.successful:
            reasons.append(result.reason)
    if reasons:
        raise EtamError(reasons[0])


MESSAGES: Final[Sequence[Target]] = (
    Target("images", image_seeds, take_image, change_field),
    Target("compressed", compressed_seeds, take_image, change_field),
    Target("prompt_messages", prompt_seeds, take_prompt, change_field),
    Target("clicks", click_seeds, take_click, change_field),
    Target("camera_infos", camera_seeds, take_camera_info, change_field),
    Target("depth", depth_seeds, take_depth, change_field),
    Target("parameters", parameter_seeds, take_parameters, change_field),
)

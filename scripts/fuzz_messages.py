"""What reads messages: targets of fuzz.py."""

from __future__ import annotations

import atexit
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from fuzz_changes import change_field, read_message
from fuzz_files import Target, picture
from fuzz_seeds import (
    FIRST_S,
    HW,
    calibrations,
    camera_seeds,
    click_seeds,
    compressed_seeds,
    depth_seeds,
    header,
    image_seeds,
    parameter_seeds,
    prompt_seeds,
)

if TYPE_CHECKING:
    from etam_ros.records import FrameResult
    from etam_ros.ros.tracker.loading import Tracking


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
    from etam_ros.config import CameraConfig, DepthConfig
    from etam_ros.errors import EtamError
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

"""Pairs of images and depth, and what is told of objects with and without them."""

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from etam_ros.config import CameraConfig, DepthConfig
from etam_ros.records import ObjectState
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.positions.depth_ring import MOST_MESSAGES, DepthRing
from etam_ros.ros.tracker.positions.locating import Positions
from etam_ros.tracking.masks.measures import NOWHERE, measure
from etam_ros.tracking.masks.pieces import pieces_of

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[2]))
from depth_messages import depth_message
from rendered import Box, Pinhole, Wall, render

CAMERA = Pinhole((180, 320), 250.0)
THING, WALL = Box((0.4, -0.1, 2.0), (0.6, 0.5, 0.2), 0.3), Wall(3.5)
MS = 1_000_000


def header_at(stamp_ms, frame_id="camera"):
    stamp = Time(sec=stamp_ms // 1000, nanosec=stamp_ms % 1000 * MS)
    return Header(stamp=stamp, frame_id=frame_id)


def info(**fields):
    (height, width), (cx, cy), f = CAMERA.hw, CAMERA.middle, CAMERA.focal_px
    k = [f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0]
    return CameraInfo(**{"height": height, "width": width, "k": k, **fields})


def state_of(mask, object_id=1, **changes):
    pieces, whole = pieces_of(measure(mask), NOWHERE), measure(mask)
    values = {
        "object_id": object_id, "label": "", "occluded": not mask.any(), "visibility": 0.9,
        "iou_score": 0.9, "area": whole.area, "box": pieces.main.box,
        "centroid": pieces.main.centroid, "mask": whole.mask, "extent": whole.box,
        "measured": pieces.main.mask, "time_since_seen_ns": 0, "object_score_logit": 1.0,
        "mask_logits": None, "pointer": None,
    }  # fmt: skip
    return ObjectState(**{**values, **changes})


class Seen:
    """Positions of one object, before a wall."""

    def __init__(self, config=None):
        self.config = config or DepthConfig()
        self.warnings = []
        self.camera = Camera(CameraConfig, self.warnings.append)
        self.positions = Positions(self.camera, lambda: self.config)
        depth, ids = render(CAMERA, THING, WALL)
        self.depth, self.mask = depth.astype(np.float32), ids == 0
        self.state = state_of(self.mask)

    def calibrate(self, **fields):
        self.camera.on_info(info(**fields))

    def send(self, stamp_ms, metres=None, **fields):
        message = depth_message(self.depth if metres is None else metres, **fields)
        message.header.stamp = header_at(stamp_ms).stamp
        self.positions.on_depth(message)

    def at(self, stamp_ms):
        header = header_at(stamp_ms)
        return self.positions.locate([self.state], CAMERA.hw, header).get(1)

    @property
    def exact(self):
        ray = CAMERA.ray(*self.state.centroid)
        return ray * THING.depth(ray)


@pytest.fixture
def seen():
    return Seen()


def test_without_a_calibration_nothing_is_known_and_it_is_said(seen):
    seen.send(1000)
    assert seen.at(1000) is None
    report = seen.positions.report()
    assert report.no_bearing == "no camera_info has come on camera_info"
    assert (report.visible, report.located) == (1, 0)


def test_without_depth_there_is_the_bearing(seen):
    seen.calibrate()
    found = seen.at(1000)
    assert found.bearing == pytest.approx(tuple(seen.exact / np.linalg.norm(seen.exact)))
    assert math.isnan(found.point[0])
    assert math.isnan(found.spread_m)
    assert not found.known
    assert seen.positions.report().no_depth == "no depth has arrived"


@pytest.mark.parametrize("encoding", ["32FC1", "16UC1"])
def test_with_depth_there_is_the_position(seen, encoding):
    seen.calibrate()
    seen.send(1000, encoding=encoding)
    found = seen.at(1000)
    assert np.linalg.norm(found.point - seen.exact) < 0.02 * np.linalg.norm(seen.exact)
    assert 0 <= found.spread_m < 0.1
    report = seen.positions.report()
    assert (report.paired, report.missing, report.located, report.no_depth) == (1, 0, 1, "")


def test_distortion_is_taken_out(seen):
    """The picture is bent as the lens bends it; the thing is where it was."""
    (cx, cy), f = CAMERA.middle, CAMERA.focal_px
    matrix, bent = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1.0]]), np.array([-0.3, 0.1, 0, 0])
    pixels = np.stack(np.meshgrid(range(320), range(180)), -1).reshape(-1, 1, 2).astype(float)
    straight = cv2.undistortPoints(pixels, matrix, bent)[:, 0].reshape(180, 320, 2)
    rays = np.concatenate([straight, np.ones((180, 320, 1))], -1)
    thing = Box((0.9, -0.3, 2.0), (0.4, 0.4, 0.2), 0.3)  # near a corner
    depth = np.minimum(thing.depth(rays), WALL.depth(rays)).astype(np.float32)
    seen.state = state_of(thing.depth(rays) < WALL.depth(rays))
    seen.calibrate(distortion_model="plumb_bob", d=[-0.3, 0.1, 0.0, 0.0])
    seen.send(1000, depth)
    found = seen.at(1000)
    x, y = seen.state.centroid
    ray = rays[round(y), round(x)]
    assert found.point == pytest.approx(tuple(ray * thing.depth(ray)), abs=0.03)
    naive = (x - cx) / f * found.point[2]
    assert abs(naive - found.point[0]) > 0.02


def test_a_calibration_of_another_size_is_scaled_or_refused(seen):
    f, (cx, cy) = 1.5 * CAMERA.focal_px, CAMERA.middle
    k = [f, 0.0, 1.5 * cx + 0.25, 0.0, f, 1.5 * cy + 0.25, 0.0, 0.0, 1.0]
    seen.calibrate(height=270, width=480, k=k)
    assert seen.at(1000).bearing == pytest.approx(
        tuple(seen.exact / np.linalg.norm(seen.exact)), abs=1e-6
    )
    seen.calibrate(height=240, width=320)
    assert seen.at(1033) is None
    assert "320 x 240, the image has 320 x 180" in seen.positions.report().no_bearing
    assert len(seen.warnings) == 1


@pytest.mark.parametrize(
    ("stamps", "asked", "apart"),
    [
        ([1000, 1033, 1066], 1033, 0),
        ([1000, 1033, 1066], 1040, 7),
        ([1000, 1033, 1066], 1120, None),
        ([1100], 1060, 40),  # early
        ([1000], 1050, 50),
        ([1000], 1051, None),
        ([5000, 1000], 1000, 0),  # a bag that starts over
        ([5000, 1000], 5000, None),
        ([1033, 1000], 1033, 0),  # one overtook the other on its way
        ([], 1000, None),
    ],
)
def test_the_depth_of_the_nearest_stamp_counts_within_the_limit(seen, stamps, asked, apart):
    seen.calibrate()
    for stamp in stamps:
        seen.send(stamp)
    found, report = seen.at(asked), seen.positions.report()
    assert found.known == (apart is not None)
    assert report.missing == (apart is None)
    if apart is not None:
        assert report.apart_p50_ms == pytest.approx(apart)


def test_depth_that_comes_when_its_image_is_done_is_counted(seen):
    seen.calibrate()
    assert not seen.at(1000).known
    seen.send(1004)
    assert (seen.positions.report().missing, seen.positions.report().late) == (1, 1)
    seen.send(1005)
    assert seen.positions.report().late == 1


def test_images_without_stamps_get_no_depth(seen):
    seen.calibrate()
    seen.send(0)
    assert not seen.at(0).known
    assert "no stamps" in seen.positions.report().no_depth


@pytest.mark.parametrize(
    ("metres", "fields", "words"),
    [
        (np.ones((240, 320)), {}, "320 x 240 pixels, the image has 320 x 180"),
        (np.ones((180, 320)), {"frame_id": "depth"}, "'depth', expected 'camera'"),
    ],
)
def test_depth_of_another_view_is_refused_in_words(seen, metres, fields, words):
    seen.calibrate()
    seen.send(1000, metres.astype(np.float32), **fields)
    found, report = seen.at(1000), seen.positions.report()
    assert not found.known
    assert math.isfinite(found.bearing[0])
    assert report.refused == 1
    assert words in report.last_refusal


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_all_invalid_depth_gives_no_position(seen, value):
    seen.calibrate()
    seen.send(1000, np.full(CAMERA.hw, value, np.float32))
    found, report = seen.at(1000), seen.positions.report()
    assert not found.known
    assert math.isnan(found.spread_m)
    assert (report.paired, report.located) == (1, 0)


def test_hidden_objects_are_nowhere(seen):
    seen.calibrate()
    seen.send(1000)
    seen.state = state_of(np.zeros(CAMERA.hw, bool))
    assert seen.at(1000) is None


def test_depth_can_be_switched_off(seen):
    seen.config = DepthConfig(enabled=False)
    seen.calibrate()
    seen.send(1000)
    assert not seen.at(1000).known
    assert seen.positions.report().no_depth == "depth.enabled is false"


def test_a_new_start_forgets(seen):
    seen.calibrate()
    seen.send(1000)
    seen.positions.restart()
    assert not seen.at(1000).known
    assert seen.positions.report().received == 0


def test_the_ring_is_bounded_in_number_and_bytes():
    ring = DepthRing(1000)
    message = Image(data=[0] * 300)
    for _ in range(10):
        ring.add(message)
    assert len(ring._kept) == 3
    ring.add(Image(data=[0] * 5000))
    assert len(ring._kept) == 1
    ring = DepthRing(10**9)
    for _ in range(3 * MOST_MESSAGES):
        ring.add(Image())
    assert len(ring._kept) == MOST_MESSAGES

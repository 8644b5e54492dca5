"""Camera models against OpenCV, for every kind of distortion, and calibrations that are no use."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from sensor_msgs.msg import CameraInfo, RegionOfInterest

from etam_ros.errors import ConfigError
from etam_ros.ros.camera_model import CameraModel

HW = (480, 640)
K = [410.0, 0.0, 325.0, 0.0, 405.0, 236.0, 0.0, 0.0, 1.0]
DISTORTIONS = {
    "none": ("plumb_bob", []),
    "plumb_bob": ("plumb_bob", [-0.28, 0.09, 0.001, -0.0007, -0.01]),
    "plumb_bob of 4": ("plumb_bob", [0.1, -0.05, 0.001, 0.002]),
    "rational": ("rational_polynomial", [0.5, -2.6, 0.0005, 0.0002, 1.5, 0.38, -2.4, 1.4]),
    "fisheye": ("equidistant", [-0.02, 0.004, -0.003, 0.0006]),
}


def calibration(distortion, **fields):
    name, d = DISTORTIONS[distortion]
    values = {"height": HW[0], "width": HW[1], "k": K, "d": d, "distortion_model": name}
    return CameraInfo(**{**values, **fields})


def by_opencv(points, info):
    """Pixels of (N, 3) points, straight from the fields of a message."""
    zero, matrix, d = np.zeros(3), np.reshape(info.k, (3, 3)), np.array(info.d)
    if info.distortion_model == "equidistant":
        return cv2.fisheye.projectPoints(points[:, None], zero, zero, matrix, d)[0][:, 0]
    return cv2.projectPoints(points[:, None], zero, zero, matrix, d if len(d) else None)[0][:, 0]


def all_pixels(hw, step=16):
    height, width = hw
    grid = np.meshgrid(np.arange(0, width, step), np.arange(0, height, step))
    return np.stack(grid, axis=-1).reshape(-1, 2).astype(float)


@pytest.fixture(params=list(DISTORTIONS))
def info(request):
    return calibration(request.param)


def test_points_are_seen_where_opencv_sees_them(info):
    points = np.random.default_rng(0).uniform((-1, -0.7, 1.4), (1, 0.7, 4), (200, 3))
    model = CameraModel.from_message(info)
    np.testing.assert_allclose(model.project(points), by_opencv(points, info), atol=1e-6)


def test_a_pixel_looks_at_what_is_seen_there_at_any_distance(info):
    model, pixels = CameraModel.from_message(info), all_pixels(HW)
    rays = model.rays(pixels)
    assert (rays[:, 2] == 1).all()
    for distance in (0.01, 1.0, 50.0):
        seen = by_opencv(rays * distance, info)
        np.testing.assert_allclose(seen, pixels, atol=0.1)
        np.testing.assert_allclose(model.project(rays * distance), pixels, atol=0.1)


def test_what_is_not_before_the_camera_is_not_seen(info):
    model = CameraModel.from_message(info)
    points = np.array([[0, 0, -1], [0.1, 0, 0], [0, 0, 0], [np.nan, 0, 1], [0, np.inf, 1]])
    assert np.isnan(model.project(points)).all()
    assert model.project(np.zeros((0, 3))).shape == (0, 2)
    assert model.rays(np.zeros((0, 2))).shape == (0, 3)


def test_distortion_does_not_fold_what_lies_far_aside_back_into_the_picture():
    info = calibration("plumb_bob", d=[-0.3, 0.0, 0.0, 0.0, 0.0])
    aside = np.array([[1.8, 0.0, 1.0]])
    assert by_opencv(aside, info)[0, 0] < HW[1]  # OpenCV would have it in the picture
    assert np.isnan(CameraModel.from_message(info).project(aside)).all()


def test_corners_that_the_distortion_does_not_reach_look_nowhere():
    wide = [300.0, 0, 319.5, 0, 300.0, 239.5, 0, 0, 1]
    info = calibration("plumb_bob", k=wide, d=[-0.35, 0.12, 0.001, 0.0, -0.02])
    pixels = all_pixels(HW)
    rays = CameraModel.from_message(info).rays(pixels)
    known = np.isfinite(rays).all(axis=1)
    assert 0.5 < known.mean() < 0.9
    assert np.hypot(*(pixels[known] - (319.5, 239.5)).T).max() < np.hypot(319.5, 239.5)
    np.testing.assert_allclose(by_opencv(rays[known], info), pixels[known], atol=0.1)


def test_a_rectified_picture_follows_p_alone():
    p = [300.0, 0, 310.0, -40.0, 0, 305.0, 230.0, 0, 0, 0, 1, 0]
    info = calibration("plumb_bob", p=p)
    model = CameraModel.from_message(info, rectified=True)
    # The point at which a pixel of the camera's picture ends up when OpenCV rectifies it.
    raw = np.array([[[400.0, 300.0]]])
    matrix, d = np.reshape(info.k, (3, 3)), np.array(info.d)
    rectified = cv2.undistortPoints(raw, matrix, d, P=np.reshape(p, (3, 4)))
    ray = CameraModel.from_message(info).rays(raw)
    np.testing.assert_allclose(model.project(ray), rectified[:, 0], atol=0.05)


def test_a_region_and_its_binning_leave_things_in_their_place(info):
    roi = RegionOfInterest(x_offset=40, y_offset=60, width=400, height=300)
    info.binning_x, info.binning_y, info.roi = 2, 3, roi
    full = CameraModel.from_message(info)
    model = full.seen_through(info)
    assert model.hw == (100, 200)
    pixels = all_pixels(model.hw, 10)
    # A binned pixel lies in the middle of those of which it was made.
    in_full = (pixels + 0.5) * (2, 3) - 0.5 + (40, 60)
    np.testing.assert_allclose(model.rays(pixels), full.rays(in_full), atol=1e-6)


@pytest.mark.parametrize(
    "hw", [(240, 320), (160, 213), (160, 214), (960, 1280), (480, 640), (320, 427), (720, 960)]
)
def test_the_same_view_at_another_size(hw):
    full = CameraModel.from_message(calibration("plumb_bob"))
    model = full.resized(hw)
    assert model.hw == hw
    pixels = all_pixels(hw, 20)
    in_full = (pixels + 0.5) * (HW[1] / hw[1], HW[0] / hw[0]) - 0.5
    np.testing.assert_allclose(model.rays(pixels), full.rays(in_full), atol=1e-6)


@pytest.mark.parametrize(
    "hw", [(320, 424), (240, 640), (400, 640), (480, 638), (720, 1280), (10, 13), (1, 1)]
)
def test_a_picture_that_may_be_a_cut_out_is_refused(hw):
    with pytest.raises(ConfigError, match="image of 640 x 480, the image has") as refusal:
        CameraModel.from_message(calibration("none")).resized(hw)
    assert f"{hw[1]} x {hw[0]}" in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"k": [0.0] * 9}, "expected focal lengths above 0"),
        ({"k": [np.nan, *K[1:]]}, "expected focal lengths above 0"),
        ({"k": [np.inf, *K[1:]]}, "expected focal lengths above 0"),
        ({"k": [*K[:2], np.nan, *K[3:]]}, "expected focal lengths above 0"),
        ({"width": 0}, "for an image of 0 x 480"),
        ({"distortion_model": "brown"}, "'brown' with 5 coefficients"),
        ({"distortion_model": ""}, "'' with 5 coefficients"),
        ({"d": [0.1, 0.2]}, "'plumb_bob' with 2 coefficients"),
        ({"d": [0.1, np.nan, 0.0, 0.0]}, "finite"),
        ({"distortion_model": "equidistant", "d": []}, "'equidistant' with 0 coefficients"),
    ],
)
def test_what_is_no_calibration_is_refused_in_one_line(fields, words):
    with pytest.raises(ConfigError) as refusal:
        CameraModel.from_message(calibration("plumb_bob", **fields))
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "none", "plumb_bob", "whatever"])
def test_a_picture_without_distortion_needs_no_model_of_it(name):
    model = CameraModel.from_message(calibration("none", distortion_model=name, d=[0.0] * 5))
    np.testing.assert_allclose(model.rays(np.array([[735.0, 641.0]])), [[1, 1, 1]], atol=1e-9)


def test_an_assumed_camera_says_so_and_looks_straight():
    model = CameraModel.assumed(HW)
    assert not model.calibrated
    np.testing.assert_allclose(model.rays(np.array([[319.5, 239.5]])), [[0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(model.project(np.array([[0.5, 0, 1]])), [[639.5, 239.5]])


def test_inside_is_to_the_edges_of_the_outermost_pixels():
    edges = [(-0.5, -0.5), (639.49, 479.49), (639.5, 0), (0, 479.5), (-0.51, 0), (np.nan, 0)]
    inside = CameraModel.assumed(HW).inside(np.array(edges))
    assert inside.tolist() == [True, True, False, False, False, False]


@given(
    st.lists(st.floats(), min_size=9, max_size=9),
    st.lists(st.floats(), max_size=14),
    st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant", ""]),
    st.tuples(*[st.integers(0, 2**32 - 1)] * 6),
)
def test_no_numbers_lead_to_an_error_or_to_infinity(k, d, name, sizes):
    height, width, binning_x, binning_y, x_offset, y_offset = sizes
    roi = RegionOfInterest(x_offset=x_offset, y_offset=y_offset)
    info = CameraInfo(
        height=height, width=width, k=k, d=d, distortion_model=name, roi=roi,
        binning_x=binning_x, binning_y=binning_y,
    )  # fmt: skip
    try:
        model = CameraModel.from_message(info).seen_through(info)
    except ConfigError:
        return
    rays = model.rays(all_pixels((96, 128), 32))
    assert not np.isinf(rays).any()
    pixels = model.project(np.array([[0.1, 0.2, 1.0], [1e300, 1.0, 1e-300], [0, 0, -1]]))
    assert not np.isinf(pixels).any()

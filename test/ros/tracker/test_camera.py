"""What the node makes of camera_info: the newest one, for pictures of whatever size."""

import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from etam_ros.config import CameraConfig
from etam_ros.ros.tracker.camera import MOST_WARNINGS, Camera

HW = (480, 640)
K = [400.0, 0.0, 319.5, 0.0, 400.0, 239.5, 0.0, 0.0, 1.0]
P = [300.0, 0, 319.5, 0, 0, 300.0, 239.5, 0, 0, 0, 1, 0]


def message(**fields):
    return CameraInfo(**{"height": 480, "width": 640, "k": K, "p": P, **fields})


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def settings():
    return {"config": CameraConfig()}


@pytest.fixture
def camera(warnings, settings):
    return Camera(lambda: settings["config"], warnings.append)


@pytest.mark.parametrize(
    ("sent", "words"),
    [(None, "no camera_info has come"), (message(k=[0.0] * 9), "the camera is not calibrated")],
)
def test_no_calibration_is_no_reason_to_warn(camera, warnings, sent, words):
    if sent is not None:
        camera.on_info(sent)
    assert not camera.model_for(HW).calibrated
    assert camera.model_for((20, 30)).hw == (20, 30)
    assert words in camera.why_not(HW)
    assert warnings == []


def test_a_calibration_that_cannot_be_used_is_told_once(camera, warnings):
    for _ in range(3):
        camera.on_info(message(distortion_model="brown", d=[1.0]))
        assert not camera.model_for(HW).calibrated
    assert warnings == [camera.why_not(HW)]
    assert "'brown'" in warnings[0]
    camera.on_info(message())
    assert camera.model_for(HW).calibrated
    assert camera.why_not(HW) == ""


def test_a_camera_that_is_always_wrong_in_another_way_is_not_told_of_for_ever(camera, warnings):
    for focal in range(1000):
        camera.on_info(message(k=[focal, 0.0, 1.0, 0.0, -1.0, 1.0, 0.0, 0.0, 1.0]))
        assert f"[{focal}.0" in camera.why_not(HW)
    assert len(warnings) == MOST_WARNINGS


def test_a_camera_info_of_another_frame_is_used_and_told_once(camera, warnings):
    camera.on_info(message(header=Header(frame_id="left")))
    for _ in range(3):
        assert "'left', the image of 'right'" in camera.frame_problem("right")
        assert camera.model_for(HW).calibrated
    assert warnings == [camera.frame_problem("right")]
    assert camera.frame_problem("left") == camera.frame_problem("") == ""
    camera.on_info(message())
    assert camera.frame_problem("right") == ""


def test_the_newest_counts_and_the_same_gives_the_same_model(camera):
    camera.on_info(message())
    model = camera.model_for(HW)
    assert model.matrix[0, 0] == 400
    camera.on_info(message())
    assert camera.model_for(HW) is model
    camera.on_info(message(k=[500.0, *K[1:]]))
    assert camera.model_for(HW).matrix[0, 0] == 500


def test_pictures_of_many_sizes_have_models_of_their_own(camera, warnings):
    camera.on_info(message())
    assert camera.model_for((240, 320)).matrix[0, 0] == 200
    for height in range(100, 120):
        assert not camera.model_for((height, 640)).calibrated
    assert "the image has 640 x 119" in warnings[-1]
    assert len(warnings) == 20


def test_a_region_and_its_binning_are_minded(camera):
    roi = RegionOfInterest(x_offset=20, y_offset=10, width=600, height=400)
    camera.on_info(message(roi=roi, binning_x=2, binning_y=2))
    model = camera.model_for((200, 300))
    assert model.calibrated
    assert model.matrix[0].tolist() == [200, 0, (319.5 - 20 + 0.5) / 2 - 0.5]


def test_a_driver_may_tell_the_calibration_of_what_is_left_after_binning(camera):
    camera.on_info(message(binning_x=2, binning_y=2))
    assert camera.model_for(HW).matrix[0, 0] == 400
    assert camera.model_for((240, 320)).matrix[0, 0] == 200


def test_a_rectified_picture_is_a_matter_of_one_parameter(camera, settings):
    camera.on_info(message(d=[-0.3, 0.1, 0.0, 0.0], distortion_model="plumb_bob"))
    assert camera.model_for(HW).matrix[0, 0] == 400
    settings["config"] = CameraConfig(rectified=True)
    assert camera.model_for(HW).matrix[0, 0] == 300
    assert len(camera.model_for(HW).distortion) == 0
    camera.on_info(message(p=[0.0] * 12))
    assert "not calibrated" in camera.why_not(HW)


def test_the_optical_frame_is_told(camera):
    assert camera.frame_id == ""
    info = message()
    info.header.frame_id = "optical"
    camera.on_info(info)
    assert camera.frame_id == "optical"
